"""The bars a simulation trades on, and the two ways an order is filled."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.errors import InvalidError
from lake.features import content_hash
from strategy_service.costs import FREE, Costs, CostsError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

COLUMNS = ("timestamp", "session_date", "open", "high", "low", "close", "volume")
_PRICES = ("open", "high", "low", "close")


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
class Event:
    """A split or a dividend, at the first bar of the session from which it counts.

    Attributes:
        row: Of that bar.
        value: New shares per old one, or USD per share held over the night.
    """

    row: int
    value: float


@dataclass(frozen=True)
class Market:
    """Bars of one symbol in the order of time.

    Prices are raw, as they were paid, and shares are those of the day where splits are given;
    without any, prices may be in today's shares.

    Attributes:
        bars: ``COLUMNS``: regular hours.
        volume: Shares traded in each bar.
        session: Days since 1970 of each bar's session.
        halted: Bars in which trading was halted: nothing is filled there.
        splits: In the order of time.
        dividends: In the order of time.
    """

    symbol: str
    bars: pl.DataFrame
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    session: Integers
    halted: Flags
    splits: tuple[Event, ...] = ()
    dividends: tuple[Event, ...] = ()

    @classmethod
    def of(
        cls,
        symbol: str,
        bars: pl.DataFrame,
        *,
        splits: pl.DataFrame | None = None,
        dividends: pl.DataFrame | None = None,
        halted: Sequence[bool] | Flags | None = None,
    ) -> "Market":
        """A market of bars.

        Args:
            splits: ``ex_date`` and ``ratio`` (new shares per old one); None for none.
            dividends: ``ex_date`` and ``amount`` (USD per share before a split of the same day).
            halted: A flag a bar; None for none.

        Raises:
            PricesError: A price is not finite and above zero.
        """
        frame = bars.select(COLUMNS).rechunk()
        prices = pl.col(_PRICES)
        odd = frame.filter(
            ~pl.all_horizontal(prices.is_finite() & (prices > 0)).fill_null(value=False)
        )
        if odd.height:
            raise PricesError(symbol, odd["timestamp"][0].isoformat())
        session = frame["session_date"].to_physical().cast(pl.Int64).to_numpy()
        columns = {
            name: frame[name].cast(pl.Float64).fill_null(0.0).to_numpy()
            for name in (*_PRICES, "volume")
        }
        none = np.zeros(frame.height, dtype=np.bool_)
        return cls(
            symbol=symbol,
            bars=frame,
            **columns,
            session=session,
            halted=none if halted is None else np.array(halted, dtype=np.bool_),
            splits=_events(splits, "ratio", session),
            dividends=_events(dividends, "amount", session),
        )

    def adjusted(self, prices: Floats) -> Floats:
        """Prices of its bars in the shares of the last one, so that they compare across splits."""
        found = prices.copy()
        for one in self.splits:
            found[: one.row] /= one.value
        return found

    def between(self, first: date, last: date) -> "Market":
        """The bars of some sessions, both included; what happened before the first is not held."""
        days = self.bars["session_date"]
        begin, end = days.search_sorted(first, "left"), days.search_sorted(last, "right")
        rows = slice(int(begin), int(end))
        taken = {
            name: getattr(self, name)[rows] for name in (*_PRICES, "volume", "session", "halted")
        }
        return replace(
            self,
            bars=self.bars[rows],
            **taken,
            splits=_within(self.splits, rows),
            dividends=_within(self.dividends, rows),
        )

    @property
    def content_hash(self) -> str:
        """The hash of every bar, halt, split and dividend."""
        if not (self.halted.any() or self.splits or self.dividends):
            return content_hash(self.bars)
        extra = {
            name: _column(events, self.bars.height)
            for name, events in (("split", self.splits), ("dividend", self.dividends))
        }
        return content_hash(self.bars.with_columns(**extra, halted=pl.Series(self.halted)))


def _events(told: pl.DataFrame | None, name: str, session: Integers) -> tuple[Event, ...]:
    """At the first bar from the ex date on; none at the first bar of all, when nothing was held."""
    if told is None:
        return ()
    known = told.select("ex_date", name).drop_nulls().sort("ex_date")
    days = known["ex_date"].to_physical().cast(pl.Int64).to_numpy()
    rows = np.searchsorted(session, days, side="left")
    return tuple(
        Event(int(row), float(value))
        for row, value in zip(rows, known[name], strict=True)
        if 0 < row < len(session)
    )


def _within(events: tuple[Event, ...], rows: slice) -> tuple[Event, ...]:
    found = (Event(one.row - rows.start, one.value) for one in events)
    return tuple(one for one in found if 0 < one.row < rows.stop - rows.start)


def _column(events: tuple[Event, ...], height: int) -> pl.Series:
    found = np.zeros(height)
    for one in events:
        found[one.row] = (
            found[one.row] * 1e3 + one.value
        )  # two on a day are another market than one
    return pl.Series(found)


@dataclass(frozen=True)
class Mode:
    """How orders are filled.

    Attributes:
        fill: ``close``: at the close of the bar that decided, as the first specification has it;
            nobody can trade like that. ``next_open``: at the open of the next bar of the same
            session, however many minutes later that is (a minute without a trade has no bar).
            A decision at the last bar of a session lapses: nothing is carried through the night.
        participation: Share of a bar's volume that one order may take; its rest waits for the next
            bars of the session. 0 for no cap.

    Raises:
        CostsError: The participation is below 0 or not a number.
    """

    name: str
    fill: Literal["close", "next_open"]
    costs: Costs
    participation: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.participation) and self.participation >= 0):
            raise CostsError("participation", self.participation)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "mode": self.name,
            "fill": self.fill,
            "participation": self.participation,
            **self.costs.facts,
        }


def as_specified() -> Mode:
    """The same bar's close, all in, no costs: flattering, shown for comparison."""
    return Mode("as_specified", "close", FREE)


def realistic(costs: Costs | None = None, *, participation: float = 0.0) -> Mode:
    """The next bar's open, with slippage and fees."""
    return Mode("realistic", "next_open", costs or Costs(), participation)
