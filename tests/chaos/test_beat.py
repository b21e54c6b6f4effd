"""``barlake up`` with beat killed at random moments of a running job: it comes back and doubles nothing."""

import json
import os
import random
import signal
import time
from datetime import datetime
from itertools import pairwise

import pytest

from agents import tasks
from lake.journal import Journal
from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.serve import running
from tests.chaos.conftest import ROOT, SEED, full_only
from tests.chaos.test_agents import SOURCE, SPAN, SYMBOLS, check_whole
from tests.up.conftest import environment, home, ports, run, wait_for
from tests.up.test_up import UP, ready

__all__ = ["environment", "home", "ports", "run"]

ROUNDS, KILLS = 3, 5
#: Seconds between two of the periodic job: longer than beat takes to come back.
EVERY = 20

#: Beat as it is, with one job that is due often.
OFTEN = f"""
from datetime import timedelta
from agents.tasks import celery
celery.conf.beat_schedule = {{"often": {{"task": "quality", "schedule": timedelta(seconds={EVERY})}}}}
"""
UP_OFTEN = f"""
import app.up.parts as parts
plain = parts._celery
parts._celery = lambda what: tuple(
    "often" if word == "agents.tasks" and what == "beat" else word for word in plain(what)
)
{UP}
"""


@full_only
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_beat_comes_back_and_what_is_due_comes_once(seed, run, home, tmp_path, monkeypatch, figure):
    chance = random.Random(seed)
    tmp_path.joinpath("often.py").write_text(OFTEN)
    monkeypatch.setenv("BARLAKE_HOME", str(home))
    with running(SandboxConfig(rate_limit=25)) as url, Journal.open(home) as journal:
        keys = {"ALPACA_API_KEY_ID": "sandbox-key", "ALPACA_API_SECRET_KEY": "sandbox-secret"}
        paths = f"{tmp_path}{os.pathsep}{ROOT}"
        house = run(UP_OFTEN, ALPACA_API_BASE_URL=url, PYTHONPATH=paths, **keys)
        ready(house)
        job, _ = journal.queue("ingest", SOURCE, "", *SPAN, {"symbols": SYMBOLS})
        tasks.send(job)
        beside = 0
        for turn in range(KILLS):
            if turn % 2:  # at once after it sent something, which it must remember
                before = len(sent(home))
                wait_for(lambda before=before: len(sent(home)) > before)
                time.sleep(chance.uniform(0.0, 1.0))
            else:
                time.sleep(chance.uniform(0.0, 10.0))
            beside += not journal.job(job.id).is_finished
            was = beat(journal)
            os.kill(was.pid, signal.SIGKILL)
            wait_for(lambda was=was: (now := beat(journal)).pid != was.pid and not now.stalled)
        done = wait_for(lambda: (now := journal.job(job.id)).is_finished and now, 300)
        wait_for(lambda: journal.jobs("done", "quality"))
        house.send_signal(signal.SIGINT)
        assert house.wait(60) == 0

        assert (done.state, done.error) == ("done", None)
        assert min(later - one for one, later in pairwise(sent(home))) > 0.9 * EVERY
        figure("beat", kills=KILLS, beside_a_job=beside, periodic=len(sent(home)))
        check_whole(Control(url), home)


def beat(journal):
    """The one heartbeat of beat."""
    (found,) = [agent for agent in journal.agents() if agent.kind == "beat"]
    return found


def sent(home):
    """When beat sent what was due, by its own log: seconds since 1970."""
    lines = map(json.loads, home.joinpath("logs", "beat.jsonl").read_text().splitlines())
    due = [line for line in lines if "Sending due task" in line["message"]]
    return [datetime.fromisoformat(line["timestamp"]).timestamp() for line in due]
