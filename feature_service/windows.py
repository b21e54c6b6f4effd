"""Window arithmetic whose answer depends on the window alone.

A running sum carries rounding from every bar it ever saw: after a jump, a window of constant
prices keeps a residue, its deviation is not zero, and whatever divides by it is nonsense. Here
each window is merged from halves (Chan, Golub and LeVeque 1979), about log2(width) passes over
the column. So a constant window has exactly its value as mean and exactly zero deviation, bars
outside the window cannot change a bit, and scaling by a power of two scales exactly.
"""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

Values = NDArray[np.float64]
Moments = tuple[Values, Values]


def rolling_mean(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean of the newest ``width`` bars, the current one among them; null before there are as many."""
    return _mapped(column, lambda values: _padded(window_moments(values, width)[0], len(values)))


def rolling_std(column: str | pl.Expr, width: int, *, ddof: int) -> pl.Expr:
    """Standard deviation of the newest ``width`` bars; exactly zero where they are all the same.

    Args:
        column: No nulls after its first value.
        width: Bars in the window, at least 2.
        ddof: 0 for the population's deviation, 1 for the sample's.
    """

    def deviation(values: Values) -> Values:
        squares = window_moments(values, width)[1]
        return _padded(np.sqrt(squares / (width - ddof)), len(values))

    return _mapped(column, deviation)


def seeded_ewm(column: pl.Expr, *, first: int, width: int, alpha: float) -> pl.Expr:
    """Exponential mean seeded like TA-Lib and Wilder: the plain mean of the first ``width`` values.

    Args:
        column: Null in its first ``first`` rows at most.
        first: Row of the first value, from 0.
        width: Values in the seed.
        alpha: Weight of the newest value.

    Returns:
        Null in the first ``first + width - 1`` rows.
    """
    row, seeded = pl.int_range(pl.len()), first + width - 1
    # Not polars' own mean: its bits depend on where in memory the slice happens to lie.
    seed = rolling_mean(column.slice(first, width), width).last()
    values = pl.when(row > seeded).then(column).when(row == seeded).then(seed)
    return values.ewm_mean(alpha=alpha, adjust=False, min_samples=1, ignore_nulls=True)


def price_before(minutes: int) -> pl.Expr:
    """The close that held ``minutes`` before: of the newest bar of this session at least as old.

    Needs ``timestamp``, ``session_date`` and ``close``. Null until the session's first bar is
    that old: no price of another session stands in.
    """

    def look_up(bars: pl.Series) -> pl.Series:
        times = bars.struct.field("timestamp").to_physical().to_numpy()
        days = bars.struct.field("session_date").to_physical().to_numpy()
        closes = bars.struct.field("close").to_numpy()
        at = np.searchsorted(times, times - minutes * 60_000_000, side="right") - 1
        held = np.where((at >= 0) & (days[at] == days), closes[at], np.nan)
        return pl.Series(held, dtype=pl.Float64, nan_to_null=True)

    moment = pl.col("timestamp").dt.cast_time_unit("us")
    return pl.struct(moment, "session_date", "close").map_batches(look_up, return_dtype=pl.Float64)


def window_moments(values: Values, width: int) -> Moments:
    """Mean and sum of squared deviations of every whole window, oldest window first."""
    empty = np.empty(0)
    if len(values) < width:
        return empty, empty
    block, size = (values, np.zeros_like(values)), 1
    whole, done = (empty, empty), 0
    while True:
        if width & size:
            whole = _merge(whole, done, block, size) if done else block
            done += size
        if done == width:
            return whole
        block, size = _merge(block, size, block, size), size * 2


def _merge(older: Moments, older_size: int, newer: Moments, newer_size: int) -> Moments:
    """Windows of ``older_size`` bars, each joined with the ``newer_size`` bars that follow it."""
    size = older_size + newer_size
    count = len(older[0]) - newer_size
    mean, squares = older[0][:count], older[1][:count]
    next_mean, next_squares = newer[0][older_size:][:count], newer[1][older_size:][:count]
    step = next_mean - mean
    joined = mean + step * (newer_size / size)
    return joined, squares + next_squares + step * step * (older_size * newer_size / size)


def _padded(windows: Values, rows: int) -> Values:
    return np.concatenate([np.full(rows - len(windows), np.nan), windows])


def _mapped(column: str | pl.Expr, function: Callable[[Values], Values]) -> pl.Expr:
    """Apply a function of numpy values to a column; its NaN become nulls, in and out."""

    def run(series: pl.Series) -> pl.Series:
        values = series.cast(pl.Float64).to_numpy()
        return pl.Series(function(values), dtype=pl.Float64, nan_to_null=True)

    source = pl.col(column) if isinstance(column, str) else column
    return source.map_batches(run, return_dtype=pl.Float64)
