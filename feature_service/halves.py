"""Windows merged from halves, about log2(width) passes over a block of bars, compiled.

See ``feature_service.windows`` for why. A function takes columns, as long as one another, and a width;
it gives a value for every row, NaN before the first whole window.

Sums of squares, of products and of higher powers are of deviations from the window's own mean: Chan,
Golub and LeVeque, Algorithms for Computing the Sample Variance (1979); Pébay, Formulas for Robust,
One-Pass Parallel Computation of Covariances and Arbitrary-Order Statistical Moments (2008).
"""

import numpy as np

from feature_service.compiled import Values, compiled, given

# Windows of a block, and all that leads to them, stay in the processor's nearest cache.
_BLOCK = 1_024
# What is known of a window while it is merged, and how many numbers that are.
_MEANS = 0  # the mean
_MOMENTS = 1  # and the sum of squares
_CUBES = 2  # and that of cubes
_FOURTHS = 3  # and that of fourth powers
_TRENDS = 4  # the mean, and the sum of deviations times how many bars after the middle each one is
_PRODUCTS = 5  # both means, both sums of squares, the sum of products
_AVERAGES = 6  # the weighted mean, and the weight
_AGES = 7  # the highest, and how many bars ago it was
_HIGHEST = 8
_NUMBERS = (1, 2, 3, 4, 2, 5, 2, 2, 1)
# What a sum of weights that are zero is divided by; it is nothing beside any weight.
_NEXT_TO_NOTHING = float(np.finfo(np.float64).tiny)

_MEAN = 0
_VARIANCE = 1
_DEVIATION = 2
_ZSCORE = 3
_SKEW = 4
_KURTOSIS = 5
_WEIGHTED = 6
_AVERAGE = 7
_CORRELATION = 8
_BETA = 9
_AGE = 10
_HIGH = 11
_DISTANCE = 12
_LOW = 13
_LOW_AGE = 14
# What is known of the windows that each of these is made of.
_KINDS = (
    *(_MEANS, _MOMENTS, _MOMENTS, _MOMENTS, _CUBES, _FOURTHS, _TRENDS),
    *(_AVERAGES, _PRODUCTS, _PRODUCTS, _AGES, _HIGHEST, _MEANS, _HIGHEST, _AGES),
)


def means(values: Values, width: int) -> Values:
    """Mean."""
    return _alone(_MEAN, values, width)


def variances(values: Values, width: int, ddof: int) -> Values:
    """Variance, of the population (``ddof`` 0) or of the sample (1); exactly 0 where all are the same."""
    return _alone(_VARIANCE, values, width, ddof)


def deviations(values: Values, width: int, ddof: int) -> Values:
    """Standard deviation; see :func:`variances`."""
    return _alone(_DEVIATION, values, width, ddof)


def zscores(values: Values, width: int) -> Values:
    """The newest's distance from the mean in deviations (of the population); NaN where all are the same."""
    return _alone(_ZSCORE, values, width)


def skews(values: Values, width: int) -> Values:
    """Skewness (of the population); NaN where all are the same."""
    return _alone(_SKEW, values, width)


def kurtoses(values: Values, width: int) -> Values:
    """Excess kurtosis (of the population); NaN where all are the same."""
    return _alone(_KURTOSIS, values, width)


def weighted_means(values: Values, width: int) -> Values:
    """Mean, the oldest weighing 1 and the newest ``width``."""
    return _alone(_WEIGHTED, values, width)


def averages(values: Values, weights: Values, width: int) -> Values:
    """Mean by weights, none below zero; NaN where nothing weighs."""
    return _beside(_AVERAGE, values, weights, width)


def correlations(values: Values, other: Values, width: int) -> Values:
    """Pearson's correlation, -1 to 1; NaN where one stands still."""
    return _beside(_CORRELATION, values, other, width)


def betas(values: Values, other: Values, width: int) -> Values:
    """Slope on the other column; NaN where that stands still."""
    return _beside(_BETA, values, other, width)


def ages(values: Values, width: int) -> Values:
    """How many bars ago the highest was; the newest of equals counts."""
    return _alone(_AGE, values, width)


def ages_of_lowest(values: Values, width: int) -> Values:
    """How many bars ago the lowest was; the newest of equals counts."""
    return _alone(_LOW_AGE, values, width)


def highest(values: Values, width: int) -> Values:
    """The highest."""
    return _alone(_HIGH, values, width)


def lowest(values: Values, width: int) -> Values:
    """The lowest."""
    return _alone(_LOW, values, width)


def mean_distances(values: Values, width: int) -> Values:
    """Mean distance from the mean."""
    return _alone(_DISTANCE, values, width)


def _alone(statistic: int, values: Values, width: int, ddof: int = 0) -> Values:
    column, found = given(values), np.empty(len(values))
    _windows(statistic, column, column, width, ddof, found)
    return found


def _beside(statistic: int, values: Values, other: Values, width: int) -> Values:
    found = np.empty(len(values))
    _windows(statistic, given(values), given(other), width, 0, found)
    return found


@compiled
def _windows(
    statistic: int, values: Values, other: Values, width: int, ddof: int, found: Values
) -> None:
    """One of the above, block by block."""
    found[: width - 1] = np.nan
    kind = _KINDS[statistic]
    room = np.empty((4, _NUMBERS[kind], _BLOCK + width - 1))
    for begin in range(0, len(values) - width + 1, _BLOCK):
        rows = min(_BLOCK, len(values) - width + 1 - begin)
        count = rows + width - 1
        room[0, 0, :count] = values[begin : begin + count]
        room[0, 1:, :count] = 0.0
        if statistic in (_LOW, _LOW_AGE):
            room[0, 0, :count] *= -1.0
        if kind in (_PRODUCTS, _AVERAGES):
            room[0, 1, :count] = other[begin : begin + count]
        windows = _halved(kind, count, width, room)
        newest = values[begin + width - 1 :]
        _finish(statistic, windows, newest, width, ddof, found[begin + width - 1 :][:rows])
        if statistic == _DISTANCE:
            _measure(windows[0], values[begin:], width, found[begin + width - 1 :][:rows])


@compiled
def _finish(  # noqa: C901, PLR0912 - a case for each
    statistic: int, windows: Values, newest: Values, width: int, ddof: int, found: Values
) -> None:
    """What is asked, of what is known of each window."""
    first, last = windows[0], windows[len(windows) - 1]
    for row in range(len(found)):
        if statistic in (_MEAN, _HIGH):
            found[row] = first[row]
        elif statistic == _VARIANCE:
            found[row] = last[row] / (width - ddof)
        elif statistic == _DEVIATION:
            found[row] = np.sqrt(last[row] / (width - ddof))
        elif statistic == _ZSCORE:
            deviation = np.sqrt(last[row] / width)
            found[row] = (newest[row] - first[row]) / deviation if deviation else np.nan
        elif statistic == _SKEW:
            variance = windows[1, row] / width
            scale = variance * np.sqrt(variance)
            found[row] = last[row] / width / scale if scale else np.nan
        elif statistic == _KURTOSIS:
            scale = windows[1, row] * windows[1, row]
            found[row] = last[row] * width / scale - 3.0 if scale else np.nan
        elif statistic == _WEIGHTED:
            # Distances from the plain mean: where the price stands still the answer is that price.
            found[row] = first[row] + last[row] / (width * (width + 1) / 2)
        elif statistic == _AVERAGE:
            found[row] = first[row] if last[row] > 0 else np.nan
        elif statistic == _CORRELATION:
            scale = np.sqrt(windows[2, row]) * np.sqrt(windows[3, row])
            found[row] = min(max(last[row] / scale, -1.0), 1.0) if scale > 0 else np.nan
        elif statistic == _BETA:
            found[row] = last[row] / windows[3, row] if windows[3, row] else np.nan
        elif statistic == _LOW:
            found[row] = -first[row]
        elif statistic in (_AGE, _LOW_AGE):
            found[row] = np.nan if np.isnan(first[row]) else last[row]


@compiled
def _measure(centres: Values, values: Values, width: int, found: Values) -> None:
    """Mean distances of the bars of each window from its mean."""
    found[:] = 0.0
    for offset in range(width):
        bars = values[offset:]
        for row in range(len(found)):
            found[row] += abs(bars[row] - centres[row])
    for row in range(len(found)):
        found[row] /= width


@compiled
def _plain(number: int) -> int:
    """A number that Numba does not know: it would compile what is called with it apart."""
    plain: int = np.int64(number)  # type: ignore[assignment]
    return plain


@compiled
def _halved(kind: int, count: int, width: int, room: Values) -> Values:
    """Windows of one bar, merged into those of ``width``."""
    block, spare = room[0], room[1]
    whole: Values = room[2]
    other: Values = room[3]
    size, done, left = _plain(1), _plain(0), _plain(0)
    while True:
        if width & size:
            if done:
                left -= size
                _join(kind, whole, done, block, size, other, left)
                whole, other = other, whole
            else:
                left = count
                whole[:, :count] = block[:, :count]
            done += size
        if done == width:
            return whole
        count -= size
        _join(kind, block, size, block, size, spare, count)
        block, spare = spare, block
        size *= 2


@compiled
def _join(kind: int, a: Values, m: int, b: Values, n: int, found: Values, rows: int) -> None:
    """Windows of ``m`` bars, each with the one of ``n`` bars that follows it."""
    if kind == _AVERAGES:
        _join_averages(a, m, b, found, rows)
    elif kind == _HIGHEST:
        _join_highest(a[0], b[0, m:], found[0], rows)
    elif kind == _AGES:
        _join_ages(a, m, b, n, found, rows)
    elif kind == _PRODUCTS:
        _join_means(a[0], m, b[0, m:], n, found[0], rows)
        _join_means(a[1], m, b[1, m:], n, found[1], rows)
        _join_squares(a[0], m, b[0, m:], n, (a[2], b[2, m:]), found[2], rows)
        _join_squares(a[1], m, b[1, m:], n, (a[3], b[3, m:]), found[3], rows)
        _join_products(a, m, b, n, found[4], rows)
    else:
        _join_means(a[0], m, b[0, m:], n, found[0], rows)
        if kind == _TRENDS:
            _join_slopes(a, m, b, n, found[1], rows)
        elif kind != _MEANS:
            _join_squares(a[0], m, b[0, m:], n, (a[1], b[1, m:]), found[1], rows)
            if kind != _MOMENTS:
                _join_cubes(a, m, b, n, found[2], rows)
            if kind == _FOURTHS:
                _join_fourths(a, m, b, n, found[3], rows)


@compiled
def _join_means(older: Values, m: int, newer: Values, n: int, found: Values, rows: int) -> None:
    """Means; halves of the same size need no distance."""
    if m == n:
        for row in range(rows):
            found[row] = (older[row] + newer[row]) * 0.5
        return
    share = n / (m + n)
    for row in range(rows):
        found[row] = (newer[row] - older[row]) * share + older[row]


@compiled
def _join_squares(
    older: Values,
    m: int,
    newer: Values,
    n: int,
    sums: tuple[Values, Values],
    found: Values,
    rows: int,
) -> None:
    """Sums of squares of deviations."""
    own, more = sums
    weight = m * n / (m + n)
    for row in range(rows):
        step = newer[row] - older[row]
        found[row] = step * step * weight + own[row] + more[row]


@compiled
def _join_products(a: Values, m: int, b: Values, n: int, found: Values, rows: int) -> None:
    """Sums of products of deviations of two columns."""
    older, newer, other, another = a[0], b[0, m:], a[1], b[1, m:]
    own, more = a[4], b[4, m:]
    weight = m * n / (m + n)
    for row in range(rows):
        product = (newer[row] - older[row]) * (another[row] - other[row])
        found[row] = product * weight + own[row] + more[row]


@compiled
def _join_slopes(a: Values, m: int, b: Values, n: int, found: Values, rows: int) -> None:
    """Sums of deviations times places; the middles are half of both sizes apart."""
    older, newer, own, more = a[0], b[0, m:], a[1], b[1, m:]
    weight = m * n / 2
    for row in range(rows):
        found[row] = (newer[row] - older[row]) * weight + own[row] + more[row]


@compiled
def _join_cubes(a: Values, m: int, b: Values, n: int, found: Values, rows: int) -> None:
    """Sums of cubes of deviations."""
    older, newer, own, more = a[0], b[0, m:], a[1], b[1, m:]
    ours, theirs = a[2], b[2, m:]
    share, rest = m / (m + n), n / (m + n)
    first, second, third = 3.0 * share, 3.0 * rest, share * rest * (m - n)
    for row in range(rows):
        step = newer[row] - older[row]
        cubes = first * more[row] - second * own[row] + step * step * third
        found[row] = cubes * step + ours[row] + theirs[row]


@compiled
def _join_fourths(a: Values, m: int, b: Values, n: int, found: Values, rows: int) -> None:
    """Sums of fourth powers of deviations."""
    older, newer, own, more = a[0], b[0, m:], a[1], b[1, m:]
    ours, theirs, left, right = a[2], b[2, m:], a[3], b[3, m:]
    share, rest = m / (m + n), n / (m + n)
    first = share * rest * (m + n) * (share * share - share * rest + rest * rest)
    second, third = 6.0 * (share * share), 6.0 * (rest * rest)
    fourth, fifth = 4.0 * share, 4.0 * rest
    for row in range(rows):
        step = newer[row] - older[row]
        square = step * step
        inner = square * first + more[row] * second + own[row] * third
        lean = (theirs[row] * fourth - ours[row] * fifth) * step
        found[row] = inner * square + lean + left[row] + right[row]


@compiled
def _join_averages(a: Values, m: int, b: Values, found: Values, rows: int) -> None:
    """Weighted means and weights."""
    older, newer, own, more = a[0], b[0, m:], a[1], b[1, m:]
    joined, weights = found[0], found[1]
    for row in range(rows):
        weights[row] = own[row] + more[row]
        share = more[row] / (weights[row] + _NEXT_TO_NOTHING)
        joined[row] = (newer[row] - older[row]) * share + older[row]


@compiled
def _join_highest(older: Values, newer: Values, found: Values, rows: int) -> None:
    """The higher ones; not a number where either is not."""
    for row in range(rows):
        first, second = older[row], newer[row]
        found[row] = second if second > first or second != second else first  # noqa: PLR0124


@compiled
def _join_ages(a: Values, m: int, b: Values, n: int, found: Values, rows: int) -> None:
    """The higher ones, and how many bars ago those were; the newer of equals."""
    older, newer, own, more, ages = a[0], b[0, m:], a[1], b[1, m:], found[1]
    for row in range(rows):
        ages[row] = more[row] if newer[row] >= older[row] else own[row] + n
    _join_highest(older, newer, found[0], rows)
