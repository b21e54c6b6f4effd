"""What the trades were like: how many were won, what they brought, how long they lasted. Pure."""

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from simulation_service.returns import CurveError
from simulation_service.round_trips import checked
from simulation_service.run import Floats

_KEYS = ("symbol", "strategy")


@dataclass(frozen=True)
class TradeStatistics:
    """Figures of the round trips that were closed; all but the first None where there is none.

    Attributes:
        round_trips: How many were closed.
        win_rate: Share that brought more than they cost.
        average_win: Mean profit of those in USD; None if none was won.
        average_loss: Mean profit, below 0, of those that brought less; None if none was lost.
        profit_factor: All profits over all losses; None if nothing was lost.
        expectancy: Mean profit of a round trip in USD.
        holding_bars: Mean of the bars at whose close it was held.
        holding_minutes: Mean of the clock time from entry to exit, nights included; None without
            times.
    """

    round_trips: int
    win_rate: float | None = None
    average_win: float | None = None
    average_loss: float | None = None
    profit_factor: float | None = None
    expectancy: float | None = None
    holding_bars: float | None = None
    holding_minutes: float | None = None


def trade_statistics(trips: pl.DataFrame) -> TradeStatistics:
    """The figures of round trips (:data:`simulation_service.round_trips.ROUND_TRIPS`).

    Raises:
        CurveError: The frame is not one of round trips.
    """
    closed = checked(trips).filter(~pl.col("open"))
    if closed.is_empty():
        return TradeStatistics(0)
    profit = (closed["received"] - closed["paid"]).to_numpy()
    won, lost = profit[profit > 0], profit[profit < 0]
    return TradeStatistics(
        round_trips=len(profit),
        win_rate=len(won) / len(profit),
        average_win=_mean(won),
        average_loss=_mean(lost),
        profit_factor=float(won.sum() / -lost.sum()) if len(lost) else None,
        expectancy=_mean(profit),
        holding_bars=_number(closed["bars"].mean()),
        holding_minutes=_number(
            (closed["exit_time"] - closed["entry_time"]).dt.total_seconds(fractional=True).mean(),
            60,
        ),
    )


def attribution(trips: pl.DataFrame, by: str, cash: float) -> pl.DataFrame:
    """Where the profit came from.

    Args:
        trips: Closed and open ones; an open one brings what it is worth.
        by: ``symbol`` or ``strategy``.
        cash: USD at the beginning, above 0.

    Returns:
        Sorted by ``by``: that column, ``round_trips`` (closed), ``win_rate`` (null where none was
        closed), ``profit`` and ``costs`` (USD), and ``contribution`` (profit over the cash at the
        beginning; the contributions add up to the total return).

    Raises:
        CurveError: The frame is not one of round trips, or ``by`` or ``cash`` cannot be.
    """
    if by not in _KEYS:
        raise CurveError(
            f"Profit can be attributed by {' or '.join(_KEYS)}, not by {by[:40]!r}.{_near(by)}"
        )
    if not (np.isfinite(cash) and cash > 0):
        raise CurveError(f"The cash to begin with must be above 0 USD, was {cash:g}.")
    profit, closed = pl.col("received") - pl.col("paid"), ~pl.col("open")
    grouped = (
        checked(trips)
        .group_by(by)
        .agg(
            closed.sum().cast(pl.Int64).alias("round_trips"),
            (profit > 0).filter(closed).mean().alias("win_rate"),
            profit.sum().alias("profit"),
            pl.col("costs").sum(),
        )
    )
    return grouped.with_columns(contribution=pl.col("profit") / cash).sort(by)


def turnover(
    traded: float, equity: Floats, sessions: int, sessions_per_year: float
) -> float | None:
    """USD bought and sold in a year, over the mean equity; 2 is all of it bought and sold once.

    None without a session, or where the mean equity is not above zero.
    """
    mean = float(np.mean(equity)) if len(equity) else 0.0
    if sessions < 1 or mean <= 0:
        return None
    return traded / mean * sessions_per_year / sessions


def _mean(values: Any) -> float | None:
    return float(values.mean()) if len(values) else None


def _number(value: Any, unit: float = 1) -> float | None:
    return None if value is None else float(value) / unit


def _near(wrong: str) -> str:
    found = difflib.get_close_matches(wrong, _KEYS, n=1)
    return f" Did you mean {found[0]}?" if found else ""
