"""Sorting many short windows at once: networks of minima and maxima over whole columns.

A window is a list of columns, lowest first: the first holds the lowest value of each window, and so on.
Two neighbouring windows become one by Batcher's bitonic merge (1968), of which only the lowest few are
kept; no value is ever computed, so that the order is exact.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def lowest_of(
    older: list[Values], older_size: int, newer: list[Values], newer_size: int, most: int
) -> list[Values]:
    """The lowest ``most`` values of windows joined with the newer ones behind them, in order.

    Args:
        older: The lowest values of windows of ``older_size`` bars, all or at least ``most``.
        older_size: Bars.
        newer: The same of windows of ``newer_size`` bars.
        newer_size: Bars.
        most: How many to keep.
    """
    count = len(older[0]) - newer_size
    ours = [part[:count] for part in older]
    theirs = [part[older_size:][:count] for part in newer]
    return _sorted(_candidates(ours, theirs, min(most, len(ours) + len(theirs))))


def _candidates(ours: list[Values], theirs: list[Values], keep: int) -> list[Values]:
    """The lowest ``keep`` of two ordered lists: rising, then falling."""
    found = []
    for place in range(keep):
        mirrored = keep - 1 - place
        if place >= len(ours):
            found.append(theirs[mirrored])
        elif mirrored >= len(theirs):
            found.append(ours[place])
        else:
            found.append(np.minimum(ours[place], theirs[mirrored]))
    return found


def _sorted(rising_then_falling: list[Values]) -> list[Values]:
    """In order; places up to a power of two hold nothing, which is lower than everything."""
    size = 1
    while size < len(rising_then_falling):
        size *= 2
    wires: list[Values | None] = [*rising_then_falling]
    wires += [None] * (size - len(wires))
    stride = size // 2
    while stride:
        for low in range(size):
            if not low & stride:
                wires[low], wires[low + stride] = _exchanged(wires[low], wires[low + stride])
        stride //= 2
    return [wire for wire in wires if wire is not None]


def _exchanged(low: Values | None, high: Values | None) -> tuple[Values | None, Values | None]:
    if low is None or high is None:
        return (None, low) if high is None else (low, high)
    return np.minimum(low, high), np.maximum(low, high)
