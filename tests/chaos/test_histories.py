"""What is promised of any history: the lake says what a dictionary says that was told the same."""

import time

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chaos.conftest import FULL, HISTORIES, SEED
from tests.chaos.machine import LakeMachine

SHARDS, EXAMPLES, STEPS = (4, max(1, HISTORIES // 4), 100) if FULL else (1, 4, 12)

pytestmark = pytest.mark.timeout(7200)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_lake_and_a_dictionary_agree_after_any_history(shard, empty, figure):
    begun, done, home = time.monotonic(), [0], empty

    class Counted(LakeMachine):
        empty = home

        def teardown(self):
            done[0] += 1
            super().teardown()

    run_state_machine_as_test(
        hypothesis.seed(1000 * SEED + shard)(Counted),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    seconds = round(time.monotonic() - begun)
    figure(f"histories, part {shard + 1}", histories=done[0], steps=STEPS, seconds=seconds)
