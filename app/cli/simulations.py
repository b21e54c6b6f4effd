"""``barlake simulate`` and ``barlake simulations``: models and strategies against buy and hold."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import check_past, opened_lake
from app.cli.models import parsed
from app.cli.options import AsJson, End, Pairs, Start, Window, listed
from app.cli.output import made_folder, remark, replacing, say, show_json, show_table, text
from app.cli.progress import shown_progress
from app.cli.reports import Html, Png, check_report, write_report
from app.cli.teaching import add, add_listing
from feature_service.door import pairs, values

if TYPE_CHECKING:
    from lake import Lake

_FIGURES = ("return", "Sharpe", "drawdown", "trades", "won", "exposure", "costs (USD)")
_COLUMNS = ("simulation", "mode", "who", *_FIGURES)
_LEDGER = ("simulation", "strategy", "symbol", "mode", "from", "to", "state", *_FIGURES[:4])
_LONGEST = 48  # of a strategy's name in a table

Costs = Annotated[
    Pairs,
    typer.Option(
        "--cost",
        metavar="NAME=VALUE",
        help="Of the realistic mode, like slippage_bps=2, spread_bps=1, fee_per_order=1, regulatory=1.",
    ),
]
Participation = Annotated[
    float | None,
    typer.Option(help="Share of a bar's volume that one order may take; 0: no cap."),
]
Symbols = Annotated[
    str | None,
    typer.Option("--symbols", metavar="A,B", help="Whose bars; several share one purse."),
]
Sources = Annotated[
    Pairs, typer.Option("--source", metavar="SYMBOL=NAME", help="Where its bars come from.")
]
Cash = Annotated[float, typer.Option(help="USD at the beginning.")]
Strategy = Annotated[
    str | None,
    typer.Option(help="A rule instead of a model: docs/strategies.md has them, like sma_cross."),
]
Parameters = Annotated[
    Pairs, typer.Option("--param", metavar="NAME=VALUE", help="Of the strategy, like fast=10.")
]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="A plan in TOML: strategy, sizing, risk, orders."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, simulate)
    group = add_listing(app, "simulations", simulations)
    add(group, simulations, "list")
    add(group, show)
    add(group, export)


def simulate(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A model's id; the newest without one."),
    ] = None,
    *,
    strategy: Strategy = None,
    parameters: Parameters = None,
    plan: PlanFile = None,
    symbols: Symbols = None,
    retrain: Annotated[
        int | None,
        typer.Option(
            min=1, help="Train the model's recipe anew every so many sessions, on the past."
        ),
    ] = None,
    window: Annotated[
        Window | None, typer.Option(help="The past of each such training (expanding).")
    ] = None,
    mode: Annotated[str, typer.Option(help="as_specified, realistic or both.")] = "both",
    start: Start = None,
    end: End = None,
    cash: Cash = 100_000.0,
    costs: Costs = None,
    slippage_bps: Annotated[
        float | None, typer.Option(help="Slippage of the realistic mode in basis points.")
    ] = None,
    fee_per_share: Annotated[float | None, typer.Option(help="Its fee in USD per share.")] = None,
    fee_percent: Annotated[float | None, typer.Option(help="Its fee in percent.")] = None,
    participation: Participation = None,
    sources: Sources = None,
    html: Html = None,
    png: Png = None,
    as_json: AsJson = False,
) -> None:
    """Trade a model or a strategy against buy and hold.

    A model trades the bars after its training. as_specified fills at the same bar's close, all in,
    without costs: it flatters. realistic fills at the next bar's open and pays. Every run enters the
    ledger of trials.

    Examples:
        barlake simulate
        barlake simulate --mode realistic --slippage-bps 2 --cash 25000
        barlake simulate --retrain 20 --html walk.html
        barlake simulate --strategy sma_cross --param fast=10 --param slow=60 --symbols SPY
        barlake simulate --plan plan.toml --symbols SPY,QQQ --cost spread_bps=2 --participation 0.1
    """
    from simulation_service.asking import check_simulation, run_simulation

    check_past(start)
    check_report(html, png)
    given = {
        "slippage_bps": slippage_bps,
        "fee_per_share": fee_per_share,
        "fee_percent": fee_percent,
    }
    asked = {
        "model_id": model,
        "retrain": retrain,
        "window": window,
        "mode": mode,
        **strategy_asked(strategy, parameters, plan),
        **terms_asked(
            symbols, start, end, cash, {**given, **values(costs, "--cost")}, participation, sources
        ),
    }
    with opened_lake() as lake:
        check_simulation(lake, asked)  # a slip of the pen is no trial: the ledger is told nothing
        with shown_progress() as tell:
            results = run_simulation(lake, asked, tell)
        found = [_plain(one.stored) | {"trials": one.trials} for one in results]
        _write(lake, [one.simulation_id for one in results], html, png)
    if as_json:
        show_json(found)
    else:
        _show(found)


def simulations(*, as_json: AsJson = False) -> None:
    """List every simulation ever run, newest first.

    Runs that failed are in it too, with the reason. The more was tried, the less the best says.

    Examples:
        barlake simulations
        barlake simulations list --json
    """
    from lake.simulations import simulations as ledger

    with opened_lake() as lake:
        found = parsed(ledger(lake))
    if as_json:
        show_json(found)
    elif not found:
        say("No simulation yet. `barlake simulate` runs one.")
    else:
        show_table(_LEDGER, [_ledger_row(one) for one in found])


def show(
    simulations: Annotated[
        list[str],
        typer.Argument(metavar="SIMULATION...", help="Ids; two modes stand side by side."),
    ],
    *,
    html: Html = None,
    png: Png = None,
    as_json: AsJson = False,
) -> None:
    """Show a simulation, or write its tear sheet.

    Examples:
        barlake simulations show 8c1d20aa57f3
        barlake simulations show 8c1d20aa57f3 77ab019cfe21 --html sheet.html --png sheet.png
    """
    from lake.simulations import simulation, trials

    check_report(html, png)
    with opened_lake() as lake:
        stored = [simulation(lake, one) for one in simulations]
        found = [
            _plain(one) | {"trials": trials(lake, one.symbol, one.start, one.end).count}
            for one in stored
        ]
        _write(lake, simulations, html, png)
    if as_json:
        show_json(found)
        return
    done = [one for one in found if one["state"] == "done"]
    if done:
        _show(done)
    for one in found:
        if one["state"] != "done":
            say(f"{one['simulation_id']} failed: {one['error']}")


def export(
    simulation: Annotated[str, typer.Argument(metavar="SIMULATION", help="Its id.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")],
) -> None:
    """Export a simulation: equity.csv, orders.csv and facts.json.

    The curve has a row a session, beside buy and hold. The facts are the settings, the hashes and
    every figure of the tear sheet. Amounts are in USD, times in UTC.

    Examples:
        barlake simulations export 8c1d20aa57f3 ./run
    """
    import orjson

    from app.cli.output import csv_text
    from lake.simulations import equity, orders
    from lake.simulations import simulation as stored_simulation

    with opened_lake() as lake:
        stored = stored_simulation(lake, simulation)
        tables = {"equity": equity(lake, simulation), "orders": orders(lake, simulation)}
    made_folder(folder)
    for name, frame in tables.items():
        with replacing(folder / f"{name}.csv") as part:
            part.write_text(csv_text(frame), encoding="utf-8")
    with replacing(folder / "facts.json") as part:
        part.write_bytes(orjson.dumps(_plain(stored), default=str, option=orjson.OPT_INDENT_2))
    say(f"{simulation} is in {folder}: {', '.join(f'{name}.csv' for name in tables)}, facts.json.")


def strategy_asked(
    strategy: str | None, parameters: list[str] | None, plan: Path | None
) -> dict[str, Any]:
    """The strategy or the plan, as the simulation service takes it."""
    from simulation_service.prepared import SimulationError

    told: dict[str, Any] = {"strategy": strategy}
    if found := values(parameters, "--param"):
        told["parameters"] = found
    if plan is not None:
        try:
            told["plan"] = plan.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            problem = f"The plan {plan} cannot be read: {reason}."
            raise SimulationError(problem) from error
    return told


def terms_asked(
    symbols: str | None,
    start: str | None,
    end: str | None,
    cash: float,
    costs: Mapping[str, Any],
    participation: float | None,
    sources: list[str] | None,
) -> dict[str, Any]:
    """Symbols, range, cash and costs, as the simulation service takes them."""
    given = {name: value for name, value in costs.items() if value is not None}
    return {
        "symbols": listed(symbols) or None,
        "start": start,
        "end": end,
        "cash": cash,
        "costs": given or None,
        "participation": participation,
        "sources": pairs(sources, "--source", upper=True) or None,
    }


def _write(lake: "Lake", ids: list[str], html: Path | None, png: Path | None) -> None:
    from simulation_service.tear_sheet import tear_sheet

    write_report(lambda: tear_sheet(lake, ids), html, png)


def _plain(stored: Any) -> dict[str, Any]:
    return dict(vars(stored))


def _show(found: list[dict[str, Any]]) -> None:
    from simulation_service.honesty.verdict import told

    rows = []
    for one in found:
        for who, key in ((one["strategy"], "strategy"), ("buy and hold", "benchmark")):
            figures = _figures(one["metrics"][key])
            rows.append([one["simulation_id"], one["mode"], who, *figures])
    first = found[0]
    span = f"{text(first['start'])} to {text(first['end'])}"
    show_table(
        _COLUMNS, rows, title=f"{first['symbol']} from {span}, strategies tried: {first['trials']}"
    )
    for one in found:
        if honesty := one["metrics"].get("honesty"):
            say(f"{one['mode']}: {told(honesty)}.")
        if shaken := one["metrics"].get("sensitivity"):
            say(f"{one['mode']}: {_shaken(shaken)}.")
    for warning in dict.fromkeys(_warnings(found)):
        remark(f"Note: {warning}")
    say("\nThe more strategies were tried on these bars, the less the best of them says.")


def _shaken(found: Mapping[str, Any]) -> str:
    delay, dear = (found[name]["total_return"] for name in ("delay", "doubled_costs"))
    return f"one bar later it returns {delay:+.2%}, at doubled costs {dear:+.2%}"


def _warnings(found: list[dict[str, Any]]) -> Iterable[str]:
    return (warning for one in found for warning in one["metrics"]["warnings"])


def _figures(one: Mapping[str, Any]) -> list[object]:
    won = one["win_rate"]
    return [
        f"{one['total_return']:+.2%}",
        None if one["sharpe"] is None else round(one["sharpe"], 2),
        f"{one['max_drawdown']:.2%}",
        one["trades"],
        None if won is None else f"{won:.0%}",
        f"{one['exposure']:.0%}",
        round(one["costs"], 2),
    ]


def _ledger_row(one: dict[str, Any]) -> list[object]:
    figures = one["metrics"].get("strategy")
    told = _figures(figures)[:4] if figures else [None, None, None, one["error"]]
    span = [str(one["start"])[:10], str(one["end"])[:10]]
    name = one["strategy"]
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return [one["simulation_id"], short, one["symbol"], one["mode"], *span, one["state"], *told]
