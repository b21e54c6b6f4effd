"""Round trips: what was bought (or sold short) and given back, a row each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from simulation_service.returns import CurveError
from simulation_service.run import Floats, Integers, Run

#: A row is a position from its first share to its last, or to the end of the run. ``quantity`` are
#: the shares that were bought to enter it, or sold, which are below 0. ``bars`` were held at their
#: close. ``paid`` left and ``received`` came, USD with fees and slippage, dividends and borrow fees,
#: so that ``received - paid`` is the profit of either direction; of an
#: open one, what it is worth at the last close counts as received (or as paid, if short). ``costs``
#: are the fees and the slippage therein. Times are UTC and null where nobody gave them; those of
#: the exit are null too while the position is open.
ROUND_TRIPS = pl.Schema(
    {
        "symbol": pl.String(),
        "strategy": pl.String(),
        "quantity": pl.Float64(),
        "entry_time": pl.Datetime("us", "UTC"),
        "exit_time": pl.Datetime("us", "UTC"),
        "bars": pl.Int64(),
        "paid": pl.Float64(),
        "received": pl.Float64(),
        "costs": pl.Float64(),
        "open": pl.Boolean(),
    }
)


def round_trips(
    run: Run,
    *,
    symbol: str | None = None,
    strategy: str = "",
    timestamps: pl.Series | None = None,
) -> pl.DataFrame:
    """The round trips of a run, symbol after symbol, oldest first.

    Args:
        symbol: Name of the only one; None for the run's own names.
        timestamps: Opening of each bar (UTC); None for those of the run, which leaves the times null
            where it has none.

    Returns:
        ``ROUND_TRIPS``; the profits add up to the final equity less the cash at the beginning.
    """
    stamps = run.timestamps if timestamps is None else timestamps
    names = run.symbols if symbol is None else (symbol,)
    if len(names) == 1:
        return _trips(run, 0, names[0], strategy, stamps)
    return pl.concat(
        [_trips(run, place, name, strategy, stamps) for place, name in enumerate(names)]
    )


def closed_rows(run: Run, place: int = 0) -> tuple[Integers, Integers, Integers]:
    """The rows of the entry and of the exit of each closed round trip of a symbol, and its side.

    The side is 1 for a long one and -1 for a short one. Those within one bar are left out: they
    hold nothing at any close.
    """
    parts = _parts(run, place)
    entries, exits = parts.entered[: parts.closed], parts.left[: parts.closed]
    firsts = np.searchsorted(parts.trip, np.arange(parts.closed))
    sides = run.orders.sides[parts.rows[firsts]]
    later = exits > entries
    return entries[later], exits[later], sides[later]


@dataclass(frozen=True)
class _Parts:
    """The orders of one symbol by their round trip.

    Attributes:
        rows: Places of the orders.
        trip: The round trip of each.
        entered: Row of each trip's first order.
        left: Row of its last one.
        closed: How many are closed; the one behind them is open.
    """

    rows: Integers
    trip: Integers
    entered: Integers
    left: Integers
    closed: int


def _parts(run: Run, place: int) -> _Parts:
    orders = run.orders
    every = len(run.symbols) == 1
    rows = np.arange(len(orders)) if every else np.flatnonzero(orders.symbol == place)
    ends = orders.after[rows] == 0
    done = np.cumsum(ends)
    trip = done - ends
    lasts = np.flatnonzero(ends)
    firsts = np.append(0, lasts + 1)[: int(trip[-1]) + 1 if len(trip) else 0]
    filled = orders.filled[rows]
    left = np.append(filled[lasts], len(run.equity) - 1)[: len(firsts)]
    return _Parts(rows, trip, filled[firsts], left, len(lasts))


def _trips(
    run: Run, place: int, symbol: str, strategy: str, stamps: pl.Series | None
) -> pl.DataFrame:
    parts, orders = _parts(run, place), run.orders
    count, rows = len(parts.entered), parts.rows
    sides, amounts = orders.sides[rows], orders.amount[rows]

    def sums(values: Floats) -> Floats:
        return np.asarray(np.bincount(parts.trip, values, count), dtype=np.float64)

    received, paid = (
        sums(np.where(sides < 0, amounts, 0.0)),
        sums(np.where(sides > 0, amounts, 0.0)),
    )
    if len(run.income.row):
        _add_income(run, place, parts, received, paid)
    if parts.closed < count:
        worth = _worth(run, place, float(received.sum() - paid.sum()))
        received[-1] += max(worth, 0.0)
        paid[-1] += max(-worth, 0.0)
    entries = orders.purpose[rows] == 0
    is_open = np.arange(count) >= parts.closed
    exit_times = _times(stamps, parts.left)
    nothing = pl.Series([None] * count, dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "symbol": pl.repeat(symbol, count, dtype=pl.String, eager=True),
            "strategy": pl.repeat(strategy, count, dtype=pl.String, eager=True),
            "quantity": sums(np.where(entries, orders.shares[rows] * sides, 0.0)),
            "entry_time": _times(stamps, parts.entered),
            "exit_time": exit_times.zip_with(pl.Series(~is_open), nothing),
            "bars": parts.left - parts.entered + is_open,
            "paid": paid,
            "received": received,
            "costs": sums(orders.costs[rows]),
            "open": is_open,
        },
        schema=ROUND_TRIPS,
    )


def _add_income(run: Run, place: int, parts: _Parts, received: Floats, paid: Floats) -> None:
    """Dividends and borrow fees: what comes in the morning belongs to what was held overnight."""
    mine = run.income.symbol == place
    before = np.searchsorted(run.orders.filled[parts.rows], run.income.row[mine], side="left") - 1
    trips, amounts = parts.trip[before], run.income.amount[mine]
    np.add.at(received, trips, np.maximum(amounts, 0.0))
    np.add.at(paid, trips, np.maximum(-amounts, 0.0))


def checked(trips: pl.DataFrame) -> pl.DataFrame:
    """The same frame, if it is one of round trips.

    Raises:
        CurveError: A column is missing, or an amount is missing or not finite.
    """
    missing = [name for name in ROUND_TRIPS if name not in trips.columns]
    if missing:
        raise CurveError(
            f"The round trips lack {', '.join(missing)}. "
            f"Their columns are {', '.join(ROUND_TRIPS)}."
        )
    amounts = pl.col("paid", "received", "costs")
    odd = trips.select(pl.all_horizontal(amounts.is_finite()).fill_null(value=False)).to_series()
    if not odd.all():
        raise CurveError(
            f"Round trip {(~odd).arg_true()[0]} has an amount that is missing or not finite. "
            "Give paid, received and costs in USD."
        )
    return trips


def _worth(run: Run, place: int, flows: float) -> float:
    """What the shares still held are worth: of one symbol, the last equity less the cash beside them."""
    if run.marks is not None:
        return float(run.held[place, -1]) * run.marks[place]
    return float(run.equity[-1]) - (run.cash + flows)


def _times(timestamps: pl.Series | None, rows: Any) -> pl.Series:
    if timestamps is None:
        return pl.Series([None] * len(rows), dtype=pl.Datetime("us", "UTC"))
    return timestamps.gather(rows).cast(pl.Datetime("us", "UTC"))
