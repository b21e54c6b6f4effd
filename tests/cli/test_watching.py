"""What the commands that watch promise: events, agents, alerts, quality, and how a job goes."""

import json
import os
import signal
import subprocess
import sys

import pytest

from lake.journal import Journal, alerts, events, switches
from lake.journal.events import Switched
from tests.cli.conftest import clean_environment, is_one_sentence


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "home") as opened:
        yield opened


def told(journal, *numbers):
    events.tell(journal, *[Switched("ingest", "paused", f"reason-{n}") for n in numbers])


def test_events_are_listed_and_read_from_a_number_on(quick, journal):
    told(journal, 1, 2, 3)

    lines = quick("events").out.splitlines()
    later = json.loads(quick("events", "--after", "1", "--json").out)

    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert "reason-2" in lines[1]
    assert [(event["number"], event["reason"]) for event in later] == [
        (2, "reason-2"),
        (3, "reason-3"),
    ]
    assert json.loads(quick("events", "--kind", "alert", "--json").out) == []


@pytest.mark.parametrize("arguments", [("--after", "9"), ("--kind", "silly")])
def test_events_that_cannot_be_are_refused_in_a_sentence(quick, journal, arguments):
    assert is_one_sentence(quick("events", *arguments))


def test_events_are_followed_while_they_happen(tmp_path, journal):
    told(journal, 1)
    command = [sys.executable, "-m", "app.cli", "events", "--after", "0", "--follow", "--json"]
    env = clean_environment(BARLAKE_HOME=str(tmp_path / "home"))
    with subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        first = json.loads(process.stdout.readline())
        told(journal, 2)
        second = json.loads(process.stdout.readline())
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130

    assert [event["reason"] for event in (first, second)] == ["reason-1", "reason-2"]


def test_agents_are_paused_and_started_and_status_says_so(quick, journal):
    paused = quick("agents", "pause", "ingest", "features", "--reason", "the provider asked")
    assert paused.code == 0
    assert switches.state(journal, "features") == "paused"
    for command in ("agents", "status"):
        shown = quick(command).out
        assert "paused" in shown
        assert "the provider asked" in shown
    assert quick("agents", "start", "ingest", "features").code == 0
    facts = json.loads(quick("agents", "--json").out)
    assert {one["state"] for one in facts["switches"]} == {"running"}
    assert "the provider asked" not in quick("status").out


def test_an_agent_that_has_a_problem_says_so(quick, journal):
    problem = "The stream of alpaca:sip: the plan does not allow it. Set ALPACA_FEED=iex."
    journal.beat("live", "live", "polling", {"symbols": 500, "problem": problem})

    for command in ("agents", "status"):
        shown = quick(command).out
        assert "500 symbols" in shown
        assert f"live: {problem}" in shown.splitlines()

    journal.beat("live", "live", "stopped", {"problem": problem})
    assert problem not in quick("agents").out


@pytest.mark.parametrize("arguments", [("freeze", "ingest"), ("pause",), ("pause", "teapot")])
def test_agents_that_cannot_be_switched_so_are_a_sentence(quick, journal, arguments):
    assert is_one_sentence(quick("agents", *arguments))
    assert all(one.state == "running" for one in switches.all_of(journal))


def test_open_alerts_are_listed_and_shown_by_status(quick, journal):
    assert "No open alerts" in quick("alerts").out
    alerts.raise_alert(journal, "stalled", "worker-1", "The agent worker-1 is stalled.")
    for command in ("alerts", "status"):
        assert "The agent worker-1 is stalled." in quick(command).out
    alerts.settle(journal, "stalled", "worker-1")
    assert "No open alerts" in quick("alerts").out
    (over,) = json.loads(quick("alerts", "--all", "--json").out)
    assert over["over_at"] is not None


def test_quality_is_computed_and_shown_by_series_and_by_session(quick, tmp_path, spy_home):
    import shutil

    shutil.copytree(spy_home, tmp_path / "home")
    (newest,) = json.loads(quick("quality", "--json").out)
    assert (newest["symbol"], newest["day"], newest["completeness"]) == ("SPY", "2024-11-07", 1.0)

    days = json.loads(quick("quality", "spy", "--json").out)
    assert [(one["day"], one["completeness"], one["bars"]) for one in days] == [
        ("2024-11-04", 1.0, 387),
        ("2024-11-05", 1.0, 390),
        ("2024-11-06", 0.0, 0),
        ("2024-11-07", 1.0, 390),
    ]
    table = quick("quality", "SPY", "--start", "2024-11-06", "--end", "2024-11-06").out
    assert "0/390" in table
    assert "only 0.0% of the regular minutes of 2024-11-06" in quick("alerts").out


def test_quality_of_what_is_not_there_is_a_sentence(quick, tmp_path, spy_home):
    assert is_one_sentence(quick("quality"))
    assert is_one_sentence(quick("quality", "TSLA", home=spy_home))


def test_a_job_tells_its_percent_speed_time_and_budget(quick, journal):
    job, _ = journal.queue("ingest", "sandbox:iex", "SPY")
    journal.claim(job.id, "worker")
    facts = {"bars_per_second": 310000, "budget_left": 173, "symbol": "QQQ", "seconds_left": 125}
    journal.progress(job.id, 3, 12, "2024-11-04", facts=facts)

    table, one = quick("jobs").out, quick("jobs", job.id).out
    assert "3/12 25%" in table
    assert "310,000 bars/s" in table
    assert "2 min" in table
    for words in ("percent", "25.0", "budget left", "173", "seconds left"):
        assert words in one
    (listed,) = json.loads(quick("jobs", "--json").out)
    assert listed["outlook"] == {"percent": 25.0, **facts}


def test_work_of_a_paused_agent_is_not_done_here_either_and_waits(barlake, journal, tmp_path):
    switches.turn(journal, "ingest", "paused")
    keys = {"ALPACA_API_KEY_ID": "k-id-of-a-test", "ALPACA_API_SECRET_KEY": "s-of-a-test"}

    answer = barlake("ingest", "SPY", "--start", "2024-11-04", "--here", env=keys)

    assert answer.code == 2
    assert "`barlake agents start ingest`" in answer.err
    (job,) = journal.jobs()
    assert (job.state, job.error) == ("queued", None)
