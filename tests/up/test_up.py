"""What ``barlake up`` promises: all of it runs, one Ctrl-C ends all of it, whatever dies."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import lake
from lake.journal import Journal
from tests.market import bar, fetched
from tests.up.conftest import (
    alive,
    environment_of,
    free_ports,
    kill_all,
    kinds,
    of_home,
    running_in,
    wait_for,
)
from tests.up.test_join import MEMBER, NOTHING, ONE_JOB, joined, pids

#: Queues an upkeep job and leaves.
QUEUE_ONE = """
from lake.settings import load_settings
from agents.tasks import send
from lake.journal import Journal
with Journal.open(load_settings().home) as journal:
    send(journal.queue("upkeep", "", "")[0])
print("joined", flush=True)
"""

UP = "import sys; sys.argv = ['barlake', 'up']; from app.cli.main import run; run()"


def ready(process):
    wait_for(lambda: "Everything runs" in process.out.read_text() or process.poll() is not None, 90)
    assert process.poll() is None, process.out.read_text()


def answer(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.fixture
def house(run):
    """The house, up."""
    process = run(UP)
    ready(process)
    return process


@dataclass(frozen=True)
class Standing:
    """A house for tests that leave it as it was, or better."""

    process: subprocess.Popen
    home: Path
    ports: tuple[int, int]
    run: Callable
    begun: dict[str, float]


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("up")
    home, ports = folder / "home", free_ports()
    home.mkdir()
    with running_in(folder, environment_of(home, ports)) as run:
        process = run(UP)
        ready(process)
        yield Standing(process, home, ports, run, beats(home))
    kill_all(home)


def beats(home):
    """When each agent was heard last, in seconds since 1970."""
    with Journal.open(home) as journal:
        return {agent.name: time.time() - agent.age for agent in journal.agents()}


def test_everything_runs(standing):
    home, (api, ui) = standing.home, standing.ports
    assert (answer(api, "/health"), answer(ui, "/_stcore/health")) == (200, 200)
    assert kinds(home) == {"broker": 1, "worker": 4, "keeper": 0}
    with Journal.open(home) as journal:
        agents = {agent.kind: agent.stalled for agent in journal.agents()}
        assert (agents["worker"], agents["beat"]) == (False, False)
    told = standing.process.out.read_text()
    assert f"http://127.0.0.1:{api}" in told
    assert f"http://127.0.0.1:{ui}" in told
    assert len(of_home(home)) >= 9


def test_a_second_one_for_the_same_home_is_refused_in_a_sentence(standing):
    before = set(of_home(standing.home))
    second = standing.run(UP)

    assert second.wait(90) == 2
    told = second.out.read_text()
    assert "runs already" in told
    assert str(standing.process.pid) in told
    assert "Traceback" not in told
    assert before <= set(of_home(standing.home))
    assert answer(standing.ports[0], "/health") == 200


def test_a_part_that_dies_is_started_again(standing):
    home = standing.home
    for words in ("valkey-server", "uvicorn"):
        (pid,) = [pid for pid, command in of_home(home).items() if words in command]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid, words=words: _replaced(home, words, pid))
    wait_for(lambda: _answers(standing.ports[0]))
    assert "starts again" in standing.process.out.read_text()


def test_every_agent_goes_on_beating(standing):
    """Each beats at its start; the later beats come from another thread."""

    def all_beat_again():
        heard = beats(standing.home)
        return all(heard[name] - first >= 8 for name, first in standing.begun.items())

    assert len(standing.begun) == 3
    wait_for(all_beat_again, 60)


def test_no_process_is_left_when_it_is_killed_nor_after_one_ctrl_c(house, home, run):
    processes = list(of_home(home))
    house.kill()
    house.wait()
    wait_for(lambda: not any(alive(pid) for pid in processes))

    again = run(UP)
    ready(again)
    processes = list(of_home(home))
    assert len(processes) >= 9
    begun = time.monotonic()
    again.send_signal(signal.SIGINT)
    assert again.wait(60) == 0
    assert time.monotonic() - begun < 30
    assert not any(alive(pid) for pid in processes)
    assert of_home(home) == {}
    assert "Everything is stopped." in again.out.read_text()


def _replaced(home, words, pid):
    return any(words in command and other != pid for other, command in of_home(home).items())


def _answers(port):
    try:
        return answer(port, "/health") == 200
    except OSError:
        return False


@pytest.mark.parametrize(("which", "setting"), [(0, "BARLAKE_API_PORT"), (1, "BARLAKE_UI_PORT")])
def test_a_port_in_use_is_named_with_its_setting_before_anything_starts(
    run, home, ports, which, setting
):
    with socket.create_server(("127.0.0.1", ports[which])):
        process = run(UP)
        assert process.wait(90) == 2
    told = process.out.read_text()
    assert str(ports[which]) in told
    assert setting in told
    assert "Traceback" not in told
    assert of_home(home) == {}
    assert not (home / "run" / "valkey.sock").exists()


def test_a_broker_elsewhere_that_does_not_answer_is_told_in_a_sentence(run, home):
    process = run(UP, REDIS_URL="redis://127.0.0.1:1/0")
    assert process.wait(90) != 0
    told = process.out.read_text()
    assert "No broker answers at redis://127.0.0.1:1" in told
    assert "Traceback" not in told
    assert of_home(home) == {}


def test_a_part_that_cannot_start_is_told_with_its_log_and_nothing_is_left(run, home):
    broken = (
        "import app.up.parts as p; from pathlib import Path; p._ui_page = lambda: Path('/no')\n"
    )
    process = run(broken + UP)
    assert process.wait(90) not in (0, None)
    told = process.out.read_text()
    assert "ui did not start" in told
    assert str(home / "logs" / "ui.log") in told
    assert "Traceback" not in told
    assert of_home(home) == {}


def test_ctrl_c_while_it_starts_ends_all_of_it(run, home):
    process = run(UP)
    wait_for(lambda: len(of_home(home)) > 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert of_home(home) == {}


def test_work_under_way_neither_delays_the_end_nor_gets_lost(house, home, run):
    with lake.open(home, create=True) as store, Journal.open(home) as journal:
        for minute in range(3):
            store.commit_bars(fetched(bar(minute)))
        with store.writing():  # so that upkeep waits at the gate
            joined(run(QUEUE_ONE))
            (job,) = journal.unfinished()
            wait_for(lambda: journal.job(job.id).state == "running")
            begun = time.monotonic()
            house.send_signal(signal.SIGINT)
            assert house.wait(60) == 0
            assert time.monotonic() - begun < 30  # the job would wait for the gate much longer
            assert of_home(home) == {}
        assert not journal.job(job.id).is_finished
        again = run(UP)
        ready(again)
        wait_for(lambda: journal.job(job.id).state == "done")
        again.terminate()
        assert again.wait(60) == 0


def test_it_takes_over_from_an_api_that_runs_and_hands_back(run, home):
    member = run(MEMBER)
    joined(member)
    wait_for(lambda: len(pids(home, "worker")) == 2)
    house = run(UP)
    ready(house)
    assert kinds(home) == {"broker": 1, "worker": 4, "keeper": 0}
    joined(run(ONE_JOB, "0"))

    house.send_signal(signal.SIGINT)
    assert house.wait(60) == 0
    wait_for(lambda: kinds(home)["broker"] == 1 and kinds(home)["worker"] == 2)
    member.kill()
    member.wait()
    wait_for(lambda: kinds(home) == NOTHING)
