"""How far and how long a curve lay below its highest value so far. Pure."""

from dataclasses import dataclass

import numpy as np

from feature_service.compiled import given
from simulation_service.run import Floats, Integers

_NOWHERE = -1


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


def drawdown(curve: Floats, session: Integers, *, before: float | None = None) -> Drawdown:
    """The drawdown of a curve, value by value.

    Args:
        curve: Finite values in the order of time, the first one above zero.
        session: For each value a number that changes with the session.
        before: A value above zero before all of them, in the session of the first one; it has place
            0 then, and the curve's first value place 1.
    """
    share, found = _falls(curve, session, before)
    start, trough, recovery, sessions, longest = found
    if trough == _NOWHERE:
        return Drawdown(0.0, None, None, None, 0, 0)
    shift = 0 if before is None else 1
    return Drawdown(
        depth=share - 1,
        start=start + shift,
        trough=trough + shift,
        recovery=None if recovery == _NOWHERE else recovery + shift,
        sessions=sessions,
        longest_sessions=longest,
    )


def max_drawdown(curve: Floats, *, before: float | None = None) -> float:
    """The worst fall from the highest value so far, as a share of it: 0 to -1.

    Args:
        curve: As for :func:`drawdown`, like ``before``.
    """
    share, _ = _falls(curve, np.empty(0, dtype=np.int64), before)
    return share - 1


def _falls(curve: Floats, session: Integers, before: float | None) -> tuple[float, list[int]]:
    """The least share of the high before it, and the other fields; places count from the curve."""
    from simulation_service.falls import through  # Numba is not needed by who imports figures only

    found = np.full(5, _NOWHERE, dtype=np.int64)
    first = float(curve[0] if before is None else before)
    share = through(given(curve), _numbers(session), first, found)
    return float(share), found.tolist()


def _numbers(session: Integers) -> Integers:
    """As a compiled function takes them, so that it is compiled once."""
    found = np.ascontiguousarray(session, dtype=np.int64).view()
    found.flags.writeable = False
    return found
