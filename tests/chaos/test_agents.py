"""Ingest through a provider that misbehaves, while workers, their tasks, beat and the broker are killed."""

import os
import random
import signal
import time
from datetime import date, timedelta

import pytest

import lake
from agents import tasks
from app.up.place import Place
from lake.journal import Journal
from lake.settings import load_settings
from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.faults import REQUEST_FAULTS
from sandbox.serve import running
from tests.agents.houses import House, wait_for
from tests.chaos.conftest import SEED, full_only

SYMBOLS = ["AAPL", "MSFT", "QQQ", "SPY", "THIN"]
SPAN = (date(2022, 11, 1), date(2024, 2, 29))
SOURCE = "sandbox:iex"
ROUNDS = 10
KILLS = 8


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BARLAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ALPACA_API_KEY_ID", "sandbox-key")
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "sandbox-secret")
    monkeypatch.delenv("REDIS_URL", raising=False)


@full_only
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
@pytest.mark.usefixtures("place")
def test_whatever_dies_and_misbehaves_the_lake_ends_as_the_truth(seed, monkeypatch):
    chance = random.Random(seed)
    often = {"rate": 0.05, "count": 10, "seconds": 2, "paths": ["/v2/stocks/bars"]}
    faults = {name: often for name in sorted({*REQUEST_FAULTS} - {"reject_keys"})}  # noqa: C420
    with running(SandboxConfig(rate_limit=400)) as url:
        monkeypatch.setenv("ALPACA_API_BASE_URL", url)
        control = Control(url)
        control.set_faults(faults, seed=seed)
        house = House(Place.of(load_settings()), None)
        with Journal.open(house.place.home) as journal:
            house.journal = journal
            try:
                house.start("broker", "worker-1", "worker-2", "beat")
                job, _ = journal.queue("ingest", SOURCE, "", *SPAN, {"symbols": SYMBOLS})
                tasks.send(job)
                _kill(house, job, chance)
                done = wait_for(lambda: (now := journal.job(job.id)).is_finished and now, 600)
            finally:
                house.supervisor.stop()

        assert (done.state, done.error) == ("done", None)
        check_whole(control, house.place.home)


def _kill(house, job, chance):
    """Kill something at random moments until the job is over or enough has died.

    Between two kills something is done: who dies again and again without any progress is given up.
    """
    for _ in range(KILLS):
        before = house.journal.job(job.id).done
        wait_for(lambda before=before: _went_on(house.journal.job(job.id), before), 300)
        time.sleep(chance.uniform(0.0, 3.0))
        if house.journal.job(job.id).is_finished:
            return
        victim = chance.choice(["worker-1", "worker-2", "beat", "broker", "task", "task"])
        if victim == "task":
            alive = [
                one for one in house.journal.agents() if one.kind == "worker" and not one.stalled
            ]
            if alive:
                os.kill(chance.choice(alive).pid, signal.SIGKILL)
        else:
            house.kill(victim)
            house.start(victim)


def _went_on(job, before):
    return job.is_finished or job.done > before


def check_whole(control, home):
    low = lake.sessions.midnight(SPAN[0])
    high = lake.sessions.midnight(SPAN[1] + timedelta(days=1)) - timedelta(minutes=1)
    with lake.open(home) as store:
        for symbol in SYMBOLS:
            held = store.bars(symbol, source=SOURCE)
            told = control.truth(symbol, feed="iex", start=low, end=high)["bars"]
            assert held["close"].to_list() == [bar["c"] for bar in told], symbol
            assert store.gaps(symbol, *SPAN, source=SOURCE).is_empty()
    assert not [one for one in control.requests() if one["early"]]
