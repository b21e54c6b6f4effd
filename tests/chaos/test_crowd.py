"""What is promised to many at once: every acknowledged commit is there, and nobody sees a part of one."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

import lake
from lake import Fetched
from lake.verify import verify
from tests.chaos import conftest, crowd
from tests.chaos.conftest import FULL, ROOT, STORM, full_only
from tests.chaos.crowd import BARS, PARTIAL, SOURCE, rows_of

WRITERS, COMMITS = (4, conftest.COMMITS) if FULL else (2, 3)
READERS = ("api", "sql", "cli")

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture
def home(folder, request, empty):
    """A lake that knows every symbol of the crowd, so that readers find something from the start."""
    made = folder / request.node.name / "home"
    shutil.copytree(empty, made)
    with lake.open(made) as store:
        for number in range(WRITERS):
            store.commit_bars(Fetched(SOURCE, rows_of(number, 0, 1.0)))
    return made


def start(role, home, *numbers):
    arguments = [str(number) for number in numbers]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.crowd", role, str(home), *arguments],
        cwd=ROOT,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )


@contextmanager
def beside(home, *roles):
    """Processes that go on until the block is over; their errors are ours."""
    started = [start(role, home) for role in roles]
    try:
        yield
    finally:
        (home.parent / "stop").touch()
        ended = [process.wait(120) for process in started]
    assert ended == [0] * len(started)


def seen_by(home, reader):
    return json.loads((home.parent / f"read-{reader}").read_text())


def commits_of(home, number):
    ledger = home.parent / f"acknowledged-{number}"
    return len(ledger.read_text().split()) if ledger.exists() else 0


def test_every_acknowledged_commit_is_there_and_readers_see_whole_ones_only(home, figure):
    begun = time.monotonic()
    with beside(home, "tidy", *(f"read-{name}" for name in READERS)):
        writers = [start("write", home, number, COMMITS) for number in range(WRITERS)]
        assert [writer.wait(3000) for writer in writers] == [0] * WRITERS

    told = {name: seen_by(home, name) for name in READERS}
    figure(
        f"{WRITERS} writers x {COMMITS}",
        **{f"looks_{name}": facts["looks"] for name, facts in told.items()},
        seconds=round(time.monotonic() - begun),
    )
    assert {name: facts["wrong"] for name, facts in told.items()} == {name: [] for name in READERS}
    assert {facts["commits"] for facts in told.values()} == {WRITERS * COMMITS}
    with lake.open(home) as store:
        assert store.sql(PARTIAL).rows() == [("", WRITERS * COMMITS)]
        held = store.sql(
            """SELECT symbol, count(*) AS bars FROM (FROM bars_1m UNION ALL FROM bars_live)
               WHERE starts_with(symbol, 'W') GROUP BY ALL ORDER BY ALL"""
        )
        expected = [(f"W{number}", COMMITS * BARS // 2) for number in range(WRITERS)]
        assert held.rows() == expected
        corrected = store.sql("SELECT count(*) FROM bar_revisions").item()
        assert corrected == WRITERS * len(range(2, COMMITS, 3)) * BARS
        assert verify(store).findings == ()


@full_only
def test_writers_and_upkeep_killed_at_any_moment_beside_readers(home, server, dice, figure):
    """Other processes hold the catalog's shared memory while one dies: at any time, not at calls only."""
    begun, kills = time.monotonic(), 0
    with beside(home, *(f"read-{name}" for name in READERS)):
        for turn in range(STORM):
            delay = dice.uniform(0.0, 1.0)
            question = ("tidy", home) if turn % 3 == 2 else ("write", home, turn % WRITERS, 190)
            kills += server.ask("storm", delay, *question)

    told = {name: seen_by(home, name) for name in READERS}
    looks = sum(facts["looks"] for facts in told.values())
    seconds = round(time.monotonic() - begun)
    figure("killed at any moment", kills=kills, looks=looks, seconds=seconds)
    assert {name: facts["wrong"] for name, facts in told.items()} == {name: [] for name in READERS}
    with lake.open(home) as store:
        seen = store.bars(crowd.ALL, source=SOURCE, columns=["close"])["close"].unique().to_list()
        for number in range(WRITERS):
            marks = {1000.0 * (number + 1) + commit for commit in range(commits_of(home, number))}
            assert marks <= set(seen), "an acknowledged commit is lost"
        assert store.sql(PARTIAL).rows()[0][0] == ""
        assert verify(store).findings == ()
