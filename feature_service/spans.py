"""Windows that count from the first bar: as long as can be, and shorter where the history begins.

``Whole`` gives the statistics of the windows of a block of bars, all of them whole; ``Begun`` those of the
first rows of symbols, whose windows hold every bar there is so far. A formula is written once, over
either. All widths are merged in one pass from the same halves (see ``feature_service.halves``), so that
five cost little more than the longest; the first rows are summed bar by bar, as distances from the
first one. Both give a bar's bits from its window alone, exactly zero deviation where all are the
same, and scale exactly by powers of two.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from feature_service.order import lowest_of

Values = NDArray[np.float64]
#: Whole numbers too.
Numbers = NDArray[Any]
Widths = Collection[int]
Parts = tuple[Numbers, ...]
P = TypeVar("P")
#: Each width, and how it is put together: an older part and a newer one.
STEPS: tuple[tuple[int, int, int], ...] = (
    (2, 1, 1),
    (4, 2, 2),
    (5, 4, 1),
    (10, 5, 5),
    (20, 10, 10),
    (30, 20, 10),
    (60, 30, 30),
)
#: The longest window.
LONGEST = STEPS[-1][0]


@dataclass(frozen=True)
class Moments:
    """Of one column, or of two.

    Attributes:
        count: Bars in the window.
        mean: Of the column.
        squares: Sum of its squared deviations.
        slope: Sum of its deviations times how many bars after the window's middle each one is.
        other: Sum of the other column's squared deviations.
        both: Sum of the products of deviations.
    """

    count: int | Values
    mean: Values
    squares: Values
    slope: Values | None = None
    other: Values | None = None
    both: Values | None = None


class Windows(Protocol):
    """What formulas ask of the windows; ``after`` is 1 where a column has no value in the first bar."""

    def now(self, column: Values) -> Values:
        """The column itself, where windows end."""

    def before(self, column: Values, bars: int) -> Values:
        """The column so many bars earlier, NaN before the first; where windows end."""

    def previous(self, column: Values) -> Values:
        """The column one bar earlier, in each of its own rows; NaN before the first."""

    def count(self, width: int) -> int | Values:
        """How many bars the windows hold."""

    def moments(
        self, column: Values, widths: Widths, other: Values | None = None, after: int = 0
    ) -> Iterator[tuple[int, Moments]]:
        """Of each width; of two columns where another is given, else with the slope."""

    def sums(self, column: Numbers, widths: Widths) -> Iterator[tuple[int, Values]]:
        """Sums of each width; no value in the first row of a history counts as nothing afterwards."""

    def highest(self, column: Values, widths: Widths) -> Iterator[tuple[int, Values]]:
        """The highest of each width."""

    def ages(self, column: Values, widths: Widths) -> Iterator[tuple[int, Numbers]]:
        """How many bars ago the highest of each width was, the oldest of equals."""

    def ranks(self, column: Values, widths: Widths) -> Iterator[tuple[int, Values]]:
        """The rank of the newest bar, from 1, the average of equals."""

    def quantiles(
        self, column: Values, widths: Widths, share: float
    ) -> Iterator[tuple[int, Values]]:
        """The value below which a share (under a half) of each window lies, between two by a straight line."""


@dataclass(frozen=True)
class Whole:
    """Windows that end in the rows of a block, of columns with ``LONGEST`` rows before it."""

    rows: int

    def now(self, column: Values) -> Values:
        return column[len(column) - self.rows :]

    def before(self, column: Values, bars: int) -> Values:
        end = len(column) - bars
        return column[end - self.rows : end]

    def previous(self, column: Values) -> Values:
        return np.concatenate([column[:1], column[:-1]])

    def count(self, width: int) -> int:
        return width

    def moments(
        self,
        column: Values,
        widths: Widths,
        other: Values | None = None,
        after: int = 0,  # noqa: ARG002 - whole windows have a value in every bar
    ) -> Iterator[tuple[int, Moments]]:
        nothing = np.zeros(len(column))
        if other is None:
            for width, (mean, squares, slope) in self._merged(
                (column, nothing, nothing), widths, _join_trends
            ):
                yield width, Moments(width, mean, squares, slope)
            return
        parts = (column, nothing, other, nothing, nothing)
        for width, (mean, squares, _, theirs, both) in self._merged(parts, widths, _join_pairs):
            yield width, Moments(width, mean, squares, other=theirs, both=both)

    def sums(self, column: Numbers, widths: Widths) -> Iterator[tuple[int, Values]]:
        for width, (total,) in self._merged((column,), widths, _join_sums):
            yield width, total

    def highest(self, column: Values, widths: Widths) -> Iterator[tuple[int, Values]]:
        for width, (high,) in self._merged((column,), widths, _join_highest):
            yield width, high

    def ages(self, column: Values, widths: Widths) -> Iterator[tuple[int, Numbers]]:
        nothing = np.zeros(len(column), dtype=np.int8)
        for width, (_, age) in self._merged((column, nothing), widths, _join_ages):
            yield width, age

    def ranks(self, column: Values, widths: Widths) -> Iterator[tuple[int, Values]]:
        now = self.now(column)
        # Twice how many are lower, and once how many are equal, besides the bar itself.
        below = np.zeros(self.rows, dtype=np.int8)
        for back in range(1, max(widths, default=0)):
            older = self.before(column, back)
            below += older < now
            below += older <= now
            if back + 1 in widths:
                yield back + 1, (below.astype(np.float64) + 2.0) * 0.5

    def quantiles(
        self, column: Values, widths: Widths, share: float
    ) -> Iterator[tuple[int, Values]]:
        places = {width: share * (width - 1) for width in widths}
        most = max((int(place) + 2 for place in places.values()), default=0)
        for width, lowest in _steps([column], widths, partial(lowest_of, most=most)):
            below = int(places[width])
            low, high = (self.now(part) for part in lowest[below : below + 2])
            yield width, low + (high - low) * (places[width] - below)

    def _merged(
        self, parts: Parts, widths: Widths, join: Callable[..., Parts]
    ) -> Iterator[tuple[int, Parts]]:
        for width, merged in _steps(parts, widths, join):
            yield width, tuple(self.now(part) for part in merged)


@dataclass(frozen=True)
class Begun:
    """Windows that hold every bar so far: a row for each bar, a column for each symbol."""

    def now(self, column: Values) -> Values:
        return column

    def before(self, column: Values, bars: int) -> Values:
        found = np.full(column.shape, np.nan)
        found[bars:] = column[: max(len(column) - bars, 0)]
        return found

    def previous(self, column: Values) -> Values:
        return self.before(column, 1)

    def count(self, width: int) -> Values:  # noqa: ARG002 - as many as there are
        return np.arange(1.0, LONGEST + 1)[:, None]

    def moments(
        self,
        column: Values,
        widths: Widths,
        other: Values | None = None,
        after: int = 0,
    ) -> Iterator[tuple[int, Moments]]:
        count = np.arange(1.0, len(column) + 1)[:, None] - after
        ours = _distances(column, after)
        mean = _running(ours) / np.maximum(count, 1.0)
        gap = ours - self.before(mean, 1)
        gap[: after + 1] = 0.0
        rest = ours - mean
        squares = _running(gap * rest)
        squares[:after] = np.nan
        first = column[after : after + 1]
        if other is None:
            slope = _running(count * 0.5 * rest)
            found = Moments(count, mean + first, squares, slope)
        else:
            theirs = _distances(other, after)
            middle = _running(theirs) / np.maximum(count, 1.0)
            away = theirs - self.before(middle, 1)
            away[: after + 1] = 0.0
            left = theirs - middle
            found = Moments(
                count,
                mean + first,
                squares,
                other=_running(away * left),
                both=_running(gap * left),
            )
        for width in widths:
            yield width, found

    def sums(self, column: Numbers, widths: Widths) -> Iterator[tuple[int, Values]]:
        counted = column.copy()
        counted[:1] = np.where(np.isnan(column[:1]), 0.0, column[:1])
        total = _running(counted)
        total[:1] = column[:1]
        for width in widths:
            yield width, total

    def highest(self, column: Values, widths: Widths) -> Iterator[tuple[int, Values]]:
        high: Values = np.maximum.accumulate(column, axis=0)
        for width in widths:
            yield width, high

    def ages(self, column: Values, widths: Widths) -> Iterator[tuple[int, Numbers]]:
        high: Values = np.maximum.accumulate(column, axis=0)
        row = np.arange(float(len(column)))[:, None]
        higher = np.zeros(column.shape)
        higher[1:] = np.where(column[1:] > high[:-1], row[1:], 0.0)
        age = row - np.maximum.accumulate(higher, axis=0)
        for width in widths:
            yield width, age

    def ranks(self, column: Values, widths: Widths) -> Iterator[tuple[int, Values]]:
        if not widths:
            return
        so_far = _so_far(column)
        now = column[:, :, None]
        # Integers: exact in any order. The bar itself is one of those that are not higher.
        below = (so_far < now).sum(axis=2) + (so_far <= now).sum(axis=2)
        for width in widths:
            yield width, (below + 1.0) * 0.5

    def quantiles(
        self, column: Values, widths: Widths, share: float
    ) -> Iterator[tuple[int, Values]]:
        if not widths:
            return
        ordered = np.sort(_so_far(column), axis=2)
        place = share * np.arange(len(column))
        below = place.astype(np.intp)
        rows = np.arange(len(column))
        low = ordered[rows, :, below]
        high = np.where((rows > 0)[:, None], ordered[rows, :, below + (rows > 0)], low)
        found = low + (high - low) * (place - below)[:, None]
        for width in widths:
            yield width, found


def _steps(
    parts: P, widths: Widths, join: Callable[[P, int, P, int], P]
) -> Iterator[tuple[int, P]]:
    """Merge windows of one bar into those of all widths, one from the others."""
    known = {1: parts}
    for size, older, newer in STEPS:
        if size > max(widths, default=0):
            return
        known[size] = join(known[older], older, known[newer], newer)
        if size in widths:
            yield size, known[size]


def _paired(older: Parts, older_size: int, newer: Parts, newer_size: int) -> tuple[Parts, Parts]:
    """The windows that have newer ones behind them, and those."""
    count = len(older[0]) - newer_size
    return (
        tuple(part[:count] for part in older),
        tuple(part[older_size:][:count] for part in newer),
    )


def _middle(mean: Values, after: Values, step: Values, older_size: int, newer_size: int) -> Values:
    if older_size == newer_size:
        middle = mean + after
        middle *= 0.5
        return middle
    middle = step * (newer_size / (older_size + newer_size))
    middle += mean
    return middle


def _added(product: Values, weight: float, own: Values, more: Values) -> Values:
    product *= weight
    product += own
    product += more
    return product


def _join_trends(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (mean, own, tilt), (after, more, lean) = _paired(older, older_size, newer, newer_size)
    weight = older_size * newer_size / (older_size + newer_size)
    step = after - mean
    middle = _middle(mean, after, step, older_size, newer_size)
    squares = _added(step * step, weight, own, more)
    # The middles of both are half of both sizes apart.
    return middle, squares, _added(step, older_size * newer_size / 2, tilt, lean)


def _join_pairs(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (left, own, right, other, both), (left_after, more, right_after, rest, joint) = _paired(
        older, older_size, newer, newer_size
    )
    weight = older_size * newer_size / (older_size + newer_size)
    step, stride = left_after - left, right_after - right
    return (
        _middle(left, left_after, step, older_size, newer_size),
        _added(step * step, weight, own, more),
        _middle(right, right_after, stride, older_size, newer_size),
        _added(stride * stride, weight, other, rest),
        _added(step * stride, weight, both, joint),
    )


def _join_sums(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (total,), (more,) = _paired(older, older_size, newer, newer_size)
    return (total + more,)


def _join_highest(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (high,), (after,) = _paired(older, older_size, newer, newer_size)
    return (np.maximum(high, after),)


def _join_ages(older: Parts, older_size: int, newer: Parts, newer_size: int) -> Parts:
    (high, age), (after, young) = _paired(older, older_size, newer, newer_size)
    return np.maximum(high, after), np.where(high >= after, age + np.int8(newer_size), young)


def _distances(column: Values, after: int) -> Values:
    """From the first value; nothing before it."""
    found = column - column[after : after + 1]
    found[:after] = 0.0
    return found


def _running(column: Values) -> Values:
    """Sums so far, made bar by bar."""
    total: Values = np.cumsum(column, axis=0)
    return total


def _so_far(column: Values) -> Values:
    """For each row and symbol all values so far, infinity for those to come."""
    rows = np.arange(len(column))
    return np.where(rows[:, None, None] >= rows, column.T[None], np.inf)
