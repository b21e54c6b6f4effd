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

from feature_service import halves
from feature_service.compiled import Values, compiled, given

Moments64 = NDArray[np.int64]


def rolling_mean(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean of the newest ``width`` bars."""
    return mapped(partial(halves.means, width=width), column)


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
    return mapped(partial(halves.variances, width=width, ddof=ddof), column)


def rolling_std(column: str | pl.Expr, width: int, *, ddof: int) -> pl.Expr:
    """Standard deviation of the newest ``width`` bars; see :func:`rolling_variance`."""
    return mapped(partial(halves.deviations, width=width, ddof=ddof), column)


def rolling_zscore(column: str | pl.Expr, width: int) -> pl.Expr:
    """Distance from the mean of the newest ``width`` bars in deviations (of the population).

    Null where they are all the same.
    """
    return mapped(partial(halves.zscores, width=width), column)


def rolling_skew(column: str | pl.Expr, width: int) -> pl.Expr:
    """Skewness of the newest ``width`` bars (of the population); null where they are all the same."""
    return mapped(partial(halves.skews, width=width), column)


def rolling_kurtosis(column: str | pl.Expr, width: int) -> pl.Expr:
    """Excess kurtosis of the newest ``width`` bars (of the population); null where all are the same."""
    return mapped(partial(halves.kurtoses, width=width), column)


def rolling_average(column: str | pl.Expr, weights: str | pl.Expr, width: int) -> pl.Expr:
    """Weighted mean of the newest ``width`` bars; null where all weights are zero, none is below."""
    return mapped(partial(halves.averages, width=width), column, weights)


def rolling_highest(column: str | pl.Expr, width: int) -> pl.Expr:
    """Highest of the newest ``width`` bars."""
    return mapped(partial(halves.highest, width=width), column)


def rolling_lowest(column: str | pl.Expr, width: int) -> pl.Expr:
    """Lowest of the newest ``width`` bars."""
    return mapped(partial(halves.lowest, width=width), column)


def rolling_age_of_highest(column: str | pl.Expr, width: int) -> pl.Expr:
    """How many bars ago the highest of the newest ``width`` was; the newest of equals counts."""
    return mapped(partial(halves.ages, width=width), column)


def rolling_age_of_lowest(column: str | pl.Expr, width: int) -> pl.Expr:
    """How many bars ago the lowest of the newest ``width`` was; the newest of equals counts."""
    return mapped(partial(halves.ages_of_lowest, width=width), column)


def rolling_mean_deviation(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean distance of the newest ``width`` bars from their mean."""
    return mapped(partial(halves.mean_distances, width=width), column)


def rolling_weighted_mean(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean of the newest ``width`` bars, the oldest weighing 1 and the newest ``width``."""
    return mapped(partial(halves.weighted_means, width=width), column)


def rolling_correlation(left: str | pl.Expr, right: str | pl.Expr, width: int) -> pl.Expr:
    """Pearson's correlation over the newest ``width`` bars, -1 to 1; null where one stands still."""
    return mapped(partial(halves.correlations, width=width), left, right)


def rolling_beta(column: str | pl.Expr, against: str | pl.Expr, width: int) -> pl.Expr:
    """Slope of one column on another over the newest ``width`` bars; null where the other stands still."""
    return mapped(partial(halves.betas, width=width), column, against)


def price_before(minutes: int) -> pl.Expr:
    """The close that held ``minutes`` before: of the newest bar of this session at least as old.

    Needs ``timestamp``, ``session_date`` and ``close``. Null until the session's first bar is
    that old: no price of another session stands in.
    """

    def look_up(series: Sequence[pl.Series]) -> pl.Series:
        times, days = (one.to_physical().cast(pl.Int64).to_numpy() for one in series[:2])
        held = np.empty(len(times))
        _look_back(times, days, given(series[2].to_numpy()), minutes * 60_000_000, held)
        return pl.Series(held, dtype=pl.Float64, nan_to_null=True)

    moment = pl.col("timestamp").dt.cast_time_unit("us")
    return pl.map_batches([moment, "session_date", "close"], look_up, return_dtype=pl.Float64)


def over(part: pl.Expr, whole: pl.Expr, otherwise: float) -> pl.Expr:
    """A quotient, or another value where its divisor is zero; null where one of both is."""

    def quotient(parts: Values, wholes: Values) -> Values:
        found = np.empty(len(parts))
        _divide(given(parts), given(wholes), otherwise, found)
        return found

    return mapped(quotient, part, whole)


def mapped(function: Callable[..., Values], *columns: str | pl.Expr) -> pl.Expr:
    """Apply a function of numpy values to columns: as many rows; NaN stands for null, in and out."""

    def run(series: Sequence[pl.Series]) -> pl.Series:
        found = function(*(_values(one) for one in series))
        return pl.Series(found, dtype=pl.Float64, nan_to_null=True)

    sources = [pl.col(column) if isinstance(column, str) else column for column in columns]
    return pl.map_batches(sources, run, return_dtype=pl.Float64)


def _values(column: pl.Series) -> Values:
    """A column's numbers; each step that is not needed would cost as much as a short window."""
    numbers = column if column.dtype == pl.Float64 else column.cast(pl.Float64)
    return (numbers.fill_null(np.nan) if numbers.null_count() else numbers).to_numpy()


@compiled
def _divide(parts: Values, wholes: Values, otherwise: float, found: Values) -> None:
    """As :func:`over`."""
    for row in range(len(found)):
        part, whole = parts[row], wholes[row]
        found[row] = otherwise if whole == 0 and part == part else part / whole  # noqa: PLR0124 - NaN


@compiled
def _look_back(times: Moments64, days: Moments64, closes: Values, span: int, found: Values) -> None:
    """The newest close of the same day that is at least so much older, NaN if there is none."""
    newest = -1
    for row in range(len(times)):
        while times[newest + 1] <= times[row] - span:
            newest += 1
        held = newest >= 0 and days[newest] == days[row]
        found[row] = closes[newest] if held else np.nan
