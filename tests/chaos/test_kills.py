"""What is promised of kill -9: at any change of the disk, in any work, nothing but whole commits."""

import random
import time

import pytest

from tests.chaos import tracing
from tests.chaos.conftest import FULL, POINT, POINTS, SEED
from tests.chaos.names import NAMES, SAMPLE

#: The work is done again after the kill for one point of so many.
REPEATED = 4

pytestmark = [
    pytest.mark.skipif(not tracing.possible(), reason="needs Linux on x86-64"),
    pytest.mark.timeout(7200),
]


@pytest.mark.parametrize("work", NAMES if FULL or POINT else SAMPLE)
def test_a_kill_at_any_change_of_the_disk_leaves_whole_commits(work, server, dice, figure):
    folder = server.folder / work.replace(" ", "-")
    begun = time.monotonic()
    points, problem = server.ask("prepare", work, folder)
    assert not problem, f"undisturbed, seed {SEED}: {problem}"

    kills = unchanged = repeated = 0
    broken = []
    for point in _chosen(points, dice):
        thorough = bool(POINT) or not FULL or point % REPEATED == SEED % REPEATED
        before, same, problem = server.ask("kill", work, folder, point, thorough)
        kills, unchanged, repeated = kills + bool(before), unchanged + same, repeated + thorough
        if problem:
            broken.append(f"killed at point {point} of {points}, before {before}: {problem}")
        if len(broken) > 3:
            break

    seconds = round(time.monotonic() - begun)
    figure(
        work, points=points, kills=kills, unchanged=unchanged, repeated=repeated, seconds=seconds
    )
    assert not broken, "\n\n".join(broken)
    assert kills > 0


def test_every_work_is_named():
    from tests.chaos.works import WORKS

    assert tuple(WORKS) == NAMES


def _chosen(points: int, dice: random.Random) -> list[int]:
    if POINT:
        return [POINT]
    known = range(1, points + 1)
    return sorted(dice.sample(known, min(POINTS or points, points)))
