"""Kernels of windows: each window is merged from halves, about log2(width) passes over the column.

See ``feature_service.windows`` for why. A kernel takes columns and a width, and gives a value for
every whole window, oldest first. Its columns are as long as one another.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Parts = tuple[Values, ...]
#: Windows of so many bars, each joined with the newer ones, of so many, that follow it.
Join = Callable[[Parts, int, Parts, int], Parts]
Moments = tuple[Values, Values]
Comoments = tuple[Values, Values, Values, Values, Values]


def window_means(values: Values, width: int) -> Values:
    """Mean of every whole window."""
    return _by_halves((values,), width, _join_means)[0]


def window_moments(values: Values, width: int) -> Moments:
    """Mean and sum of squared deviations of every whole window."""
    mean, squares = _by_halves((values, np.zeros(len(values))), width, _join_moments)
    return mean, squares


def window_shapes(values: Values, width: int) -> tuple[Values, Values, Values]:
    """Sums of the second, third and fourth powers of deviations, of every whole window."""
    nothing = np.zeros(len(values))
    _, squares, cubes, fourths = _by_halves(
        (values, nothing, nothing, nothing), width, _join_shapes
    )
    return squares, cubes, fourths


def window_cubes(values: Values, width: int) -> Moments:
    """Sums of the second and third powers of deviations, of every whole window."""
    nothing = np.zeros(len(values))
    _, squares, cubes = _by_halves((values, nothing, nothing), width, _join_shapes)
    return squares, cubes


def window_comoments(left: Values, right: Values, width: int) -> Comoments:
    """Both means, both sums of squared deviations and that of products, of every whole window."""
    nothing = np.zeros(len(left))
    ours, theirs, own, other, both = _by_halves(
        (left, right, nothing, nothing, nothing), width, _join_comoments
    )
    return ours, theirs, own, other, both


def window_trends(values: Values, width: int) -> Moments:
    """Mean, and sum of deviations times how many bars after the window's middle each one is."""
    mean, slope = _by_halves((values, np.zeros(len(values))), width, _join_trends)
    return mean, slope


def window_averages(values: Values, weights: Values, width: int) -> Values:
    """Weighted mean of every whole window; NaN where nothing weighs."""
    mean, weight = _by_halves((values, weights), width, _join_averages)
    return np.where(weight > 0, mean, np.nan)


def window_ages(values: Values, width: int) -> Values:
    """How many bars ago the highest of every whole window was; the newest of equals counts."""
    return _by_halves((values, np.zeros(len(values))), width, _join_ages)[1]


def window_highest(values: Values, width: int) -> Values:
    """The highest of every whole window."""
    size = 1
    while size * 2 <= width:
        values, size = np.maximum(values[:-size], values[size:]), size * 2
    # The rest overlaps what is counted already, which does not matter to a highest value.
    return np.maximum(values[: len(values) - (width - size)], values[width - size :])


def _by_halves(block: Parts, width: int, join: Join) -> Parts:
    """Merge windows of one bar into windows of ``width``."""
    whole, done, size = block, 0, 1
    while True:
        if width & size:
            whole = join(whole, done, block, size) if done else block
            done += size
        if done == width:
            return whole
        block, size = join(block, size, block, size), size * 2


def _paired(older: Parts, older_size: int, newer: Parts, newer_size: int) -> tuple[Parts, Parts]:
    """The windows that have others to be joined with, and those."""
    count = len(older[0]) - newer_size
    return (
        tuple(part[:count] for part in older),
        tuple(part[older_size:][:count] for part in newer),
    )


def _middle(mean: Values, after: Values, step: Values, older_size: int, newer_size: int) -> Values:
    """Means of joined windows; halves of the same size need no distance."""
    if older_size == newer_size:
        middle = mean + after
        middle *= 0.5
        return middle
    middle = step * (newer_size / (older_size + newer_size))
    middle += mean
    return middle


def _join_means(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (mean,), (after,) = _paired(older, older_size, newer, newer_size)
    step = mean if older_size == newer_size else after - mean
    return (_middle(mean, after, step, older_size, newer_size),)


def _join_moments(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (mean, own), (after, more) = _paired(older, older_size, newer, newer_size)
    step = after - mean
    middle = _middle(mean, after, step, older_size, newer_size)
    step *= step
    step *= older_size * newer_size / (older_size + newer_size)
    step += own
    step += more
    return middle, step


def _join_trends(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (mean, own), (after, more) = _paired(older, older_size, newer, newer_size)
    step = after - mean
    middle = _middle(mean, after, step, older_size, newer_size)
    step *= older_size * newer_size / 2  # the middles are half of both sizes apart
    step += own
    step += more
    return middle, step


def _join_shapes(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    """Pébay, Formulas for Robust, One-Pass Parallel Computation of Higher-Order Moments (2008)."""
    (mean, own, *powers), (after, more, *others) = _paired(older, older_size, newer, newer_size)
    size = older_size + newer_size
    ours, theirs = older_size / size, newer_size / size
    step = after - mean
    middle = _middle(mean, after, step, older_size, newer_size)
    second = step * step
    tilt = ours * more
    tilt -= theirs * own
    tilt *= 3.0
    if older_size != newer_size:
        tilt += second * (ours * theirs * (older_size - newer_size))
    tilt *= step
    tilt += powers[0]
    tilt += others[0]
    found = [tilt]
    if len(powers) > 1:
        found.append(_fourths(step, second, (own, *powers), (more, *others), (ours, theirs, size)))
    second *= ours * newer_size
    second += own
    second += more
    return (middle, second, *found)


def _fourths(
    step: Values,
    second: Values,
    older: Parts,
    newer: Parts,
    sizes: tuple[float, float, int],
) -> Values:
    """Sum of the fourth powers of a joined window's deviations, from the sums of lower powers."""
    ours, theirs, size = sizes
    found = second * (ours * theirs * size * (ours**2 - ours * theirs + theirs**2))
    found += newer[0] * (6.0 * ours**2)
    found += older[0] * (6.0 * theirs**2)
    found *= second
    lean = newer[1] * (4.0 * ours)
    lean -= older[1] * (4.0 * theirs)
    lean *= step
    found += lean
    found += older[2]
    found += newer[2]
    return found


def _join_comoments(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (ours, theirs, *sums), (our_next, their_next, *more) = _paired(
        older, older_size, newer, newer_size
    )
    step, their_step = our_next - ours, their_next - theirs
    weight = older_size * newer_size / (older_size + newer_size)
    products = (step * step, their_step * their_step, step * their_step)
    found = [
        own + other + product * weight
        for own, other, product in zip(sums, more, products, strict=True)
    ]
    return (
        _middle(ours, our_next, step, older_size, newer_size),
        _middle(theirs, their_next, their_step, older_size, newer_size),
        *found,
    )


def _join_averages(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (mean, weight), (after, more) = _paired(older, older_size, newer, newer_size)
    both = weight + more
    share = more / np.where(both > 0, both, 1.0)
    step = after - mean
    step *= share
    step += mean
    return step, both


def _join_ages(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (highest, age), (after, young) = _paired(older, older_size, newer, newer_size)
    return np.maximum(highest, after), np.where(after >= highest, young, age + newer_size)
