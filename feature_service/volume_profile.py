"""The volume traded at each price of some sessions, in bins of one width, and what stands out in it.

All of it is a matter of bins, so that a change of scale of all prices changes nothing.
"""

import numpy as np
from numpy.typing import NDArray

from feature_service.by_session import starts_of
from feature_service.compiled import Values, compiled, given

Rows = NDArray[np.intp]

#: From the lowest price to the highest.
BINS = 50
_VALUE_AREA = 7  # tenths of the volume
_BITS = 6
#: Of codes; above the number of bins.
BASE = 1 << _BITS
#: Places of the numbers in a code.
POC, LOW, HIGH, HVN_ABOVE, HVN_BELOW, LVN_ABOVE, LVN_BELOW = range(7)


def profiles(
    numbers: Values,
    high: Values,
    low: Values,
    close: Values,
    volume: Values,
    bottom: Values,
    top: Values,
    *,
    sessions: int,
) -> Values:
    """What a close meets in the profile of the sessions before it, as a code.

    Args:
        numbers: Of the bars' sessions.
        bottom: Lowest price of the sessions before, the same in all bars of a session.
        top: The highest.
        sessions: How many sessions before.

    Returns:
        Seven numbers of bins, each at its place in a base of 64: 1 is the lowest bin, 0 is none. All
        are 0 where nothing was traded, and where there are not as many sessions.
    """
    if len(close) == 0:
        return np.zeros(0)
    starts = starts_of(numbers)
    edges = np.append(starts, len(close))
    low_edge, high_edge = given(bottom[starts]), given(top[starts])
    typical = given((high + low + close) / 3)
    volumes = _volumes(typical, given(volume), edges, low_edge, high_edge, sessions)
    return _met(given(close), edges, low_edge, high_edge, given(_answers(volumes)), sessions)


@compiled
def _bin(price: float, bottom: float, top: float) -> int:
    """The bin of a price, from 0; the last for those above, the first for those below."""
    if not top > bottom:
        return 0
    # Towards zero: a typical price may lie below the lowest one by its rounding.
    return max(min(int((price - bottom) * (BINS / (top - bottom))), BINS - 1), 0)


@compiled
def _volumes(
    typical: Values, volume: Values, edges: Rows, bottom: Values, top: Values, sessions: int
) -> Values:
    """The volume in each bin of the sessions before each session; none in the first ones."""
    found = np.zeros((len(bottom), BINS))
    for session in range(sessions, len(bottom)):
        low, high = bottom[session], top[session]
        for row in range(edges[session - sessions], edges[session]):
            found[session, _bin(typical[row], low, high)] += volume[row]
    return found


@compiled
def _met(
    close: Values, edges: Rows, bottom: Values, top: Values, answers: Values, sessions: int
) -> Values:
    """The answer for each close; 0 in the first sessions."""
    found = np.zeros(len(close))
    for session in range(sessions, len(bottom)):
        low, high = bottom[session], top[session]
        for row in range(edges[session], edges[session + 1]):
            if close[row] < low:
                place = 0
            elif close[row] > high:
                place = BINS + 1
            else:
                place = _bin(close[row], low, high) + 1
            found[row] = answers[session, place]
    return found


def _answers(volumes: Values) -> Values:
    """The code for a close in each bin, and below (first column) and above (last) all of them."""
    total = np.cumsum(volumes, axis=1)[:, -1]  # bin by bin, so that the bits are those of the row
    control = _point_of_control(volumes)
    low, high = _value_area(volumes, control, total)
    peaks, valleys = _nodes(volumes, total)
    code = np.zeros((len(volumes), BINS + 2), dtype=np.int64)
    for place, digits in {
        POC: control[:, None] + 1,
        LOW: low[:, None] + 1,
        HIGH: high[:, None] + 1,
        HVN_ABOVE: _nearest_above(peaks),
        HVN_BELOW: _nearest_below(peaks),
        LVN_ABOVE: _nearest_above(valleys),
        LVN_BELOW: _nearest_below(valleys),
    }.items():
        code += digits * BASE**place
    code[total == 0] = 0
    return code.astype(np.float64)


def _point_of_control(volumes: Values) -> NDArray[np.intp]:
    """The bin with most volume; of several the nearest to the centre of the span, then the lower."""
    bins = np.arange(BINS)
    inside_out = np.argsort(np.abs(2 * bins + 1 - BINS), kind="stable")
    control: NDArray[np.intp] = inside_out[np.argmax(volumes[:, inside_out], axis=1)]
    return control


def _value_area(
    volumes: Values, control: NDArray[np.intp], total: Values
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Lowest and highest bin of 70 % of the volume around the point of control.

    Two bins at a time, from the side where the next two hold more, from above where both hold the same.
    """
    rows = np.arange(len(volumes))
    padded = np.pad(volumes, ((0, 0), (2, 2)))
    low, high = control, control
    held = volumes[rows, control]
    while True:
        going = (10 * held < _VALUE_AREA * total) & ((low > 0) | (high < BINS - 1))
        if not going.any():
            return low, high
        above = padded[rows, high + 3] + padded[rows, high + 4]
        below = padded[rows, low + 1] + padded[rows, low]
        upward = (high < BINS - 1) & ((above >= below) | (low == 0))
        held = np.where(going, held + np.where(upward, above, below), held)
        high = np.where(going & upward, np.minimum(high + 2, BINS - 1), high)
        low = np.where(going & ~upward, np.maximum(low - 2, 0), low)


def _nodes(volumes: Values, total: Values) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Peaks above, and valleys below, the mean of the volumes smoothed by weights of 1, 2, 3, 2 and 1.

    Of several bins in a row with the same smoothed volume the lowest is the node. Beyond the span
    there is no volume, so that the first and last bins may be peaks, and never valleys.
    """
    padded = np.pad(volumes, ((0, 0), (2, 2)))
    smooth = np.zeros_like(volumes)
    for offset, weight in enumerate((1.0, 2.0, 3.0, 2.0, 1.0)):
        smooth += weight * padded[:, offset : offset + BINS]
    mean = (9 * total)[:, None]  # of the smoothed volumes, times bins
    before = np.pad(smooth, ((0, 0), (1, 0)), constant_values=-1.0)[:, :BINS]
    after = np.empty_like(smooth)  # the next volume that differs
    following, differing = np.full(len(smooth), -1.0), np.full(len(smooth), -1.0)
    for at in range(BINS - 1, -1, -1):
        differing = np.where(smooth[:, at] == following, differing, following)
        after[:, at], following = differing, smooth[:, at]
    peaks = (smooth > before) & (smooth > after) & (smooth * BINS > mean)
    valleys = (smooth < before) & (smooth < after) & (smooth * BINS < mean)
    return peaks, valleys


def _nearest_above(nodes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For a close below all bins, in each, and above all: the next node above, from 1; 0 for none."""
    far = BINS + 1
    own = np.where(nodes, np.arange(1, BINS + 1), far)
    nearest = np.minimum.accumulate(own[:, ::-1], axis=1)[:, ::-1]
    found = np.pad(nearest, ((0, 0), (0, 2)), constant_values=far)
    return np.where(found == far, 0, found)


def _nearest_below(nodes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """As :func:`_nearest_above`: the next node below."""
    own = np.where(nodes, np.arange(1, BINS + 1), 0)
    return np.pad(np.maximum.accumulate(own, axis=1), ((0, 0), (2, 0)))


def digits(codes: Values, place: int) -> NDArray[np.int64]:
    """The numbers at a place of codes."""
    found: NDArray[np.int64] = codes.astype(np.int64) >> (place * _BITS) & (BASE - 1)
    return found


def prices_at(places: NDArray[np.floating], bottom: Values, top: Values) -> Values:
    """Prices in spans from ``bottom`` to ``top``, in bins from the lowest edge of each."""
    found: Values = bottom + (top - bottom) * (places / BINS)
    return found
