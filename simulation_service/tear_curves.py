"""Curves behind the plots of a tear sheet, from what the ledger stores of a run. Pure."""

import math
from typing import Any

import numpy as np
import polars as pl

from simulation_service.monthly import monthly
from simulation_service.returns import ROUNDING, returns_of
from simulation_service.run import Floats

#: Sessions of a rolling figure: a quarter of a year.
ROLLING = 63
_NORMAL_95 = 1.959963984540054  # 97.5 % of the standard normal distribution lie below


def days(curve: pl.DataFrame) -> pl.Series:
    """The New York session date of each value of a curve (:data:`lake.simulations.EQUITY`)."""
    return curve.select(
        session_date=pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.date()
    ).to_series()


def underwater(daily: Floats) -> Floats:
    """Each value as a share of the highest one so far, less 1: 0 to -1, and below where all was lost.

    Args:
        daily: The cash at the beginning, then a value a session.

    Returns:
        As many as there are sessions.
    """
    return np.asarray(daily / np.maximum.accumulate(daily) - 1)[1:]


def rolling_sharpe(daily: Floats, sessions_per_year: float, width: int = ROLLING) -> Floats | None:
    """The Sharpe ratio of each ``width`` sessions in a row, annualised.

    Args:
        daily: The cash at the beginning, then a value a session.

    Returns:
        One for each session from the ``width``-th on, NaN where the returns of a window are all the
        same; None below ``width`` sessions or where everything was lost.
    """
    returns = returns_of(daily)
    if returns is None or len(returns) < width:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(returns, width)
    spread = windows.std(axis=1, ddof=1)
    moved = np.ptp(windows, axis=1) > ROUNDING
    found = np.where(moved, windows.mean(axis=1) / np.where(moved, spread, 1), np.nan)
    return np.asarray(found * math.sqrt(sessions_per_year))


def chance_band(sessions_per_year: float, width: int = ROLLING) -> float:
    """Within plus and minus this lie 95 % of the rolling ratios of a run without any skill.

    From the standard error of a ratio of 0 over ``width`` independent returns, 1 / √width (Lo 2002).
    """
    return _NORMAL_95 * math.sqrt(sessions_per_year / width)


def months(curve: pl.DataFrame, cash: float) -> list[dict[str, Any]]:
    """Returns by month of a run, as :func:`~simulation_service.monthly.monthly`, beside ``benchmark``."""
    dates = days(curve)
    own, against = (
        monthly(dates, np.append(cash, curve[name].to_numpy())) for name in ("equity", "benchmark")
    )
    return own.with_columns(benchmark=against["return"]).to_dicts()
