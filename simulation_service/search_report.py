"""The report of a search over parameters, from its row in the ledger and its trials."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from lake.searches import StoredSearch
from reporting import Column, Figure, Page, change, count, number, ratio, share
from simulation_service import search_facts as facts
from simulation_service import search_plots
from simulation_service import tear_figures as named
from simulation_service.honesty.verdict import told

_BEST = 20
_OVERFIT, _SURE = 0.5, 0.95
_LISTED = 8
_METHODS = {"grid": "grid, every combination", "optuna": "Optuna (TPE)"}
#: What the head tells; everything else that a search was made from stands at the end.
_TOLD_ABOVE = ("plan", "costs", "axes", "symbols", "method", "trials", "folds", "window", "cash")


def report(stored: StoredSearch, tried: pl.DataFrame) -> Page:
    """The page of a search: what was tried, what the best of it is worth, and how much of that is luck.

    What the row does not have is said in a sentence. Of a search that failed the page says why, and
    nothing else.

    Args:
        tried: Its trials, as :data:`lake.searches.TRIALS`.
    """
    page = Page(
        f"Search over {stored.strategy} on {stored.symbol}",
        f"Search {stored.search_id} · {stored.mode.replace('_', ' ')} · "
        f"{stored.start:%Y-%m-%d %H:%M} to {stored.end:%Y-%m-%d %H:%M} UTC",
    )
    if stored.state == "failed":
        page.warning(f"The search failed: {stored.error}")
        return page
    metrics = stored.metrics
    for warning in [*_doubts(metrics), *metrics.get("warnings", [])]:
        page.warning(warning)
    _key_figures(page, metrics)
    _head(page, stored)
    page.heading("Trials")
    _best_trials(page, tried, metrics)
    search_plots.add_ratios(page, tried, metrics)
    search_plots.add_surface(page, tried)
    _honesty(page, metrics)
    _overfitting(page, metrics)
    _forward(page, stored)
    _provenance(page, stored)
    return page


def _doubts(metrics: Mapping[str, Any]) -> Iterator[str]:
    """What makes the best trial worth less than it looks, a sentence each."""
    best, honesty, found, forward = (
        metrics.get(name) or {} for name in ("best", "honesty", "overfitting", "walk_forward")
    )
    overfit, deflated = found.get("probability"), honesty.get("deflated")
    if overfit is not None and overfit >= _OVERFIT:
        yield (
            f"The probability of overfitting is {share(overfit)}: on sessions it was not chosen by, "
            "the best trial did no better than the middle of all trials at least every other time."
        )
    if deflated is not None and deflated < _SURE:
        yield (
            f"The deflated Sharpe ratio is {share(deflated)}, below {share(_SURE, 0)}: luck alone "
            f"may well explain the best of {_tries(honesty['trials'])}."
        )
    ahead, behind = best.get("sharpe"), forward.get("sharpe")
    if ahead is not None and behind is not None and ahead > 0 >= behind:
        yield (
            f"Chosen by the past alone the strategy had a Sharpe ratio of {ratio(behind)}; the best "
            f"trial, with {ratio(ahead)}, was chosen with hindsight."
        )
    if not best:
        yield "No trial has a Sharpe ratio: none of them moved from its cash, so there is no best one."


def _key_figures(page: Page, metrics: Mapping[str, Any]) -> None:
    best, honesty, found, forward = (
        metrics.get(name) or {} for name in ("best", "honesty", "overfitting", "walk_forward")
    )
    around = (
        f"{share(honesty['confidence'], 0)} between {ratio(honesty['low'])} and "
        f"{ratio(honesty['high'])}"
        if honesty
        else "no interval"
    )
    luck = (
        f"chance of a true one above the best of {_tries(honesty['trials'])} by luck"
        if honesty
        else "not known"
    )
    failed = f"{count(metrics.get('failed'))} of them failed"
    left_out = metrics.get("left_out")
    page.figures(
        [
            Figure("Best Sharpe, a year", ratio(best.get("sharpe")), around),
            Figure(
                "Deflated Sharpe",
                share(honesty.get("deflated"), 1),
                luck,
            ),
            Figure(
                "Probability of overfitting",
                share(found.get("probability"), 1),
                "pure noise: about one half" if found else "not known",
            ),
            Figure(
                "Sharpe, walking forward",
                ratio(forward.get("sharpe")),
                f"chosen by the past alone, {count(forward['sessions'])} sessions"
                if forward
                else "not known",
            ),
            Figure("Return of the best trial", change(best.get("total_return"))),
            Figure("Worst drawdown of it", share(best.get("max_drawdown"))),
            Figure("Entries of it", count(best.get("trades"))),
            Figure(
                "Trials",
                count(metrics.get("tried")),
                failed + (f", {count(left_out)} do not go together" if left_out else ""),
            ),
        ]
    )


def _tries(trials: int) -> str:
    return "1 try" if trials == 1 else f"{trials:,} tries"


def _head(page: Page, stored: StoredSearch) -> None:
    page.heading("What was searched")
    params = stored.params
    plan: Mapping[str, Any] = params.get("plan") or {}
    axes: Mapping[str, Sequence[Any]] = params.get("axes") or {}
    costs = {
        name: value
        for name, value in (params.get("costs") or {}).items()
        if f"costs.{name}" not in axes
    }
    rows = {
        "Symbols": ", ".join(params.get("symbols") or [stored.symbol]),
        "Range (UTC)": f"{stored.start:%Y-%m-%d %H:%M} to {stored.end:%Y-%m-%d %H:%M}",
        "Sessions": count(stored.metrics.get("sessions")),
        "Method": _method(params),
        **{f"Tried: {name}": _tried(values) for name, values in axes.items()},
        **{named.spoken(part): _fixed(part, one, axes) for part, one in plan.items()},
        "Costs": named.param(costs),
        "Cash (USD)": number(params.get("cash")),
        "Walking forward": f"{number(params.get('folds'))} blocks, {params.get('window', '')} window",
    }
    page.table(
        [Column("", numeric=False), Column("", numeric=False)],
        [[name, value or None] for name, value in rows.items()],
    )


def _method(params: Mapping[str, Any]) -> str:
    method = str(params.get("method"))
    drawn = f", {count(params['trials'])} trials" if "trials" in params else ""
    return _METHODS.get(method, method) + drawn


def _tried(values: Sequence[Any]) -> str:
    """Few values in full, many by their ends."""
    if len(values) <= _LISTED:
        return ", ".join(map(named.exact, values))
    return f"{named.exact(values[0])} to {named.exact(values[-1])}, {count(len(values))} values"


def _fixed(part: str, facts_of: Any, axes: Mapping[str, Any]) -> str:
    """A part of the plan, without what was searched."""
    if isinstance(facts_of, Mapping):
        prefix = "" if part == "strategy" else f"{part}."
        kept = {
            name: value
            for name, value in (facts_of.get("parameters") or {}).items()
            if prefix + name not in axes
        }
        return " ".join(filter(None, [str(facts_of.get("name")), named.param(kept)]))
    return "; ".join(_fixed(part, one, {}) for one in facts_of)


def _best_trials(page: Page, tried: pl.DataFrame, metrics: Mapping[str, Any]) -> None:
    shown = facts.ranked(tried).head(_BEST)
    values = facts.values_of(shown)
    names = [*(values[0] if values else {})]
    page.table(
        ["Trial", *names, "Sharpe", "Return", "Worst drawdown", "Entries"],
        [
            [
                count(one["number"]),
                *(named.exact(of.get(name)) for name in names),
                ratio(one["sharpe"]),
                change(one["total_return"]),
                share(one["max_drawdown"]),
                count(one["trades"]),
            ]
            for one, of in zip(shown.iter_rows(named=True), values, strict=True)
        ],
        f"The best {shown.height} of {count(tried.height)} by Sharpe ratio. They were chosen with "
        "hindsight, on these same sessions.",
    )
    best: Mapping[str, Any] = metrics.get("best") or {}
    known = shown.height and shown["sharpe"][0] is not None
    ends = facts.at_an_end(facts.values_of(tried), values[0]) if known else []
    if ends:
        page.paragraph(
            f"The best trial has the first or the last value tried of {', '.join(ends)}: what lies "
            "beyond was not tried."
        )
    if best.get("plan"):
        lines = [line for line in str(best["plan"]).splitlines() if line.strip()]
        page.table(
            [Column(f"Trial {count(best.get('number'))}", numeric=False)],
            [[line] for line in lines],
            "The plan of the best trial, as TOML",
            folded=True,
        )


def _honesty(page: Page, metrics: Mapping[str, Any]) -> None:
    page.heading("What the best Sharpe ratio is worth")
    honesty: Mapping[str, Any] | None = metrics.get("honesty")
    if not honesty:
        page.paragraph(
            "Nothing can be said: no trial has a ratio, or there are fewer than two returns."
        )
        return
    page.paragraph(f"{told(honesty)}.")
    page.table(
        ["", "Best trial"],
        named.rows(named.HONESTY, [honesty]),
        "As of the day of the search: all of its trials count, and what was tried before on these "
        "bars, but nothing that was tried later.",
    )


def _overfitting(page: Page, metrics: Mapping[str, Any]) -> None:
    page.heading("Overfitting")
    found: Mapping[str, Any] | None = metrics.get("overfitting")
    if not found:
        why = metrics.get("overfitting_problem") or "It is not stored with this search."
        page.paragraph(f"There is no probability of overfitting. {why}")
        return
    page.table(
        ["", "All trials"],
        named.rows(named.OVERFITTING, [found]),
        "By combinatorially symmetric cross-validation. Pure noise gives about one half.",
    )
    search_plots.add_logits(page, found)


def _forward(page: Page, stored: StoredSearch) -> None:
    page.heading("Walking forward")
    found: Mapping[str, Any] | None = stored.metrics.get("walk_forward")
    asked = stored.params.get("folds")
    if not found:
        page.paragraph(
            "The search was asked for no blocks to walk through."
            if asked == 0
            else "What choosing by the past alone would have brought is not known: there are too few "
            "sessions for the blocks asked for, or no trial had a ratio before any of them."
        )
        return
    folds: Sequence[Mapping[str, Any]] = found["folds"]
    names = [*dict.fromkeys(name for one in folds for name in one["values"])]
    rows = [
        [
            one["from"],
            one["to"],
            " to ".join(one["chosen_on"]),
            *(named.exact(one["values"].get(name)) for name in names),
            ratio(one["sharpe_before"]),
            ratio(one["sharpe"]),
            change(one["total_return"]),
            count(one["trades"]),
        ]
        for one in folds
    ]
    whole = [
        "All blocks",
        f"{count(found['sessions'])} sessions",
        None,
        *(None for _ in names),
        None,
        ratio(found["sharpe"]),
        change(found["total_return"]),
        count(sum(one["trades"] for one in folds)),
    ]
    columns = ["Sharpe before", "Sharpe", "Return", "Entries"]
    missing = (
        f" In {asked - len(folds)} of {asked} blocks nothing could be chosen or traded; they count as cash."
        if asked and asked > len(folds)
        else ""
    )
    page.table(
        ["Traded from", "to", "Chosen on", *names, *columns],
        [*rows, whole],
        "Each block was traded with what was best in the sessions before it, from a flat position. "
        f"Deepest fall from session end to session end: {share(found['max_drawdown'])}.{missing}",
    )


def _provenance(page: Page, stored: StoredSearch) -> None:
    page.heading("Where it comes from")
    noted = stored.created_at
    rows = {
        "Search": stored.search_id,
        "State": stored.state,
        "Snapshot of the lake": str(stored.snapshot),
        "Noted (UTC)": None if noted is None else f"{noted:%Y-%m-%d %H:%M}",
        **{
            named.spoken(name): named.param(value)
            for name, value in sorted(stored.params.items())
            if name not in _TOLD_ABOVE
        },
    }
    page.table(
        [Column("", numeric=False), Column("", numeric=False)],
        [[name, value or None] for name, value in rows.items()],
    )
    page.paragraph(
        "A search is not a promise. The best of many is chosen with hindsight, and prices that were "
        "are no prices that will be."
    )
