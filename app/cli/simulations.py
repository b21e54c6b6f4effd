"""``barlake simulate`` and ``barlake simulations``: trading a model on bars it has not seen."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import opened_lake
from app.cli.models import parsed
from app.cli.options import AsJson, End, Start
from app.cli.output import remark, say, show_json, show_table, text
from app.cli.teaching import add

if TYPE_CHECKING:
    from lake import Lake

_FIGURES = ("return", "Sharpe", "drawdown", "trades", "won", "exposure", "costs (USD)")
_COLUMNS = ("simulation", "mode", "who", *_FIGURES)
_LEDGER = ("simulation", "model", "symbol", "mode", "from", "to", "state", *_FIGURES[:4])


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, simulate)
    add(app, simulations)


def simulate(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="A model's id; the newest without one.")
    ] = None,
    *,
    mode: Annotated[str, typer.Option(help="as_specified, realistic or both.")] = "both",
    start: Start = None,
    end: End = None,
    cash: Annotated[float, typer.Option(help="USD at the beginning.")] = 100_000.0,
    slippage_bps: Annotated[
        float | None, typer.Option(help="Slippage of the realistic mode in basis points.")
    ] = None,
    fee_per_share: Annotated[float | None, typer.Option(help="Its fee in USD per share.")] = None,
    fee_percent: Annotated[float | None, typer.Option(help="Its fee in percent.")] = None,
    as_json: AsJson = False,
) -> None:
    """Trade a model against buy and hold, on the bars after its training.

    as_specified fills at the same bar's close, all in, without costs: it flatters. realistic fills
    at the next bar's open and pays. Every run enters the ledger of trials.

    Examples:
        barlake simulate
        barlake simulate --mode realistic --slippage-bps 2 --cash 25000
    """
    from dataclasses import replace

    from simulation_service.simulation import simulate as run
    from strategy_service.costs import Costs

    given: dict[str, Any] = {
        "slippage_bps": slippage_bps,
        "fee_per_share": fee_per_share,
        "fee_percent": fee_percent,
    }
    costs = replace(Costs(), **{name: value for name, value in given.items() if value is not None})
    with opened_lake() as lake:
        results = run(
            lake, model or _newest(lake), mode, start=start, end=end, cash=cash, costs=costs
        )
        found = [_plain(one.stored) | {"trials": one.trials} for one in results]
    if as_json:
        show_json(found)
    else:
        _show(found)


def simulations(*, as_json: AsJson = False) -> None:
    """List every simulation ever run, newest first.

    Runs that failed are in it too, with the reason. The more was tried, the less the best says.

    Examples:
        barlake simulations
        barlake simulations --json
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


def _newest(lake: "Lake") -> str:
    from lake.models import models
    from simulation_service.main import NoModelError

    found = models(lake)
    if found.is_empty():
        raise NoModelError
    return str(found["model_id"][0])


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
    for warning in dict.fromkeys(_warnings(found)):
        remark(f"Note: {warning}")
    say("\nThe more strategies were tried on these bars, the less the best of them says.")


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
    names = ("simulation_id", "model_id", "symbol", "mode")
    return [*(one[name] for name in names), *span, one["state"], *told]
