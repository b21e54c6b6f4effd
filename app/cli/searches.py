"""``barlake search`` and ``barlake searches``: parameters of a strategy, every trial in the ledger."""

from typing import Annotated, Any

import typer

from app.cli.doors import check_past, opened_lake
from app.cli.models import parsed
from app.cli.options import AsJson, End, Start, Window
from app.cli.output import remark, say, show_json, show_table, text
from app.cli.progress import shown_progress
from app.cli.reports import Html, Png, check_report, write_report
from app.cli.simulations import (
    Cash,
    Costs,
    Parameters,
    Participation,
    PlanFile,
    Sources,
    Strategy,
    strategy_asked,
    terms_asked,
)
from app.cli.teaching import add, add_listing
from feature_service.door import values
from lake.errors import MissingError

_LEDGER = ("search", "strategy", "symbol", "method", "tried", "from", "to", "best Sharpe", "state")
_FOLDS = ("from", "to", "values", "Sharpe before", "Sharpe", "return", "trades")
_TOP = 5


class NoBestError(MissingError):
    """A search without a best trial."""

    def __init__(self, search_id: str) -> None:
        super().__init__(search_id)
        self.search_id = search_id

    def __str__(self) -> str:
        return (
            f"No trial of search {self.search_id} has a Sharpe ratio, so it has no best plan. "
            f"`barlake searches show {self.search_id}` says why."
        )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, search)
    group = add_listing(app, "searches", searches)
    add(group, searches, "list")
    add(group, show)


def search(
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL...", help="Whose bars; several share one purse.")
    ],
    *,
    strategy: Strategy = None,
    axes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUES",
            help="What is searched: fast=5:50:5, slow=50,100,200, sizing.most=0.5,1, costs.slippage_bps=1,5.",
        ),
    ] = None,
    parameters: Parameters = None,
    plan: PlanFile = None,
    method: Annotated[str, typer.Option(help="grid, random or optuna.")] = "grid",
    trials: Annotated[int, typer.Option(help="How many, of the last two.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed makes the same trials.")] = 0,
    folds: Annotated[
        int, typer.Option(help="Blocks of sessions traded by what was best before; 0: none.")
    ] = 4,
    window: Annotated[
        Window, typer.Option(help="The past that chooses for such a block.")
    ] = Window.EXPANDING,
    start: Start = None,
    end: End = None,
    cash: Cash = 100_000.0,
    costs: Costs = None,
    participation: Participation = None,
    sources: Sources = None,
    processes: Annotated[int, typer.Option(min=1, help="Over which the trials are spread.")] = 2,
    html: Html = None,
    png: Png = None,
    as_json: AsJson = False,
) -> None:
    """Search the parameters of a strategy, in the realistic mode.

    Every trial enters the ledger and counts from then on. What matters is not the best figure but
    what stands beside it: its deflated Sharpe ratio, the probability that choosing it was
    overfitting, and what choosing by the past alone would have brought.

    Examples:
        barlake search SPY --strategy sma_cross --set fast=5:50:5 --set slow=20:200:20
        barlake search SPY --strategy rsi_reversion --set length --method optuna --trials 200
        barlake search SPY QQQ --plan plan.toml --set sizing.most=0.2,0.5,1 --html search.html
    """
    from simulation_service.asking import check_search, run_search

    check_past(start)
    check_report(html, png)
    asked = {
        "axes": axes or [],
        "method": method,
        "trials": trials,
        "seed": seed,
        "folds": folds,
        "window": window,
        **strategy_asked(strategy, parameters, plan),
        **terms_asked(None, start, end, cash, values(costs, "--cost"), participation, sources),
        "symbols": symbols,
    }
    with opened_lake() as lake:
        check_search(lake, asked)
        with shown_progress() as tell:
            found = run_search(lake, asked, processes=processes, progress=tell)
        _finish(lake, found.stored.search_id, html, png, as_json=as_json)


def searches(*, as_json: AsJson = False) -> None:
    """List every search ever run, newest first.

    Examples:
        barlake searches
        barlake searches list --json
    """
    from lake.searches import searches as ledger

    with opened_lake() as lake:
        found = parsed(ledger(lake))
    if as_json:
        show_json(found)
    elif not found:
        say("No search yet. `barlake search SYMBOL --strategy NAME --set PARAMETER` runs one.")
    else:
        show_table(_LEDGER, [_ledger_row(one) for one in found])


def show(
    search_id: Annotated[str, typer.Argument(metavar="SEARCH", help="Its id.")],
    *,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the best plan as TOML, and nothing else.")
    ] = False,
    html: Html = None,
    png: Png = None,
    as_json: AsJson = False,
) -> None:
    """Show a search: its best trials and what they are worth; or write its report.

    Examples:
        barlake searches show 5d0c7e91ab34
        barlake searches show 5d0c7e91ab34 --plan > best.toml
    """
    from lake.searches import search as stored_search

    check_report(html, png)
    with opened_lake() as lake:
        if plan:
            best = stored_search(lake, search_id).metrics.get("best")
            if not best:
                raise NoBestError(search_id)
            say(best["plan"].rstrip())
            return
        _finish(lake, search_id, html, png, as_json=as_json)


def _finish(lake: Any, search_id: str, html: Any, png: Any, *, as_json: bool) -> None:
    from lake.searches import search as stored_search
    from lake.searches import search_trials
    from simulation_service.search_report import report

    stored, tried = stored_search(lake, search_id), search_trials(lake, search_id)
    write_report(lambda: report(stored, tried), html, png)
    if as_json:
        show_json(dict(vars(stored)) | {"trials": tried.to_dicts()})
    elif stored.state == "failed":
        say(f"{search_id} failed: {stored.error}")
    else:
        _show(stored, tried)


def _show(stored: Any, tried: Any) -> None:
    from simulation_service.honesty.verdict import told

    metrics = stored.metrics
    columns = ["trial", "Sharpe", "return", "drawdown", "trades", "values"]
    top = tried.sort("sharpe", descending=True, nulls_last=True, maintain_order=True).head(_TOP)
    rows = [
        [
            one["number"],
            None if one["sharpe"] is None else round(one["sharpe"], 2),
            _percent(one["total_return"]),
            _percent(one["max_drawdown"]),
            one["trades"],
            one["params"],
        ]
        for one in top.to_dicts()
    ]
    span = f"{text(stored.start)} to {text(stored.end)}"
    head = f"{stored.search_id}: {stored.strategy} on {stored.symbol} from {span}, {metrics['tried']:,} trials"
    show_table(columns, rows, title=head)
    if metrics["honesty"]:
        say(f"The best: {told(metrics['honesty'])}.")
    if metrics["overfitting"]:
        chance = metrics["overfitting"]["probability"]
        say(f"Choosing the best of these was overfitting with a probability of {chance:.0%}.")
    else:
        say(f"No probability of overfitting: {metrics['overfitting_problem']}")
    if forward := metrics["walk_forward"]:
        rows = [
            [
                one["from"],
                one["to"],
                ", ".join(f"{name} {value}" for name, value in one["values"].items()),
                round(one["sharpe_before"], 2),
                None if one["sharpe"] is None else round(one["sharpe"], 2),
                _percent(one["total_return"]),
                one["trades"],
            ]
            for one in forward["folds"]
        ]
        ratio = "-" if forward["sharpe"] is None else f"{forward['sharpe']:.2f}"
        title = f"Chosen by the past alone: Sharpe {ratio}, return {forward['total_return']:+.2%}"
        show_table(_FOLDS, rows, title=title)
    for warning in metrics["warnings"]:
        remark(f"Note: {warning}")
    say(f"\n`barlake searches show {stored.search_id} --plan > best.toml` keeps the best plan.")


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:+.2%}"


def _ledger_row(one: dict[str, Any]) -> list[object]:
    best = one["metrics"].get("best")
    return [
        one["search_id"],
        one["strategy"],
        one["symbol"],
        one["params"].get("method"),
        one["metrics"].get("tried"),
        str(one["start"])[:10],
        str(one["end"])[:10],
        None if not best else round(best["sharpe"], 2),
        one["state"] if one["state"] == "done" else one["error"],
    ]
