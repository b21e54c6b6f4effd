"""Kernels of windows: each window is merged from halves, about log2(width) passes over the column.

See ``feature_service.windows`` for why. A kernel takes columns and a width, and gives a value for
every whole window, oldest first. Its columns are as long as one another.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Parts = tuple[NDArray[Any], ...]
#: Windows of so many bars, each joined with the newer ones, of so many, that follow it.
Join = Callable[[Parts, int, Parts, int], Parts]
Moments = tuple[Values, Values]
Comoments = tuple[Values, Values, Values, Values, Values]

# Mean, sum of squares and sum of cubes: windows of so many parts have no fourth powers.
_CUBES = 3
# What a sum of weights that are zero is divided by; it is nothing beside any weight.
_NEXT_TO_NOTHING = np.finfo(np.float64).tiny


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
    newest = np.zeros(len(values), dtype=np.int16)
    return _by_halves((values, newest), width, _join_ages)[1].astype(np.float64)


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
    ours, theirs = _paired(older, older_size, newer, newer_size)
    step = theirs[0] - ours[0]
    middle = _middle(ours[0], theirs[0], step, older_size, newer_size)
    if older_size == newer_size == 1:
        return (middle, *_shapes_of_pairs(step, ours))
    if older_size == newer_size:
        return (middle, *_shapes_of_halves(step, ours, theirs, older_size))
    return (middle, *_shapes_of_parts(step, ours, theirs, (older_size, newer_size)))


def _shapes_of_pairs(step: Values, ours: Parts) -> Parts:
    """Sums of powers of two bars' deviations: half of their distance, once up and once down."""
    squares = step * step
    squares *= 0.5
    fourths = [0.5 * squares * squares] if len(ours) > _CUBES else []
    return (squares, ours[2], *fourths)


def _shapes_of_halves(step: Values, ours: Parts, theirs: Parts, size: int) -> Parts:
    """Sums of powers of deviations, from those of two halves of a size."""
    second, squares = step * step, ours[1] + theirs[1]
    cubes = theirs[1] - ours[1]
    cubes *= 1.5
    cubes *= step
    cubes += ours[2]
    cubes += theirs[2]
    found = [cubes]
    if len(ours) > _CUBES:
        fourths = second * (size / 8)
        fourths += 1.5 * squares
        fourths *= second
        lean = theirs[2] - ours[2]
        lean *= step
        lean *= 2.0
        fourths += lean
        fourths += ours[3]
        fourths += theirs[3]
        found.append(fourths)
    second *= size / 2
    second += squares
    return (second, *found)


def _shapes_of_parts(step: Values, ours: Parts, theirs: Parts, sizes: tuple[int, int]) -> Parts:
    """Sums of powers of deviations, from those of two parts of any sizes."""
    size = sum(sizes)
    own, other = (part / size for part in sizes)
    second = step * step
    cubes = (3.0 * own) * theirs[1]
    cubes -= (3.0 * other) * ours[1]
    cubes += second * (own * other * (sizes[0] - sizes[1]))
    cubes *= step
    cubes += ours[2]
    cubes += theirs[2]
    found = [cubes]
    if len(ours) > _CUBES:
        fourths = second * (own * other * size * (own**2 - own * other + other**2))
        fourths += theirs[1] * (6.0 * own**2)
        fourths += ours[1] * (6.0 * other**2)
        fourths *= second
        lean = theirs[2] * (4.0 * own)
        lean -= ours[2] * (4.0 * other)
        lean *= step
        fourths += lean
        fourths += ours[3]
        fourths += theirs[3]
        found.append(fourths)
    second *= own * sizes[1]
    second += ours[1]
    second += theirs[1]
    return (second, *found)


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
    share = more / (both + _NEXT_TO_NOTHING)
    step = after - mean
    step *= share
    step += mean
    return step, both


def _join_ages(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (highest, age), (after, young) = _paired(older, older_size, newer, newer_size)
    found = age + np.int16(newer_size)
    younger = young - found
    younger *= after >= highest  # a choice by arithmetic, a quarter of the time of numpy's own
    found += younger
    return np.maximum(highest, after), found
