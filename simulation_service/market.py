"""The bars a simulation trades on, and the two ways an order is filled."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.errors import InvalidError
from lake.features import content_hash
from strategy_service.costs import FREE, Costs

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

COLUMNS = ("timestamp", "session_date", "open", "close")


class PricesError(InvalidError):
    """Prices nobody can trade at."""

    def __init__(self, symbol: str, when: str) -> None:
        super().__init__(symbol, when)
        self.symbol, self.when = symbol, when

    def __str__(self) -> str:
        return (
            f"{self.symbol} has a price at {self.when} that is not above zero. "
            "Look at its corporate actions, or simulate another range."
        )


@dataclass(frozen=True)
class Market:
    """Bars of one symbol in the order of time.

    Attributes:
        bars: ``COLUMNS``: regular hours, prices in today's shares.
        session: A number for each bar that changes with the session.
    """

    symbol: str
    bars: pl.DataFrame
    open: Floats
    close: Floats
    session: Integers

    @classmethod
    def of(cls, symbol: str, bars: pl.DataFrame) -> "Market":
        """A market of bars.

        Raises:
            PricesError: A price is not finite and above zero.
        """
        frame = bars.select(COLUMNS)
        prices = pl.col("open", "close")
        odd = frame.filter(
            ~pl.all_horizontal(prices.is_finite() & (prices > 0)).fill_null(value=False)
        )
        if odd.height:
            raise PricesError(symbol, odd["timestamp"][0].isoformat())
        return cls(
            symbol=symbol,
            bars=frame,
            open=frame["open"].to_numpy(),
            close=frame["close"].to_numpy(),
            session=frame["session_date"].to_physical().cast(pl.Int64).to_numpy(),
        )

    @property
    def content_hash(self) -> str:
        """The hash of every bar."""
        return content_hash(self.bars)


@dataclass(frozen=True)
class Mode:
    """How orders are filled.

    Attributes:
        fill: ``close``: at the close of the bar that decided, as the first specification has it;
            nobody can trade like that. ``next_open``: at the open of the next bar of the same
            session, however many minutes later that is (a minute without a trade has no bar).
            A decision at the last bar of a session lapses: nothing is carried through the night.
    """

    name: str
    fill: Literal["close", "next_open"]
    costs: Costs

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "mode": self.name,
            "fill": self.fill,
            "slippage_bps": self.costs.slippage_bps,
            "fee_per_share": self.costs.fee_per_share,
            "fee_percent": self.costs.fee_percent,
        }


def as_specified() -> Mode:
    """The same bar's close, all in, no costs: flattering, shown for comparison."""
    return Mode("as_specified", "close", FREE)


def realistic(costs: Costs | None = None) -> Mode:
    """The next bar's open, with slippage and fees."""
    return Mode("realistic", "next_open", costs or Costs())
