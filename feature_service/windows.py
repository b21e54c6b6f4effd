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

Values = NDArray[np.float64]
Moments = tuple[Values, Values]
Shapes = tuple[Values, Values, Values, Values]
Comoments = tuple[Values, Values, Values, Values, Values]

# Passes go over so many windows at a time, which then stay in the processor's cache.
_BLOCK = 8_192
_SKEW = 3


def rolling_mean(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean of the newest ``width`` bars."""
    return mapped(partial(_blocked, partial(window_means, width=width), width), column)


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

    return mapped(partial(_blocked, variance, width), column)


def rolling_std(column: str | pl.Expr, width: int, *, ddof: int) -> pl.Expr:
    """Standard deviation of the newest ``width`` bars; see :func:`rolling_variance`."""
    return rolling_variance(column, width, ddof=ddof).sqrt()


def rolling_skew(column: str | pl.Expr, width: int) -> pl.Expr:
    """Skewness of the newest ``width`` bars (of the population); null where they are all the same."""
    return mapped(partial(_blocked, partial(_shape, width=width, power=3), width), column)


def rolling_kurtosis(column: str | pl.Expr, width: int) -> pl.Expr:
    """Excess kurtosis of the newest ``width`` bars (of the population); null where all are the same."""
    return mapped(partial(_blocked, partial(_shape, width=width, power=4), width), column) - 3.0


def rolling_average(column: str | pl.Expr, weights: str | pl.Expr, width: int) -> pl.Expr:
    """Weighted mean of the newest ``width`` bars; null where all weights are zero, none is below."""
    return mapped(partial(_blocked, partial(_averages, width=width), width), column, weights)


def rolling_age_of_highest(column: str | pl.Expr, width: int) -> pl.Expr:
    """How many bars ago the highest of the newest ``width`` was; the newest of equals counts."""
    return mapped(partial(_blocked, partial(_ages, width=width), width), column)


def rolling_age_of_lowest(column: str | pl.Expr, width: int) -> pl.Expr:
    """How many bars ago the lowest of the newest ``width`` was; the newest of equals counts."""
    column = pl.col(column) if isinstance(column, str) else column
    return rolling_age_of_highest(-column, width)


def rolling_mean_deviation(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean distance of the newest ``width`` bars from their mean."""

    def distance(values: Values) -> Values:
        centre = window_means(values, width)
        count = len(centre)
        found = np.zeros(count)
        for offset in range(width):
            found += np.abs(values[offset:][:count] - centre)
        return found / width

    return mapped(partial(_blocked, distance, width), column)


def rolling_weighted_mean(column: str | pl.Expr, width: int) -> pl.Expr:
    """Mean of the newest ``width`` bars, the oldest weighing 1 and the newest ``width``."""

    def weighted(values: Values) -> Values:
        # Distances from the plain mean: where the price stands still the answer is that price.
        centre = window_means(values, width)
        count = len(centre)
        found = np.zeros(count)
        for offset in range(width):
            found += (offset + 1.0) * (values[offset:][:count] - centre)
        return centre + found / (width * (width + 1) / 2)

    return mapped(partial(_blocked, weighted, width), column)


def rolling_correlation(left: str | pl.Expr, right: str | pl.Expr, width: int) -> pl.Expr:
    """Pearson's correlation over the newest ``width`` bars, -1 to 1; null where one stands still."""

    def correlation(ours: Values, theirs: Values) -> Values:
        _, _, own, other, both = window_comoments(ours, theirs, width)
        scale = np.sqrt(own) * np.sqrt(other)
        return np.clip(_over(both, scale), -1.0, 1.0)

    return mapped(partial(_blocked, correlation, width), left, right)


def rolling_beta(column: str | pl.Expr, against: str | pl.Expr, width: int) -> pl.Expr:
    """Slope of one column on another over the newest ``width`` bars; null where the other stands still."""

    def beta(ours: Values, theirs: Values) -> Values:
        _, _, _, other, both = window_comoments(ours, theirs, width)
        return _over(both, other)

    return mapped(partial(_blocked, beta, width), column, against)


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


def window_means(values: Values, width: int) -> Values:
    """Mean of every whole window, oldest first."""
    block, size = values, 1
    whole, done = values[:0], 0
    while True:
        if width & size:
            whole = _joined(whole, done, block, size) if done else block
            done += size
        if done == width:
            return whole
        block, size = _joined(block, size, block, size), size * 2


def window_moments(values: Values, width: int) -> Moments:
    """Mean and sum of squared deviations of every whole window, oldest window first."""
    mean, _, squares, _, _ = window_comoments(values, values, width)
    return mean, squares


def window_comoments(left: Values, right: Values, width: int) -> Comoments:
    """Both means, both sums of squared deviations and that of products, of every whole window."""
    nothing = np.zeros_like(left)
    block, size = (left, right, nothing, nothing, nothing), 1
    whole, done = block, 0
    while True:
        if width & size:
            whole = _merged(whole, done, block, size) if done else block
            done += size
        if done == width:
            return whole
        block, size = _merged(block, size, block, size), size * 2


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
    found = np.full(rows, np.nan)
    for first in range(0, rows - width + 1, _BLOCK):
        windows = kernel(*(values[first : first + _BLOCK + width - 1] for values in columns))
        found[first + width - 1 :][: len(windows)] = windows
    return found


def _joined(older: Values, older_size: int, newer: Values, newer_size: int) -> Values:
    """Means of windows of ``older_size`` bars, each joined with the ``newer_size`` bars after it."""
    count = len(older) - newer_size
    mean, after = older[:count], newer[older_size:][:count]
    if older_size == newer_size:
        return (mean + after) * 0.5
    return mean + (after - mean) * (newer_size / (older_size + newer_size))


def _merged(older: Comoments, older_size: int, newer: Comoments, newer_size: int) -> Comoments:
    """Windows of ``older_size`` bars, each joined with the ``newer_size`` bars that follow it."""
    size = older_size + newer_size
    count = len(older[0]) - newer_size
    ours, theirs, own, other, both = (part[:count] for part in older)
    our_next, their_next, own_next, other_next, both_next = (
        part[older_size:][:count] for part in newer
    )
    share, weight = newer_size / size, older_size * newer_size / size
    step, their_step = our_next - ours, their_next - theirs
    return (
        ours + step * share,
        theirs + their_step * share,
        own + own_next + step * step * weight,
        other + other_next + their_step * their_step * weight,
        both + both_next + step * their_step * weight,
    )


def _averages(values: Values, weights: Values, width: int) -> Values:
    """Weighted mean of every whole window; NaN where nothing weighs."""
    block, size = (values, weights), 1
    whole, done = block, 0
    while True:
        if width & size:
            whole = _weighed(whole, done, block, size) if done else block
            done += size
        if done == width:
            return np.where(whole[1] > 0, whole[0], np.nan)
        block, size = _weighed(block, size, block, size), size * 2


def _weighed(older: Moments, older_size: int, newer: Moments, newer_size: int) -> Moments:
    """Weighted means and weights of windows, joined as in ``_joined``."""
    count = len(older[0]) - newer_size
    mean, weight = (part[:count] for part in older)
    after, more = (part[older_size:][:count] for part in newer)
    both = weight + more
    share = np.divide(more, both, out=np.zeros(count), where=both > 0)
    return mean + (after - mean) * share, both


def _ages(values: Values, width: int) -> Values:
    """Age of the newest highest of every whole window."""
    block, size = (values, np.zeros(len(values))), 1
    whole, done = block, 0
    while True:
        if width & size:
            whole = _newest_of(whole, done, block, size) if done else block
            done += size
        if done == width:
            return whole[1]
        block, size = _newest_of(block, size, block, size), size * 2


def _newest_of(older: Moments, older_size: int, newer: Moments, newer_size: int) -> Moments:
    """Highest values and their ages of windows, joined as in ``_joined``."""
    count = len(older[0]) - newer_size
    highest, age = (part[:count] for part in older)
    after, young = (part[older_size:][:count] for part in newer)
    return np.maximum(highest, after), np.where(after >= highest, young, age + newer_size)


def _shape(values: Values, width: int, power: int) -> Values:
    """A standardised central moment, the third or the fourth, of every whole window; NaN where it stands still."""
    _, squares, cubes, fourths = window_shapes(values, width)
    spread = squares / width
    if power == _SKEW:
        return _over(cubes / width, spread * np.sqrt(spread))
    return _over(fourths / width, spread * spread)


def window_shapes(values: Values, width: int) -> tuple[Values, Values, Values, Values]:
    """Mean and sums of the second, third and fourth powers of deviations of every whole window.

    Merged from halves as :func:`window_comoments` (Pebay 2008, formulas for arbitrary-order moments).
    """
    nothing = np.zeros_like(values)
    block, size = (values, nothing, nothing, nothing), 1
    whole, done = block, 0
    while True:
        if width & size:
            whole = _shaped(whole, done, block, size) if done else block
            done += size
        if done == width:
            return whole
        block, size = _shaped(block, size, block, size), size * 2


def _shaped(older: Shapes, older_size: int, newer: Shapes, newer_size: int) -> Shapes:
    """Windows of ``older_size`` bars, each joined with the ``newer_size`` bars that follow it."""
    size = older_size + newer_size
    count = len(older[0]) - newer_size
    mean, two, three, four = (part[:count] for part in older)
    next_mean, next_two, next_three, next_four = (part[older_size:][:count] for part in newer)
    ours, theirs = older_size / size, newer_size / size
    step = next_mean - mean
    square = step * step
    weight = older_size * theirs
    lift = next_two * ours - two * theirs
    spread = next_two * (ours * ours) + two * (theirs * theirs)
    return (
        mean + step * theirs,
        two + next_two + square * weight,
        three + next_three + step * (square * (weight * (ours - theirs)) + lift * 3.0),
        four
        + next_four
        + square
        * (square * (weight * (ours * ours - ours * theirs + theirs * theirs)) + spread * 6.0)
        + (next_three * ours - three * theirs) * step * 4.0,
    )


def _over(part: Values, whole: Values) -> Values:
    """A quotient; NaN where the divisor is zero."""
    found: Values = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole != 0)
    return found
