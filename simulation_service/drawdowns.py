"""How far and how long a curve lay below its highest value so far. Pure."""

from dataclasses import dataclass

import numpy as np

from simulation_service.run import Floats, Integers


@dataclass(frozen=True)
class Drawdown:
    """The worst fall of a curve, and the longest time below a high.

    Attributes:
        depth: The worst fall as a share of the high before it: 0 to -1, and below -1 where more
            than everything was lost.
        start: Place of that high, the last one before the fall; None where the curve never fell.
        trough: Place of the lowest value, the first of equals; None as above.
        recovery: Place of the first value at least as high again; None where there is none yet.
        sessions: Sessions from the first value below that high to the last one before the
            recovery, both included; 0 where the curve never fell.
        longest_sessions: The same of the fall that lasted longest, which may be another one.
    """

    depth: float
    start: int | None
    trough: int | None
    recovery: int | None
    sessions: int
    longest_sessions: int


def drawdown(curve: Floats, session: Integers) -> Drawdown:
    """The drawdown of a curve, value by value.

    Args:
        curve: Values in the order of time, the first one above zero.
        session: For each value a number that changes with the session.
    """
    highest = np.maximum.accumulate(curve)
    below = curve < highest
    if not below.any():
        return Drawdown(0.0, None, None, None, 0, 0)
    shares = curve / highest
    trough = int(np.argmin(shares))
    edges = np.flatnonzero(below[1:] != below[:-1]) + 1  # the first value is its own high
    firsts, ends = edges[::2], edges[1::2]
    lasts = np.append(ends, len(curve))[: len(firsts)] - 1
    changes = np.flatnonzero(session[1:] != session[:-1])
    lengths = np.searchsorted(changes, lasts) - np.searchsorted(changes, firsts) + 1
    worst = int(np.searchsorted(firsts, trough, side="right")) - 1
    return Drawdown(
        depth=float(shares[trough] - 1),
        start=int(firsts[worst]) - 1,
        trough=trough,
        recovery=int(ends[worst]) if worst < len(ends) else None,
        sessions=int(lengths[worst]),
        longest_sessions=int(lengths.max()),
    )


def max_drawdown(curve: Floats) -> float:
    """The worst fall from the highest value so far, as a share of it: 0 to -1."""
    return float(np.min(curve / np.maximum.accumulate(curve) - 1))
