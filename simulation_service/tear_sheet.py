"""The tear sheet of a run, or of both modes of it side by side, from what the ledger stores."""

from collections.abc import Mapping, Sequence
from typing import Any

from lake import Lake
from lake.errors import ProblemError
from lake.simulations import StoredSimulation, simulation
from reporting import Column, Figure, Page, change, count, number, ratio, share
from simulation_service import tear_figures as named
from simulation_service import tear_plots
from simulation_service.honesty.verdict import told
from simulation_service.tear_plots import Told

_HONEST_ORDER = ("realistic", "as_specified")
_FILLS = {
    "close": "fills at the close of the bar that decides, as nobody can trade",
    "next_open": "fills at the open of the session's next bar",
}


class TearSheetError(ProblemError):
    """Runs that cannot stand on one page."""


def tear_sheet(lk: Lake, simulation_ids: Sequence[str]) -> Page:
    """The page of one run, or of the two modes of one strategy side by side.

    The realistic mode stands first and gives the key figures. What a run does not store is said in
    a sentence, never left out in silence. A run that failed says why.

    Args:
        simulation_ids: One, or those of both modes.

    Raises:
        SimulationMissingError: There is no run of an id.
        TearSheetError: No run was named, or they are not modes of one strategy on the same bars.
    """
    found = sorted((simulation(lk, one) for one in dict.fromkeys(simulation_ids)), key=_order)
    _check(found)
    page = _titled(found)
    for stored in found:
        if stored.state == "failed":
            page.warning(f"The {spoken_mode(stored)} run failed: {stored.error}")
    done = [one for one in found if one.state != "failed"]
    if not done:
        page.paragraph("There are no figures of a run that failed.")
        _provenance(page, found)
        return page
    runs = [Told.of(lk, stored, f"{spoken_mode(stored)} run") for stored in done]
    _warnings(page, done)
    _key_figures(page, done[0])
    tear_plots.add(page, runs)
    _figures(page, done)
    _honesty(page, done)
    _sensitivity(page, done)
    _luck(page, done)
    _attribution(page, done)
    _provenance(page, found)
    return page


def spoken_mode(stored: StoredSimulation) -> str:
    """``realistic`` or ``as specified``."""
    return stored.mode.replace("_", " ")


def _check(found: Sequence[StoredSimulation]) -> None:
    if not found:
        raise TearSheetError(
            "A tear sheet is of one run at least. `barlake simulations` lists them."
        )
    same = {(one.strategy, one.symbol) for one in found}
    ranges = {(one.start, one.end) for one in found if one.state != "failed"}
    if len(same) > 1 or len(ranges) > 1 or len({one.mode for one in found}) < len(found):
        raise TearSheetError(
            f"Runs {', '.join(one.simulation_id for one in found)} are not the modes of one "
            "strategy on the same bars. Give the run of one id, or its two modes."
        )


def _order(stored: StoredSimulation) -> int:
    return _HONEST_ORDER.index(stored.mode) if stored.mode in _HONEST_ORDER else len(_HONEST_ORDER)


def _titled(found: Sequence[StoredSimulation]) -> Page:
    first = found[0]
    modes = " and ".join(spoken_mode(one) for one in found)
    runs = ", ".join(one.simulation_id for one in found)
    return Page(
        f"{first.strategy} on {first.symbol}",
        f"Simulation {runs} · {modes} · {first.start:%Y-%m-%d %H:%M} to "
        f"{first.end:%Y-%m-%d %H:%M} UTC",
    )


def _warnings(page: Page, done: Sequence[StoredSimulation]) -> None:
    said = dict.fromkeys(warning for one in done for warning in one.metrics.get("warnings", []))
    if done[0].mode == "as_specified":
        said["These fills cannot be had: look at the realistic mode before believing them."] = None
    for warning in said:
        page.warning(warning)


def _key_figures(page: Page, stored: StoredSimulation) -> None:
    own, against = stored.metrics["strategy"], stored.metrics["benchmark"]
    honesty: Mapping[str, Any] = stored.metrics.get("honesty") or {}
    page.paragraph(
        f"The {spoken_mode(stored)} run {_FILLS.get(str(stored.params.get('fill')), 'fills')}, "
        f"{_costs(stored.params)}."
    )
    around = (
        f"{share(honesty['confidence'], 0)} between {ratio(honesty['low'])} and "
        f"{ratio(honesty['high'])}"
        if honesty
        else "no interval: too few returns, or all the same"
    )
    page.figures(
        [
            Figure(
                "Total return",
                change(own["total_return"]),
                f"buy and hold {change(against['total_return'])}",
            ),
            Figure("Sharpe, a year", ratio(own["sharpe"]), around),
            Figure(
                "Chance of a true Sharpe above 0",
                share(honesty.get("probabilistic"), 1),
                "probabilistic Sharpe ratio",
            ),
            Figure(
                "… above the best by luck",
                share(honesty.get("deflated"), 1),
                f"deflated, of {_counted(honesty['trials'])}" if honesty else "deflated",
            ),
            Figure(
                "Worst drawdown",
                share(own["max_drawdown"]),
                f"buy and hold {share(against['max_drawdown'])}",
            ),
            Figure(
                "Round trips won",
                share(own["win_rate"], 1),
                f"of {count(own.get('round_trips'))} closed",
            ),
            Figure("Bars with shares held", share(own["exposure"], 1)),
            Figure("Fees and slippage", f"{count(own['costs'])} USD"),
        ]
    )


def _counted(trials: int) -> str:
    return "1 try" if trials == 1 else f"{trials:,} tries"


def _costs(params: Mapping[str, Any]) -> str:
    """The costs that most runs have; all of them stand at the end of the page."""
    known = {
        "slippage_bps": "basis points of slippage",
        "fee_per_share": "USD a share in fees",
        "fee_percent": "% of the amount in fees",
    }
    told = [f"{number(params[name])} {unit}" for name, unit in known.items() if params.get(name)]
    return "with " + ", ".join(told) if told else "without slippage and fees"


def _figures(page: Page, done: Sequence[StoredSimulation]) -> None:
    page.heading("Figures")
    titles = [
        title for one in done for title in (_titled_mode(one), f"Buy and hold, {spoken_mode(one)}")
    ]
    columns = [one.metrics[name] for one in done for name in ("strategy", "benchmark")]
    page.table(
        ["", *titles],
        named.rows(named.METRICS, columns),
        "Returns are from session end to session end, the drawdown from bar to bar.",
    )


def _titled_mode(stored: StoredSimulation) -> str:
    return spoken_mode(stored).capitalize()


def _honesty(page: Page, done: Sequence[StoredSimulation]) -> None:
    page.heading("What the Sharpe ratio is worth")
    judged = [one for one in done if one.metrics.get("honesty")]
    for one in judged:
        page.paragraph(f"{_titled_mode(one)}: {told(one.metrics['honesty'])}.")
    if not judged:
        page.paragraph(
            "Nothing can be said: there are fewer than two returns, all are the same, or everything "
            "was lost."
        )
        return
    page.table(
        ["", *map(_titled_mode, judged)],
        named.rows(named.HONESTY, [one.metrics["honesty"] for one in judged]),
        "As of the day of the run: whatever was tried later on these bars is not counted.",
    )


def _sensitivity(page: Page, done: Sequence[StoredSimulation]) -> None:
    page.heading("One bar later, and at twice the costs")
    known = [one for one in done if one.metrics.get("sensitivity")]
    if not known:
        page.paragraph(
            "This run was not repeated with a delay and with doubled costs (only realistic fills are), "
            "so nothing says how much of it hangs on a fill in time and on cheap trading."
        )
    labels = {"delay": "Decided one bar later", "doubled_costs": "Twice the costs"}
    for one in known:
        again: Mapping[str, Any] = one.metrics["sensitivity"]
        tables = {"As it is": one.metrics["strategy"]} | {
            labels.get(name, named.spoken(name)): found for name, found in again.items() if found
        }
        page.table(
            [_titled_mode(one), *tables],
            [
                [named.METRICS[name][0], *(_one(found, name) for found in tables.values())]
                for name in named.SENSITIVE
            ],
        )


def _one(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    return None if value is None else named.METRICS[name][1](value)


def _luck(page: Page, done: Sequence[StoredSimulation]) -> None:
    page.heading("Luck")
    _facts(
        page,
        done,
        "random_entry",
        named.RANDOM_ENTRY,
        "The same trades at random moments of the same bars.",
        "This run was not held against the same trades at random moments: that takes one symbol and a "
        "round trip that was closed.",
    )
    _facts(
        page,
        done,
        "overfitting",
        named.OVERFITTING,
        "Of the search that this run was chosen from. Pure noise gives about one half.",
        "No search of parameters is stored with this run, so there is no probability of "
        "overfitting; the deflated ratio above counts what else was tried. `barlake searches` lists "
        "the searches.",
    )


def _facts(
    page: Page,
    done: Sequence[StoredSimulation],
    key: str,
    names: Mapping[str, tuple[str, named.Format]],
    caption: str,
    absent: str,
) -> None:
    known = [one for one in done if one.metrics.get(key)]
    if not known:
        page.paragraph(absent)
        return
    rows = named.rows(names, [one.metrics[key] for one in known])
    page.table(["", *map(_titled_mode, known)], rows, caption)


def _attribution(page: Page, done: Sequence[StoredSimulation]) -> None:
    page.heading("Where the profit came from")
    for key, by in (("by_symbol", "symbol"), ("by_strategy", "strategy")):
        known = [one for one in done if one.metrics.get(key)]
        if not known and by == "symbol":
            page.paragraph("Profit by symbol is not stored with this run.")
        for one in known:
            rows = one.metrics[key]
            names = [name for name in named.ATTRIBUTION if any(name in row for row in rows)]
            shown = named.rows(named.ATTRIBUTION, rows)
            columns = [
                Column(named.ATTRIBUTION[name][0], numeric=name not in {"symbol", "strategy"})
                for name in names
            ]
            by_row = list(zip(*(texts[1:] for texts in shown[: len(names)]), strict=True))
            page.table(
                columns,
                by_row,
                f"{_titled_mode(one)}, by {by}; contributions add up to the return.",
            )


def _provenance(page: Page, found: Sequence[StoredSimulation]) -> None:
    page.heading("Where it comes from")
    facts = [
        {
            "Simulation": one.simulation_id,
            "State": one.state,
            "Strategy": one.strategy,
            "Model": one.model_id,
            "Snapshot of the lake": str(one.snapshot),
            "Orders' hash": one.orders_hash[:16] or None,
            "Noted (UTC)": None if one.created_at is None else f"{one.created_at:%Y-%m-%d %H:%M}",
            **{
                named.spoken(name): named.param(value)
                for name, value in sorted(one.params.items())
                if name not in {"strategy", "model_id"}
            },
        }
        for one in found
    ]
    keys = dict.fromkeys(key for one in facts for key in one)
    columns = [
        Column("", numeric=False),
        *(Column(_titled_mode(one), numeric=False) for one in found),
    ]
    page.table(columns, [[key, *(one.get(key) for one in facts)] for key in keys])
    page.paragraph(
        "A simulation is not a promise. Prices that were are no prices that will be, and nobody's "
        "own orders moved them here."
    )
