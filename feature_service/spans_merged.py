"""What windows of all widths are, merged from one another in one pass over the bars, compiled.

A block of bars is computed as a history of its own, with so many bars before it that its windows are
whole. A window is merged from an older part and a newer one (see ``feature_service.halves``); where a
history begins, the older part is short or there is none. So a bar's bits come from its window alone,
deviations are exactly zero where all are the same, and all scales exactly by powers of two.
"""

import numpy as np
from numpy.typing import NDArray

from feature_service.compiled import Values, compiled

Rows = NDArray[np.intp]
Numbers = NDArray[np.int64]

# Each width, and how it is put together: an older part and a newer one, by their places in this list.
SIZES = (1, 2, 4, 5, 10, 20, 30, 60)
_OLDER = (0, 0, 1, 2, 3, 4, 5, 6)
_NEWER = (0, 0, 1, 0, 3, 4, 4, 6)
# Bars before a block that its windows reach.
_LEAD = SIZES[-1] - 1
# A block, and all that leads to its windows, stays in the processor's nearest caches.
_BLOCK = 1_024
# What is known of windows while they are merged, and how many numbers that are.
_TRENDS = 0  # mean, sum of squared deviations, and of deviations times bars after the middle
_PAIRS = 1  # mean and squares of one column and of another, and the sum of products of deviations
_SUMS = 2  # of what is above zero, and of what is below
_EXTREMES = 3  # the highest and how many bars ago, the lowest (below zero) and how many bars ago
_NUMBERS = (3, 5, 2, 4)

#: What is asked of windows. ``over`` is a column that belongs to the newest bar.
MEAN = 0  # over ``over``, as the next two
DEVIATION = 1  # of a sample
SLOPE = 2  # of the straight line, a bar
EXPLAINED = 3  # the line's share of the variance; NaN where all are the same
RESIDUAL = 4  # how far ``over`` lies above the line, over ``over``
SPREAD = 5  # deviation over mean; 0 where both are
CORRELATION = 6  # of two columns; NaN where one stands still
GAINED = 7  # what is above zero over all distances from zero; 0 where all are zero
LOST = 8  # what is below
GAINED_LESS_LOST = 9
ROSE = 10  # what is above zero over the number of bars
FELL = 11
ROSE_LESS_FELL = 12
HIGHEST = 13  # of a column over ``over``
LOWEST = 14  # of another
PLACE = 15  # of ``over`` between both, 0 to 1; 0 where they are the same
HIGHEST_AT = 16  # which bar over the width, from 1, the oldest of equals
LOWEST_AT = 17
HIGHEST_AFTER_LOWEST = 18
_KINDS = (*(_TRENDS,) * 6, _PAIRS, *(_SUMS,) * 6, *(_EXTREMES,) * 6)


@compiled
def merge(
    columns: tuple[Values, Values, Values], edges: Rows, after: int, asked: Numbers, found: Values
) -> None:
    """All that is asked, symbol by symbol and block by block.

    Args:
        columns: One, another, and ``over``.
        edges: Rows at which symbols begin, and how many rows there are.
        after: 1 where a symbol's first row has no value: it is in no window, and gets NaN.
        asked: Statistics of one kind and widths.
        found: A row for each of these.
    """
    kind = _KINDS[asked[0, 0]]
    longest = asked[:, 1].max()
    room = np.empty((len(SIZES), _NUMBERS[kind], _BLOCK + _LEAD))
    so_far = np.arange(1.0, _BLOCK + _LEAD + 1)
    for symbol in range(len(edges) - 1):
        start = edges[symbol] + after
        found[:, edges[symbol] : min(start, edges[symbol + 1])] = np.nan
        for begin in range(start, edges[symbol + 1], _BLOCK):
            end = min(begin + _BLOCK, edges[symbol + 1])
            first = max(start, begin - _LEAD)
            _fill(kind, columns[0][first:end], columns[1][first:end], room[0])
            for step in range(1, len(SIZES)):
                if SIZES[step] > longest:
                    break
                older, newer = _OLDER[step], _NEWER[step]
                sizes = SIZES[older], SIZES[newer]
                if first == start:
                    _begin(kind, room[older], room[newer], sizes, end - first, room[step])
                whole = SIZES[step] - 1, end - first
                _join(kind, room[older], room[newer], sizes, whole, room[step])
                for one in range(len(asked)):
                    if asked[one, 1] == SIZES[step]:
                        _finish(
                            asked[one, 0],
                            room[step],
                            begin - first,
                            (so_far[begin - first :], columns[2][begin:end]),
                            asked[one, 1],
                            found[one, begin:end],
                        )


@compiled
def _fill(kind: int, column: Values, other: Values, bars: Values) -> None:
    """Windows of one bar."""
    rows = len(column)
    if kind == _SUMS:
        for row in range(rows):
            bars[0, row] = max(column[row], 0.0)
            bars[1, row] = max(0.0 - column[row], 0.0)
        return
    bars[1:, :rows] = 0.0
    bars[0, :rows] = column
    if kind == _PAIRS:
        bars[2, :rows] = other
    elif kind == _EXTREMES:
        for row in range(rows):
            bars[2, row] = -other[row]


@compiled
def _begin(
    kind: int, older: Values, newer: Values, sizes: tuple[int, int], rows: int, found: Values
) -> None:
    """Windows of the first rows of a history."""
    m, n = sizes
    found[:, : min(n, rows)] = newer[:, : min(n, rows)]
    for row in range(n, min(n + m - 1, rows)):
        _join(kind, older, newer, (row + 1 - n, n), (row, row + 1), found)


@compiled
def _join(
    kind: int,
    older: Values,
    newer: Values,
    sizes: tuple[int, int],
    rows: tuple[int, int],
    found: Values,
) -> None:
    """Windows with the ones of ``n`` bars behind them, which end in some rows."""
    (m, n), (b, end) = sizes, rows
    if b >= end:
        return
    a = b - n
    if kind == _SUMS:
        _join_sums(older[0, a:], newer[0, b:], found[0, b:end])
        _join_sums(older[1, a:], newer[1, b:], found[1, b:end])
    elif kind == _EXTREMES:
        for number in (0, 2):
            highs, ages = (older[number, a:], newer[number, b:]), number + 1
            _join_highest(highs, found[number, b:end])
            _join_ages(highs, (older[ages, a:], newer[ages, b:]), n, found[ages, b:end])
    else:
        means = older[0, a:], newer[0, b:]
        weight = m * n / (m + n)
        _join_means(means, m, n, found[0, b:end])
        _join_products(means, means, (older[1, a:], newer[1, b:]), weight, found[1, b:end])
        if kind == _TRENDS:
            # The middles of both are half of both sizes apart.
            _join_slopes(means, (older[2, a:], newer[2, b:]), m * n / 2, found[2, b:end])
        else:
            others = older[2, a:], newer[2, b:]
            _join_means(others, m, n, found[2, b:end])
            _join_products(others, others, (older[3, a:], newer[3, b:]), weight, found[3, b:end])
            _join_products(means, others, (older[4, a:], newer[4, b:]), weight, found[4, b:end])


@compiled
def _join_means(means: tuple[Values, Values], m: int, n: int, found: Values) -> None:
    """Means; parts of the same size need no distance."""
    older, newer = means
    if m == n:
        for row in range(len(found)):
            found[row] = (older[row] + newer[row]) * 0.5
        return
    share = n / (m + n)
    for row in range(len(found)):
        found[row] = (newer[row] - older[row]) * share + older[row]


@compiled
def _join_products(
    means: tuple[Values, Values],
    others: tuple[Values, Values],
    sums: tuple[Values, Values],
    weight: float,
    found: Values,
) -> None:
    """Sums of products of deviations."""
    older, newer = means
    other, another = others
    own, more = sums
    for row in range(len(found)):
        product = (newer[row] - older[row]) * (another[row] - other[row])
        found[row] = product * weight + own[row] + more[row]


@compiled
def _join_slopes(
    means: tuple[Values, Values], sums: tuple[Values, Values], weight: float, found: Values
) -> None:
    """Sums of deviations times places."""
    older, newer = means
    own, more = sums
    for row in range(len(found)):
        found[row] = (newer[row] - older[row]) * weight + own[row] + more[row]


@compiled
def _join_sums(older: Values, newer: Values, found: Values) -> None:
    for row in range(len(found)):
        found[row] = older[row] + newer[row]


@compiled
def _join_highest(highs: tuple[Values, Values], found: Values) -> None:
    older, newer = highs
    for row in range(len(found)):
        found[row] = max(older[row], newer[row])


@compiled
def _join_ages(
    highs: tuple[Values, Values], ages: tuple[Values, Values], n: int, found: Values
) -> None:
    """How many bars ago the higher ones were; the older of equals."""
    older, newer = highs
    own, more = ages
    for row in range(len(found)):
        found[row] = own[row] + n if older[row] >= newer[row] else more[row]


@compiled
def _finish(
    statistic: int,
    windows: Values,
    lead: int,
    bars: tuple[Values, Values],
    width: int,
    found: Values,
) -> None:
    """What is asked, of what is known of the windows that end behind ``lead`` rows."""
    kind = _KINDS[statistic]
    first, second = windows[0, lead:], windows[1, lead:]
    if kind == _TRENDS:
        _of_trends(statistic, (first, second, windows[2, lead:]), bars, width, found)
    elif kind == _PAIRS:
        for row in range(len(found)):
            scale = np.sqrt(second[row]) * np.sqrt(windows[3, lead + row])
            share = windows[4, lead + row] / scale
            found[row] = min(max(share, -1.0), 1.0) if scale > 0 else np.nan
    elif kind == _SUMS:
        _of_sums(statistic, first, second, bars[0], width, found)
    else:
        ages = second, windows[3, lead:]
        _of_extremes(statistic, (first, windows[2, lead:]), ages, bars, width, found)


@compiled
def _of_trends(
    statistic: int,
    windows: tuple[Values, Values, Values],
    bars: tuple[Values, Values],
    width: int,
    found: Values,
) -> None:
    mean, squares, tilt = windows
    so_far, over = bars
    for row in range(len(found)):
        count = min(so_far[row], width)
        if statistic == MEAN:
            found[row] = mean[row] / over[row]
        elif statistic == DEVIATION:
            found[row] = np.sqrt(squares[row] / (count - 1.0)) / over[row]
        elif statistic == SPREAD:
            deviation = np.sqrt(squares[row] / (count - 1.0))
            found[row] = _over_or_zero(deviation, mean[row])
        else:
            slope = tilt[row] * 12.0 / (count * (count * count - 1.0))
            if statistic == SLOPE:
                found[row] = slope / over[row]
            elif statistic == RESIDUAL:
                line = mean[row] + slope * ((count - 1.0) * 0.5)
                found[row] = (over[row] - line) / over[row]
            else:
                share = slope * tilt[row] / squares[row]
                found[row] = min(share, 1.0)


@compiled
def _of_sums(
    statistic: int, above: Values, below: Values, so_far: Values, width: int, found: Values
) -> None:
    for row in range(len(found)):
        gained, lost = above[row], below[row]
        count = min(so_far[row], width)
        if statistic == GAINED:
            found[row] = _over_or_zero(gained, gained + lost)
        elif statistic == LOST:
            found[row] = _over_or_zero(lost, gained + lost)
        elif statistic == GAINED_LESS_LOST:
            found[row] = _over_or_zero(gained - lost, gained + lost)
        elif statistic == ROSE:
            found[row] = gained / count
        elif statistic == FELL:
            found[row] = lost / count
        else:
            found[row] = (gained - lost) / count


@compiled
def _of_extremes(
    statistic: int,
    highs: tuple[Values, Values],
    ages: tuple[Values, Values],
    bars: tuple[Values, Values],
    width: int,
    found: Values,
) -> None:
    top, bottom = highs  # the lowest below zero
    top_age, bottom_age = ages
    so_far, over = bars
    for row in range(len(found)):
        count = min(so_far[row], width)
        if statistic == HIGHEST:
            found[row] = top[row] / over[row]
        elif statistic == LOWEST:
            found[row] = -bottom[row] / over[row]
        elif statistic == PLACE:
            found[row] = _over_or_zero(over[row] + bottom[row], top[row] + bottom[row])
        elif statistic == HIGHEST_AT:
            found[row] = (count - top_age[row]) / width
        elif statistic == LOWEST_AT:
            found[row] = (count - bottom_age[row]) / width
        else:
            found[row] = (bottom_age[row] - top_age[row]) / width


@compiled
def _over_or_zero(part: float, whole: float) -> float:
    """A quotient, 0 where both are zero."""
    return part / (whole if whole != 0.0 else 1.0)
