"""The falls of a curve as a compiled loop; :mod:`simulation_service.drawdowns` hands it what it needs."""

from feature_service.compiled import compiled
from simulation_service.run import Floats, Integers

# Places in what a pass over a curve finds.
START, TROUGH, RECOVERY, SESSIONS, LONGEST = range(5)
NOWHERE = -1


@compiled
def through(  # noqa: C901 - the values
    values: Floats, session: Integers, first: float, found: Integers
) -> float:
    """The least share of the high before it, and in ``found`` where that was and how long falls were.

    Without session numbers none are counted, and lengths mean nothing.
    Within a fall the high is the same, so only a value below all of the fall can be the least share.
    """
    high, low, least = first, first, 1.0
    top, seen, begun, last = NOWHERE, 0, 0, 0
    falls = worst = False
    for row in range(len(values)):
        if 0 < row < len(session) and session[row] != session[row - 1]:
            seen += 1
        value = values[row]
        if value < high:
            if not falls:
                falls, low, begun = True, high, seen
            last = seen
            if value < low:
                low = value
                share = value / high
                if share < least:
                    least, worst = share, True
                    found[START], found[TROUGH] = top, row
            continue
        if falls:
            found[LONGEST] = max(found[LONGEST], last - begun + 1)
            if worst:
                found[SESSIONS], found[RECOVERY] = last - begun + 1, row
            falls = worst = False
        high, top = value, row
    if falls:
        found[LONGEST] = max(found[LONGEST], last - begun + 1)
        if worst:
            found[SESSIONS], found[RECOVERY] = last - begun + 1, NOWHERE
    return least
