"""A market as it was: raw bars of regular hours, splits, dividends and halts, from the lake."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from lake import Lake
from lake.actions import known_actions
from lake.adjustment import DIVIDENDS, SPIN_OFFS
from lake.errors import MissingError
from lake.halts import halts_of
from lake.sessions import Moment
from simulation_service.market import COLUMNS, Flags, Market

_MINUTE = timedelta(minutes=1)


class MarketMissingError(MissingError):
    """Nothing to trade on."""

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.symbol = symbol

    def __str__(self) -> str:
        return f"{self.symbol} has no bars of regular hours in that range, so nothing can be simulated."


@dataclass(frozen=True)
class Loaded:
    """A market, and what makes it worth less than it looks, in sentences."""

    market: Market
    warnings: tuple[str, ...] = ()


def load_market(
    lk: Lake, symbol: str, source: str | None = None, start: Moment = None, end: Moment = None
) -> Loaded:
    """The market of a symbol.

    Dividends in USD and what spin-offs handed out (at the close of its ex day) are credited to who
    held over the night; splits and stock dividends change the shares.

    Args:
        source: Whose bars; None for the one that the lake shows.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.

    Raises:
        MarketMissingError: There is no bar of regular hours in the range.
        PricesError: A price is not finite and above zero.
    """
    chosen = source or lk.source_of(symbol)
    bars = lk.bars(symbol, start, end, source=chosen, columns=COLUMNS, regular_only=True)
    if bars.is_empty():
        raise MarketMissingError(symbol)
    with lk.reading() as connection:
        known = known_actions(connection, chosen, [symbol], adjust="all")
    first, last = bars["session_date"][0], bars["session_date"][-1]
    known = known.filter(pl.col("ex_date").is_between(first, last, closed="right"))
    paid = known.filter(pl.col("kind").is_in([*DIVIDENDS, *SPIN_OFFS]))
    market = Market.of(
        symbol,
        bars,
        splits=known.filter(pl.col("ratio") > 0),
        dividends=paid.filter(pl.col("amount") > 0),
        halted=halted_bars(bars["timestamp"], halts_of(lk, chosen, [symbol])[symbol]),
    )
    unknown = paid.filter(pl.col("amount").is_null())
    return Loaded(
        market,
        tuple(
            f"{symbol}: what the {kind.replace('_', ' ')} of {day} was worth is not known in USD, so it "
            "is not credited."
            for kind, day in unknown.select("kind", "ex_date").iter_rows()
        ),
    )


def halted_bars(timestamps: pl.Series, halts: Sequence[tuple[datetime, datetime | None]]) -> Flags:
    """Bars whose minute has a moment of a halt.

    Args:
        timestamps: Opening of each bar (UTC), sorted.
        halts: Start, and the first moment of trading again; None while it lasts.
    """
    found = np.zeros(len(timestamps), dtype=np.bool_)
    for start, end in halts:
        # The first minute that is not over at the start, and the first one that begins after the end.
        first = timestamps.search_sorted(start - _MINUTE, side="right")
        behind = len(timestamps) if end is None else timestamps.search_sorted(end, side="left")
        found[first:behind] = True
    return found
