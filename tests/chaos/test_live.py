"""A session played at 60 times its pace, while the stream, REST and the agents' processes fail."""

import os
import random
import signal
import time
from datetime import timedelta

import pytest

import lake
from agents import backfill
from agents.sources import open_source
from lake.errors import TransientError
from lake.settings import load_settings
from tests.agents.living import BEGIN, MINUTE, Play, valkey, wait_for
from tests.chaos.conftest import SEED, full_only

ROUNDS = 4
KILLS = 5
_OFTEN = {"rate": 0.05, "count": 20, "seconds": 2, "paths": ["/v2/stocks/bars"]}
FAULTS = {
    "stream_drop": 0.03,
    "stream_mute": {"rate": 0.02, "count": 2, "seconds": 1200},
    "stream_duplicate": 0.1,
    "stream_disorder": 0.1,
    "stream_skip": 0.1,
    "stream_linger": {"seconds": 4},
    "stream_busy": {"rate": 0.2, "count": 4},
    "late_correction": {"rate": 0.1, "delay": 900},
    "late_bar": {"rate": 0.05, "delay": 600},
    "http_503": _OFTEN,
    "reset_inside": _OFTEN,
    "cut_json": _OFTEN,
    "duplicate_page": _OFTEN,
    "shuffled_rows": _OFTEN,
}


@full_only
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_a_session_with_history_beside_it_ends_as_the_truth(seed, tmp_path, monkeypatch):
    chance = random.Random(seed)
    lake.open(tmp_path / "home", create=True).close()
    with valkey() as url, Play(tmp_path / "home", monkeypatch, url) as play:
        play.begin(speed=60.0, late_trades=0.3)
        play.control.set_faults(FAULTS, seed=seed)
        with _agents(play) as agents:
            for _ in range(KILLS):
                time.sleep(chance.uniform(2.0, 12.0))
                agents.kill(chance.randrange(2))
                _fetch_history(play)
            until = play.now().replace(second=0) + 5 * MINUTE
            play.control.set_faults(
                {name: FAULTS[name] for name in ("late_correction", "late_bar")}, seed=seed
            )
            wait_for(lambda: play.now() > until + timedelta(minutes=90), 300)
            wait_for(lambda: play.is_true(until), 120)
        assert not [one for one in play.control.requests() if one["early"]]


def _fetch_history(play):
    """Beside the live agents, of the same symbols and this very day too."""
    with lake.open(play.home) as other:
        try:
            source, day = open_source(load_settings()), BEGIN.date()
            span = (day - timedelta(days=7), day)
            backfill.run(other, source, ["AAPL", "SPY"], span, now=play.now(), again=True)
        except TransientError:
            return  # as everybody's: the next one goes on


class _agents:  # noqa: N801 - used as a block
    """Two live agents; who is killed is started again."""

    def __init__(self, play):
        self._play, self._blocks = play, []

    def __enter__(self):
        self._blocks = [self._begin(), self._begin()]
        return self

    def __exit__(self, *_):
        for block, _process in self._blocks:
            block.__exit__(None, None, None)

    def kill(self, number):
        block, process = self._blocks[number]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        block.__exit__(None, None, None)
        self._blocks[number] = self._begin()

    def _begin(self):
        block = self._play.process()
        return block, block.__enter__()
