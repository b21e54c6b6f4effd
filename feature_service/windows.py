"""Window arithmetic whose answer depends on the window alone.

A running sum carries rounding from every bar it ever saw: after a jump, a window of constant
prices keeps a residue, its deviation is not zero, and whatever divides by it is nonsense. Here
each window is merged from halves (Chan, Golub and LeVeque 1979), about log2(width) passes over
the column, or summed bar by bar. So a constant window has exactly its value as mean and exactly
zero deviation, bars outside the window cannot change a bit, scaling by a power of two scales
exactly, and a part of a history gives the bits of the whole.

Columns may be null in their first rows, never after. All windows end with the current bar, which
belongs to them, and give null until they are whole.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.halves import (
    Values,
    window_ages,
    window_averages,
    window_comoments,
    window_cubes,
    window_highest,
    window_means,
    window_moments,
    window_shapes,
    window_trends,
)

__all__ = [
    "Values",
    "mapped",
    "price_before",
    "rolling_age_of_highest",
    "rolling_age_of_lowest",
    "rolling_average",
    "rolling_beta",
    "rolling_correlation",
    "rolling_highest",
    "rolling_kurtosis",
    "rolling_lowest",
    "rolling_mean",
    "rolling_mean_deviation",
    "rolling_skew",
    "rolling_std",
    "rolling_sum",
    "rolling_variance",
    "rolling_weighted_mean",
    "rolling_zscore",
    "window_comoments",
    "window_distances",
    "window_means",
    "window_moments",
    "window_ratios",
    "windowed",
]

Moments64 = NDArray[np.int64]

# Passes go over so many windows at a time, which then stay in the processor's cache.
_BLOCK = 8_192
_SKEW = 3


def rolling_mean(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean of the newest ``width`` bars."""
    return windowed(partial(window_means, width=width), width, column)


def rolling_sum(column: str | pl.Expr, width: int) -> pl.Expr:
    """Sum of the newest ``width`` bars: their mean times the width."""
    return rolling_mean(column, width) * width


def rolling_variance(column: str | pl.Expr, width: int, *, ddof: int) -> pl.Expr:
    """Variance of the newest ``width`` bars; exactly zero where they are all the same.

    Args:
        column: No nulls after its first value.
        width: Bars in the window, at least 2.
        ddof: 0 for the population's variance, 1 for the sample's.
    """

    def variance(values: Values) -> Values:
        return window_moments(values, width)[1] / (width - ddof)

    return windowed(variance, width, column)


def rolling_std(column: str | pl.Expr, width: int, *, ddof: int) -> pl.Expr:
    """Standard deviation of the newest ``width`` bars; see :func:`rolling_variance`."""

    def deviation(values: Values) -> Values:
        return np.sqrt(window_moments(values, width)[1] / (width - ddof))

    return windowed(deviation, width, column)


def rolling_zscore(column: str | pl.Expr, width: int) -> pl.Expr:
    """Distance from the mean of the newest ``width`` bars in deviations (of the population).

    Null where they are all the same.
    """

    def distance(values: Values) -> Values:
        mean, squares = window_moments(values, width)
        return _over(values[width - 1 :] - mean, np.sqrt(squares / width))

    return windowed(distance, width, column)


def rolling_skew(column: str | pl.Expr, width: int) -> pl.Expr:
    """Skewness of the newest ``width`` bars (of the population); null where they are all the same."""

    def skew(values: Values) -> Values:
        squares, cubes = window_cubes(values, width)
        variance = squares / width
        return _over(cubes / width, variance * np.sqrt(variance))

    return windowed(skew, width, column)


def rolling_kurtosis(column: str | pl.Expr, width: int) -> pl.Expr:
    """Excess kurtosis of the newest ``width`` bars (of the population); null where all are the same."""

    def kurtosis(values: Values) -> Values:
        squares, _, fourths = window_shapes(values, width)
        return _over(fourths * width, squares * squares) - 3.0

    return windowed(kurtosis, width, column)


def rolling_average(column: str | pl.Expr, weights: str | pl.Expr, width: int) -> pl.Expr:
    """Weighted mean of the newest ``width`` bars; null where all weights are zero, none is below."""
    return windowed(partial(window_averages, width=width), width, column, weights)


def rolling_highest(column: str | pl.Expr, width: int) -> pl.Expr:
    """Highest of the newest ``width`` bars."""
    return windowed(partial(window_highest, width=width), width, column)


def rolling_lowest(column: str | pl.Expr, width: int) -> pl.Expr:
    """Lowest of the newest ``width`` bars."""
    return windowed(lambda values: -window_highest(-values, width), width, column)


def rolling_age_of_highest(column: str | pl.Expr, width: int) -> pl.Expr:
    """How many bars ago the highest of the newest ``width`` was; the newest of equals counts."""
    return windowed(partial(window_ages, width=width), width, column)


def rolling_age_of_lowest(column: str | pl.Expr, width: int) -> pl.Expr:
    """How many bars ago the lowest of the newest ``width`` was; the newest of equals counts."""
    return windowed(lambda values: window_ages(-values, width), width, column)


def rolling_mean_deviation(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean distance of the newest ``width`` bars from their mean."""

    def deviation(values: Values) -> Values:
        return window_distances(values, window_means(values, width), width)

    return windowed(deviation, width, column)


def rolling_weighted_mean(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean of the newest ``width`` bars, the oldest weighing 1 and the newest ``width``."""

    def weighted(values: Values) -> Values:
        # Distances from the plain mean: where the price stands still the answer is that price.
        mean, slope = window_trends(values, width)
        return mean + slope / (width * (width + 1) / 2)

    return windowed(weighted, width, column)


def rolling_correlation(left: str | pl.Expr, right: str | pl.Expr, width: int) -> pl.Expr:
    """Pearson's correlation over the newest ``width`` bars, -1 to 1; null where one stands still."""

    def correlation(ours: Values, theirs: Values) -> Values:
        _, _, own, other, both = window_comoments(ours, theirs, width)
        scale = np.sqrt(own) * np.sqrt(other)
        return np.clip(_over(both, scale), -1.0, 1.0)

    return windowed(correlation, width, left, right)


def rolling_beta(column: str | pl.Expr, against: str | pl.Expr, width: int) -> pl.Expr:
    """Slope of one column on another over the newest ``width`` bars; null where the other stands still."""

    def beta(ours: Values, theirs: Values) -> Values:
        _, _, _, other, both = window_comoments(ours, theirs, width)
        return _over(both, other)

    return windowed(beta, width, column, against)


def price_before(minutes: int) -> pl.Expr:
    """The close that held ``minutes`` before: of the newest bar of this session at least as old.

    Needs ``timestamp``, ``session_date`` and ``close``. Null until the session's first bar is
    that old: no price of another session stands in.
    """

    def look_up(bars: pl.Series) -> pl.Series:
        times = bars.struct.field("timestamp").to_physical().to_numpy()
        days = bars.struct.field("session_date").to_physical().to_numpy()
        closes = bars.struct.field("close").to_numpy()
        at = _newest_until(times, times - minutes * 60_000_000, minutes)
        held = np.where((at >= 0) & (days[at] == days), closes[at], np.nan)
        return pl.Series(held, dtype=pl.Float64, nan_to_null=True)

    moment = pl.col("timestamp").dt.cast_time_unit("us")
    return pl.struct(moment, "session_date", "close").map_batches(look_up, return_dtype=pl.Float64)


def window_ratios(parts: Values, wholes: Values, width: int) -> Values:
    """Sum of the parts over that of the wholes (none below 0) of each window, by its newest row.

    0 where both are zero, NaN before the first whole window.
    """

    def ratio(part: Values, whole: Values) -> Values:
        total, count = window_means(part, width), window_means(whole, width)
        return total / np.where(count > 0, count, 1.0)

    return _blocked(ratio, width, parts, wholes)


def window_distances(values: Values, centre: Values, width: int) -> Values:
    """Mean distance of every whole window's bars from a value of its own."""
    count = len(centre)
    found, distance = np.zeros(count), np.empty(count)
    for offset in range(width):
        np.subtract(values[offset:][:count], centre, out=distance)
        found += np.abs(distance, out=distance)
    return found / width


def windowed(kernel: Callable[..., Values], width: int, *columns: str | pl.Expr) -> pl.Expr:
    """Apply a kernel, which gives a value for each whole window of some columns, oldest first."""
    return mapped(partial(_blocked, kernel, width), *columns)


def mapped(function: Callable[..., Values], *columns: str | pl.Expr) -> pl.Expr:
    """Apply a function of numpy values to columns: as many rows; NaN stands for null, in and out."""

    def run(series: Sequence[pl.Series]) -> pl.Series:
        values = [one.cast(pl.Float64).to_numpy() for one in series]
        return pl.Series(function(*values), dtype=pl.Float64, nan_to_null=True)

    sources = [pl.col(column) if isinstance(column, str) else column for column in columns]
    return pl.map_batches(sources, run, return_dtype=pl.Float64)


def _blocked(kernel: Callable[..., Values], width: int, *columns: Values) -> Values:
    """Apply a kernel of whole windows block by block; NaN before the first whole window."""
    rows = len(columns[0])
    found = np.empty(rows)
    found[: width - 1] = np.nan
    for first in range(0, rows - width + 1, _BLOCK):
        windows = kernel(*(values[first : first + _BLOCK + width - 1] for values in columns))
        found[first + width - 1 :][: len(windows)] = windows
    return found


def _newest_until(times: Moments64, moments: Moments64, bars: int) -> Moments64:
    """For each row the newest row that is not after a moment of its own, -1 if there is none.

    Most are ``bars`` rows earlier; only the others are looked for.
    """
    rows = len(times)
    found = np.arange(rows) - bars
    looked = np.ones(rows, dtype=bool)
    if rows > bars:
        older, wanted = times[: rows - bars], moments[bars:]
        looked[bars:] = (older > wanted) | (times[1:][: rows - bars] <= wanted)
    found[looked] = np.searchsorted(times, moments[looked], side="right") - 1
    return found


def _over(part: Values, whole: Values) -> Values:
    """A quotient; NaN where the divisor is zero."""
    found: Values = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole != 0)
    return found
