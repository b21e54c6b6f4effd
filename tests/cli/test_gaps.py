"""What `barlake gaps` shows, keeps and asks for. Expected numbers are those of the fixtures."""

import json
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta

import pytest

import lake
from lake.absences import CLASSES
from lake.journal import Journal
from sandbox.config import SandboxConfig
from sandbox.serve import running
from tests.cli.conftest import clean_environment, is_one_sentence
from tests.market import bar, fetched, session_covered

DAY = date(2024, 11, 4)
ABSENT = dict.fromkeys(CLASSES, 0)


@pytest.fixture
def home(spy_home, tmp_path):
    shutil.copytree(spy_home, tmp_path / "copy")
    return tmp_path / "copy"


def test_every_class_is_counted_and_every_hole_named(quick, spy_home):
    answer = quick("gaps", "spy", home=spy_home)

    assert answer.code == 0, answer
    assert "SPY from alpaca:iex: 1,560 minutes expected in 4 sessions, 1,167 present." in answer.out
    assert "Absent: 393 minutes" in answer.out
    assert "2024-11-06T14:30:00Z   2024-11-06T21:00:00Z       390   not_fetched" in answer.out
    assert "2024-11-04T14:40:00Z   2024-11-04T14:42:00Z         2   unconfirmed" in answer.out


def test_json_has_sums_sessions_and_holes_and_follows_the_range(quick, spy_home):
    answer = quick(
        "gaps", "SPY", "--start", "2024-11-04", "--end", "2024-11-05", "--json", home=spy_home
    )

    told = json.loads(answer.out)
    assert (told["symbol"], told["source"], told["dataset"]) == ("SPY", "alpaca:iex", "bars_1m")
    assert told["minutes"] == {"expected": 780, "present": 777} | ABSENT | {"unconfirmed": 3}
    assert [row["present"] for row in told["sessions"]] == [387, 390]
    first = told["holes"][0]
    assert (first["start"], first["minutes"], first["class"]) == (
        "2024-11-04T14:40:00Z",
        2,
        "unconfirmed",
    )
    assert (first["fetched"], first["asked"]) == (1, 0)


def test_a_complete_session_says_so(quick, spy_home):
    answer = quick("gaps", "SPY", "--start", "2024-11-05", "--end", "2024-11-05", home=spy_home)

    assert "390 minutes expected in 1 session, 390 present.\nNone is absent." in answer.out


def test_a_scan_of_everything_is_kept_for_sql(quick, home):
    first = quick("gaps", "--scan", home=home)
    again = quick("gaps", "--scan", "--json", home=home)

    assert "4 sessions with news kept" in first.err
    assert "0 sessions with news kept" in again.err
    assert [one["symbol"] for one in json.loads(again.out)] == ["SPY"]
    with lake.open(home) as opened:
        held = opened.sql("SELECT class, sum(minutes)::INT FROM absences GROUP BY ALL ORDER BY ALL")
    assert held.rows() == [("not_fetched", 390), ("unconfirmed", 3)]


def test_a_symbol_the_lake_does_not_have_is_refused_in_a_sentence(quick, spy_home):
    answer = quick("gaps", "NOPE", home=spy_home)

    assert is_one_sentence(answer)
    assert "barlake ingest NOPE" in answer.err


def test_asking_again_without_keys_is_refused_before_anything_begins(quick, home):
    answer = quick("gaps", "SPY", "--refetch", home=home)

    assert is_one_sentence(answer)
    assert "ALPACA_API_KEY_ID" in answer.err


def test_a_round_that_is_killed_while_the_provider_stalls_is_made_again_by_the_next(
    barlake, tmp_path
):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    home = tmp_path / "home"
    with lake.open(home, create=True, now=lambda: yesterday) as opened:
        opened.commit_bars(fetched(bar(0), bar(5), covered=(session_covered(DAY),)))
    keys = {"ALPACA_API_KEY_ID": "k", "ALPACA_API_SECRET_KEY": "s"}
    stall = {"stall": {"paths": ["/v2/stocks/bars"], "seconds": 600}}
    with running(SandboxConfig(faults=json.dumps(stall))) as url:
        place = {"BARLAKE_HOME": str(home), "ALPACA_API_BASE_URL": url}
        killed = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "gaps", "--refetch"],
            env=clean_environment(**place, **keys),
            cwd=tmp_path,
        )
        try:
            with lake.open(home) as opened:
                wait_until(lambda: not opened.sql("FROM absences").is_empty())
        finally:
            killed.kill()
            killed.wait(60)
    with lake.open(home) as opened:
        assert opened.sql("SELECT DISTINCT class, fetched, asked FROM absences").rows() == [
            ("unconfirmed", 1, 0)
        ]

    with running(SandboxConfig()) as url:
        env = {"ALPACA_API_BASE_URL": url, **keys}
        answer = barlake("gaps", "--refetch", "--json", home=home, env=env)

    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert (told["series"], told["asked"], told["refused"]) == (1, 1, 0)
    assert told["new"] > 300
    with Journal.open(home) as journal:
        (job,) = journal.jobs(kind="gaps")
    assert (job.state, job.result) == ("done", told)


def wait_until(holds):
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
