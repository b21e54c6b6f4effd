"""Bringing bars from the shell: in this process, and through a broker and workers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.journal import Journal
from sandbox.config import SandboxConfig
from sandbox.serve import running
from tests.cli.conftest import clean_environment

YEARS = ("--start", "2017-01-03", "--end", "2019-12-31")
WEEK = ("--start", "2024-11-04", "--end", "2024-11-08")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[dict[str, str]]:
    with running(SandboxConfig(key="right", secret="also-right")) as url:
        yield {
            "ALPACA_API_BASE_URL": f"{url}/",
            "ALPACA_API_KEY_ID": "right",
            "ALPACA_API_SECRET_KEY": "also-right",
        }


def test_bars_come_here_without_a_broker_and_only_once(barlake, quick, sandbox):
    first = barlake("ingest", "spy", "QQQ", *WEEK, "--here", "--json", env=sandbox)
    again = barlake("ingest", "SPY", *WEEK, "--here", "--json", env=sandbox)

    assert first.code == again.code == 0, first.err + again.err
    (job,) = json.loads(first.out)
    assert (job["symbol"], job["params"]) == ("", {"symbols": ["QQQ", "SPY"]})
    assert (job["source"], job["state"]) == ("sandbox:iex", "done")
    assert job["result"]["new"] > 2 * 5 * 300
    assert json.loads(again.out)[0]["result"]["pages"] == 0
    gaps = json.loads(quick("coverage", "SPY", "--json").out)["gaps"]
    assert gaps == []
    named = "SELECT symbol, sum(expected)::INT AS minutes FROM completeness GROUP BY 1 ORDER BY 1"
    found = json.loads(quick("sql", named, "--json").out)
    assert found == [{"symbol": name, "minutes": 5 * 390} for name in ("QQQ", "SPY")]


def test_daily_bars_come_by_the_same_command_and_are_told_apart(barlake, quick, sandbox):
    daily = ("--dataset", "bars_daily")
    table = barlake("ingest", "SPY", *WEEK, *daily, "--here", env=sandbox)
    again = barlake("ingest", "SPY", *WEEK, *daily, "--again", "--here", "--json", env=sandbox)
    minutes = quick("coverage", "SPY", "--json")

    assert table.code == again.code == 0, table.err + again.err
    assert "bars_daily" in table.out
    (job,) = json.loads(again.out)
    assert job["params"] == {"dataset": "bars_daily", "again": True}
    assert (job["result"]["new"], job["result"]["unchanged"]) == (0, 5)
    bars = json.loads(quick("bars", "SPY", *daily, "--json").out)
    assert [bar["timestamp"] for bar in bars] == [
        f"2024-11-0{day}T05:00:00Z" for day in range(4, 9)
    ]
    assert (minutes.code, "barlake ingest SPY`" in minutes.err) == (2, True)
    month = ("--start", "2024-11-01", "--end", "2024-11-08")
    told = quick("coverage", "SPY", *daily, *month).out
    assert "Missing: 1 session. `barlake ingest SPY --start 2024-11-01 --end 2024-11-01" in told
    assert "--dataset bars_daily` fetches them." in " ".join(told.split())
    facts = json.loads(quick("coverage", "SPY", *daily, *month, "--json").out)
    assert [gap["session_date"] for gap in facts["gaps"]] == ["2024-11-01"]
    assert [day["absent"] for day in facts["absent"]] == [0] * 5


def test_a_dataset_that_does_not_exist_is_refused_with_those_there_are(quick, sandbox):
    answer = quick("ingest", "SPY", "--dataset", "bars_1w", "--here", env=sandbox)

    assert (answer.code, answer.out) == (2, "")
    assert "Use one of bars_1m, bars_daily." in answer.err
    assert json.loads(quick("jobs", "--json").out) == []


def test_what_came_is_told_in_a_table(barlake, sandbox):
    answer = barlake("ingest", "SPY", *WEEK, "--here", env=sandbox)

    assert "SPY" in answer.out
    assert "done" in answer.out
    assert "SPY ingest" in answer.err  # the progress bar, which scripts need not read


@pytest.mark.parametrize(
    ("symbol", "keys", "words"),
    [
        ("ZZZZZ", {}, "has no symbol ZZZZZ"),
        ("SPY", {"ALPACA_API_SECRET_KEY": "wrong-secret"}, "Check the keys in .env"),
    ],
)
def test_a_provider_that_refuses_is_explained(barlake, quick, sandbox, symbol, keys, words):
    answer = barlake("ingest", symbol, *WEEK, "--here", env=sandbox | keys)

    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err.splitlines()[-1]
    assert "Traceback" not in answer.err
    assert "wrong-secret" not in answer.err
    (job,) = json.loads(quick("jobs", "--state", "failed", "--json").out)
    assert words in job["error"]


def test_an_interrupt_leaves_whole_commits_and_the_rest_for_later(
    barlake, quick, sandbox, tmp_path
):
    home = tmp_path / "home"
    command = [sys.executable, "-m", "app.cli", "ingest", "SPY", *YEARS, "--here"]
    environment = clean_environment(BARLAKE_HOME=str(home), **sandbox)
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as started:
        _wait_for(lambda: _steps(home) > 0, started)
        os.kill(started.pid, signal.SIGINT)
        _, errors = started.communicate(timeout=60)

    assert started.returncode == 130
    assert "Traceback" not in errors
    bars = json.loads(quick("sql", "SELECT count(*) AS n FROM bars", "--json").out)[0]["n"]
    assert bars > 0
    assert json.loads(quick("jobs", "--json").out)[0]["state"] == "queued"  # for the next worker
    again = barlake("ingest", "SPY", *YEARS, "--here", env=sandbox)
    assert again.code == 0, again.err


def test_workers_do_what_the_shell_queues(barlake, quick, sandbox, tmp_path):
    ports = {"BARLAKE_API_PORT": str(_free_port()), "BARLAKE_UI_PORT": str(_free_port())}
    place = {"BARLAKE_HOME": str(tmp_path / "home"), "BARLAKE_WORKERS": "1"}
    environment = clean_environment(**place, **sandbox, **ports)
    with (tmp_path / "up.log").open("w+") as log:
        house = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up"],
            env=environment,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(lambda: _status(quick)["broker"]["answers"], house)
            done = barlake("ingest", "SPY", *WEEK, "--wait", "--json", env=sandbox)
            daily = barlake(
                "ingest", "SPY", *WEEK, "--dataset", "bars_daily", "--wait", "--json", env=sandbox
            )
            facts = _status(quick)
        finally:
            house.send_signal(signal.SIGINT)
            code = house.wait(60)

    assert code == 0, (tmp_path / "up.log").read_text()
    assert done.code == 0, done.err
    assert json.loads(done.out)[0]["state"] == "done"
    assert json.loads(daily.out)[0]["result"]["new"] == 5
    assert facts["lake"]["symbols"] == 1
    assert facts["jobs"]["done"] >= 2  # and scans for gaps
    assert {agent["kind"] for agent in facts["agents"]} >= {"worker"}
    assert not _status(quick)["broker"]["answers"]


def _status(quick) -> dict[str, object]:
    return json.loads(quick("status", "--json").out)


def _steps(home: Path) -> int:
    with Journal.open(home) as journal:
        return sum(job.done for job in journal.jobs())


def _wait_for(happens, process: subprocess.Popen, *, within: float = 90) -> None:
    until = time.monotonic() + within
    while not happens():
        assert process.poll() is None, "it ended before its time"
        assert time.monotonic() < until
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
