"""Figures of bare symbols, from the lake: what buying and doing nothing would have brought."""

from collections.abc import Sequence

import polars as pl

from lake import Lake
from lake.errors import MissingError
from lake.schema import check_symbol
from lake.sessions import Moment
from simulation_service.prepared import in_year_to
from simulation_service.symbol_statistics import SymbolStatistics, symbol_statistics


class ClosesMissingError(MissingError):
    """A symbol without two sessions in a window."""

    def __init__(self, symbol: str, sessions: int) -> None:
        super().__init__(symbol, sessions)
        self.symbol, self.sessions = symbol, sessions

    def __str__(self) -> str:
        has = "one session" if self.sessions else "no session"
        return (
            f"{self.symbol} has {has} with bars in that range, and figures need two. "
            f"Fetch more with `barlake ingest {self.symbol}`, or ask for a longer range."
        )


def statistics(
    lk: Lake,
    symbols: Sequence[str],
    *,
    index: str | None = None,
    start: Moment = None,
    end: Moment = None,
    adjust: str = "all",
    source: str | None = None,
) -> dict[str, SymbolStatistics]:
    """Return, volatility, Sharpe ratio, drawdown and beta of symbols, from close to close.

    Closes are those of the regular hours. The first session's close in the range is the value
    before everything.

    Args:
        index: Whose returns alpha and beta are against; None for none.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
        adjust: ``all`` counts dividends and spin-offs as returns, ``split`` leaves them out;
            see docs/adjustment.md.
        source: Whose bars; None for the one that ``bars`` shows of each symbol.

    Raises:
        BarsMissingError, ClosesMissingError: A symbol has no bars, or too few in the range.
        FactorMissingError: What an action was worth is not known; ``adjust="split"`` asks for less.
        CurveError: A close is not above zero.
    """
    beside = None if index is None else _closes(lk, index, start, end, adjust, None)
    found = {}
    for symbol in dict.fromkeys(check_symbol(one) for one in symbols):
        closes = _closes(lk, symbol, start, end, adjust, source)
        year = in_year_to(closes["session_date"][-1])
        found[symbol] = symbol_statistics(closes, year, index=beside)
    return found


def _closes(
    lk: Lake, symbol: str, start: Moment, end: Moment, adjust: str, source: str | None
) -> pl.DataFrame:
    bars = lk.bars(
        symbol,
        start,
        end,
        timeframe="1d",
        adjust=adjust,
        source=source,
        columns=["timestamp", "session_date", "close"],
        regular_only=True,
    )
    if bars.height < 2:  # noqa: PLR2004 - a return lies between two
        raise ClosesMissingError(check_symbol(symbol), bars.height)
    return bars
