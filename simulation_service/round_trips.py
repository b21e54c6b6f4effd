"""Round trips: what was bought (or sold short) and given back, a row each."""

from operator import attrgetter
from typing import Any

import numpy as np
import polars as pl

from simulation_service.returns import CurveError
from simulation_service.run import Integers, Run

#: A row is a position from its first share to its last, or to the end of the run. ``quantity`` is
#: below 0 for a short one. ``bars`` were held at their close. ``paid`` left and ``received`` came,
#: USD with fees and slippage, so that ``received - paid`` is the profit of either direction; of an
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
    run: Run, *, symbol: str = "", strategy: str = "", timestamps: pl.Series | None = None
) -> pl.DataFrame:
    """The round trips of a run in one symbol, oldest first.

    Args:
        timestamps: Opening of each bar (UTC); None leaves the times null.

    Returns:
        ``ROUND_TRIPS``; the profits add up to the final equity less the cash at the beginning.
    """
    bought, sold = _table(run, "buy"), _table(run, "sell")
    count, done = len(bought["filled"]), len(sold["filled"])
    exits, received, costs = _last(run, count), np.zeros(count), bought["costs"].copy()
    exits[:done], received[:done] = sold["filled"], sold["amount"]
    costs[:done] += sold["costs"]
    if done < count:
        received[done] = _worth(run)
    is_open = np.arange(count) >= done
    entered = bought["filled"].astype(np.int64)
    return pl.DataFrame(
        {
            "symbol": np.full(count, symbol),
            "strategy": np.full(count, strategy),
            "quantity": bought["shares"],
            "entry_time": _times(timestamps, entered),
            "exit_time": _times(timestamps, exits).zip_with(
                pl.Series(~is_open), pl.Series([None] * count, dtype=pl.Datetime("us", "UTC"))
            ),
            "bars": exits - entered + is_open,
            "paid": bought["amount"],
            "received": received,
            "costs": costs,
            "open": is_open,
        },
        schema=ROUND_TRIPS,
    )


def closed_rows(run: Run) -> tuple[Integers, Integers]:
    """The rows of the entry and of the exit of each round trip that was closed."""
    exits = np.array([one.filled for one in run.trades if one.side == "sell"], dtype=np.int64)
    entries = np.array([one.filled for one in run.trades if one.side == "buy"], dtype=np.int64)
    return entries[: len(exits)], exits


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


def _table(run: Run, side: str) -> dict[str, Any]:
    names = ("filled", "shares", "amount", "costs")
    facts = attrgetter(*names)
    rows = [facts(trade) for trade in run.trades if trade.side == side]
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return {name: columns[:, at] for at, name in enumerate(names)}


def _last(run: Run, count: int) -> Any:
    return np.full(count, len(run.equity) - 1, dtype=np.int64)


def _worth(run: Run) -> float:
    """What the shares still held are worth: the last equity less the cash beside them."""
    flows = (-one.amount if one.side == "buy" else one.amount for one in run.trades)
    return float(run.equity[-1]) - sum(flows, run.cash)


def _times(timestamps: pl.Series | None, rows: Any) -> pl.Series:
    if timestamps is None:
        return pl.Series([None] * len(rows), dtype=pl.Datetime("us", "UTC"))
    return timestamps.gather(rows).cast(pl.Datetime("us", "UTC"))
