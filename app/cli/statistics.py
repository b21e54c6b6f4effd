"""``barlake statistics``: what bare symbols did."""

from typing import Annotated

import typer

from app.cli.doors import check_past, opened_lake
from app.cli.options import AsJson, End, Source, Start, Symbols
from app.cli.output import show_json, show_table
from app.cli.teaching import add

_COLUMNS = (
    "symbol", "from", "to", "sessions", "return", "a year", "volatility", "Sharpe", "Sortino",
    "drawdown", "low", "made good", "beta", "alpha", "correlation",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, statistics)


def statistics(
    symbols: Symbols,
    *,
    index: Annotated[
        str | None, typer.Option(metavar="SYMBOL", help="Against which alpha and beta are told.")
    ] = None,
    start: Start = None,
    end: End = None,
    adjust: Annotated[
        str, typer.Option(help="all counts dividends as returns, split leaves them out.")
    ] = "all",
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Show return, volatility, Sharpe ratio, drawdown and beta of symbols, from close to close.

    The first session's close in the range is the value before everything; docs/metrics.md has the
    formulas.

    Examples:
        barlake statistics SPY QQQ
        barlake statistics AAPL --index SPY --start 2024-01-02 --end 2024-06-28 --json
    """
    from simulation_service.statistics import statistics as told

    check_past(start)
    with opened_lake() as lake:
        found = told(lake, symbols, index=index, start=start, end=end, adjust=adjust, source=source)
    if as_json:
        show_json([{"symbol": name, **one.facts} for name, one in found.items()])
        return
    rows = [
        [
            name,
            one.start,
            one.end,
            one.sessions,
            _percent(one.total_return),
            _percent(one.annual_return),
            _percent(one.volatility),
            _ratio(one.sharpe),
            _ratio(one.sortino),
            _percent(one.max_drawdown),
            one.drawdown_trough,
            one.drawdown_recovery,
            _ratio(one.beta),
            _percent(one.alpha),
            _ratio(one.correlation),
        ]
        for name, one in found.items()
    ]
    show_table(_COLUMNS, rows)


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:+.2%}"


def _ratio(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
