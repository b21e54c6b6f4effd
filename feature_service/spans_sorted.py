"""What sorted windows are asked, compiled; a bar's bits come from its window alone."""

import numpy as np
from numpy.typing import NDArray

from feature_service.compiled import Values, compiled

Rows = NDArray[np.intp]
Numbers = NDArray[np.int64]

# Of the windows whose lower end is looked at, or whose upper end.
_FIFTH = 0.2

#: What is asked of windows. ``over`` is a column that belongs to the newest bar.
LOWER_FIFTH = 0  # what a fifth lies below, between two by a straight line, over ``over``
UPPER_FIFTH = 1  # what a fifth lies above
RANK = 2  # of the newest, from 1, the average of equals, over the number of bars


@compiled
def order(
    column: Values, over: Values, edges: Rows, width: int, asked: Numbers, found: Values
) -> None:
    """All that is asked of windows of one width.

    Args:
        edges: Rows at which symbols begin, and how many rows there are.
        asked: Statistics.
        found: A row for each of these.
    """
    window = np.empty(width + 1)
    for symbol in range(len(edges) - 1):
        window[:] = np.inf  # where there is no bar yet
        start = edges[symbol]
        for row in range(start, edges[symbol + 1]):
            count = min(row + 1 - start, width)
            leaving = column[row - width] if row - start >= width else np.inf
            _exchange(window, width, leaving, column[row])
            for one in range(len(asked)):
                if asked[one] == RANK:
                    found[one, row] = _rank(window, width, column[row]) / count
                else:
                    found[one, row] = _quantile(asked[one], window, count) / over[row]


@compiled
def _exchange(window: Values, width: int, leaving: float, newest: float) -> None:
    """A sorted window without one value and with another: no branch that could be foretold wrongly."""
    lower = -np.inf
    for place in range(width):
        own = window[place] if window[place] < leaving else window[place + 1]
        window[place] = min(max(newest, lower), own)
        lower = own


@compiled
def _rank(window: Values, width: int, newest: float) -> float:
    below = 1
    for place in range(width):
        below += (window[place] < newest) + (window[place] <= newest)
    return float(below) * 0.5


@compiled
def _quantile(statistic: int, window: Values, count: int) -> float:
    place = _FIFTH * (count - 1)
    below = int(place)
    near, far = below, min(below + 1, count - 1)
    if statistic == UPPER_FIFTH:
        near, far = count - 1 - near, count - 1 - far
    low, high = float(window[near]), float(window[far])
    return low + (high - low) * (place - below)
