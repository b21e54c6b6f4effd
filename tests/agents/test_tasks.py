"""What the queue promises: a real broker, real workers, real jobs, and the death of any of them."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import lake
from agents import broker, tasks
from agents.broker import QUEUES
from app.up.place import Place
from lake.errors import BrokerMissingError
from lake.journal import Journal
from lake.settings import load_settings
from sandbox.config import SandboxConfig
from sandbox.serve import running
from tests.agents.houses import House, wait_for
from tests.market import bar, fetched


@pytest.fixture
def blocked(place):
    """A lake with files to merge, and its gate held: upkeep starts and cannot end."""
    with lake.open(place.home, create=True) as store:
        for minute in range(3):
            store.commit_bars(fetched(bar(minute)))
        gate = os.open(store.place.gate, os.O_RDWR)
    fcntl.flock(gate, fcntl.LOCK_EX)
    yield gate
    os.close(gate)


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A house with one worker, over a lake with some bars of SPY, for tests that leave it working."""
    folder = tmp_path_factory.mktemp("tasks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BARLAKE_HOME", str(folder / "home"))
        patch.delenv("REDIS_URL", raising=False)
        place = Place.of(load_settings())
        with lake.open(place.home, create=True) as store:
            store.commit_bars(fetched(*(bar(minute) for minute in range(30))))
        with Journal.open(place.home) as journal:
            house = House(place, journal)
            try:
                house.start("broker", "worker-1")
                yield house
            finally:
                house.end()


def begun(journal, job):
    return [line for line in journal.logs(job_id=job.id) if line["message"] == "began"]


def test_a_job_that_is_sent_is_done_and_tells_how(standing):
    journal = standing.journal
    job, _ = journal.queue("upkeep", "", "")

    done = standing.do(job)

    assert done.state == "done"
    assert done.worker.startswith("worker-1@")
    lines = wait_for(lambda: (kept := journal.logs(job_id=job.id)) and len(kept) >= 2 and kept)
    assert {line["trace_id"] for line in lines} == {job.trace_id}
    assert {line["agent"] for line in lines} == {done.worker}
    (agent,) = journal.agents()
    assert (agent.kind, agent.stalled) == ("worker", False)
    assert agent.detail["queues"] == sorted(QUEUES)


def test_bars_are_fetched_merged_and_made_into_features(place, monkeypatch, journal):
    with running(SandboxConfig()) as url:
        monkeypatch.setenv("ALPACA_API_BASE_URL", url)
        monkeypatch.setenv("ALPACA_API_KEY_ID", "sandbox-key")
        monkeypatch.setenv("ALPACA_API_SECRET_KEY", "sandbox-secret")
        house = House(Place.of(load_settings()), journal)
        try:
            house.start("broker", "worker-1")
            first, last = date(2024, 11, 4), date(2024, 11, 8)
            ingest, _ = journal.queue("ingest", "sandbox:iex", "SPY", first, last)
            assert house.do(ingest).error is None
            named = wait_for(
                lambda: [scan for scan in journal.jobs(kind="gaps") if scan.is_finished]
            )[0]
            assert (named.error, named.result["series"], named.result["asked"]) == (None, 1, 0)
            assert house.do(journal.queue("upkeep", "", "")[0]).error is None
            built = house.do(journal.queue("features", "sandbox:iex", "SPY")[0])
            assert built.error is None
            assert built.result["rows"] == 5 * 390
            other = house.do(journal.queue("ingest", "alpaca:sip", "SPY", first, last)[0])
            assert "alpaca:sip" in other.error
        finally:
            house.end()
    with lake.open(place.home) as store:
        assert store.bars("SPY", regular_only=True).height == 5 * 390
    everything = "".join(file.read_text() for file in place.logs.iterdir())
    assert "sandbox-secret" not in everything


def test_a_job_that_cannot_be_done_fails_with_its_sentence(standing):
    failed = standing.do(standing.journal.queue("features", "", "IBM")[0])

    assert failed.state == "failed"
    assert "barlake ingest IBM" in failed.error


def test_an_unexpected_error_is_told_shortly_and_logged_whole(standing):
    journal = standing.journal
    failed = standing.do(journal.queue("features", "", "SPY", params={"set_name": 5})[0])

    assert failed.state == "failed"
    assert "Traceback" not in failed.error
    (line,) = wait_for(lambda: [n for n in journal.logs(job_id=failed.id) if n.get("exception")])
    assert "Traceback" in line["exception"]


def test_a_job_is_worked_on_once_however_often_it_is_delivered(house, journal, blocked):
    house.start("broker", "worker-1", "worker-2")
    job, _ = journal.queue("upkeep", "", "")
    for _ in range(4):
        tasks.send(job)
    wait_for(lambda: journal.job(job.id).state == "running")
    time.sleep(1.0)
    fcntl.flock(blocked, fcntl.LOCK_UN)
    wait_for(lambda: journal.job(job.id).is_finished)
    wait_for(lambda: not broker.waiting(broker.broker_url(house.place.settings)))
    time.sleep(0.7)

    assert journal.job(job.id).state == "done"
    assert len(begun(journal, job)) == 1


def test_the_job_of_a_killed_task_process_is_resumed_by_its_worker(house, journal, blocked):
    house.start("broker", "worker-1")
    job, _ = journal.queue("upkeep", "", "")
    tasks.send(job)
    wait_for(lambda: begun(journal, job))
    (agent,) = journal.agents()
    os.kill(agent.pid, signal.SIGKILL)
    wait_for(lambda: len(begun(journal, job)) == 2)
    fcntl.flock(blocked, fcntl.LOCK_UN)

    done = wait_for(lambda: (now := journal.job(job.id)).is_finished and now)
    assert done.state == "done"
    assert _merged(done)["files_after"] < _merged(done)["files_before"]


def test_the_job_of_a_killed_worker_is_resumed_by_the_next_that_starts(house, journal, blocked):
    house.start("broker", "worker-1")
    job, _ = journal.queue("upkeep", "", "")
    tasks.send(job)
    wait_for(lambda: begun(journal, job))
    house.kill("worker-1")
    (dead,) = wait_for(lambda: [agent for agent in journal.agents() if agent.stalled])
    assert dead.name.startswith("worker-1@")

    begins = time.monotonic()
    house.start("worker-2")
    wait_for(lambda: len(begun(journal, job)) == 2)
    assert time.monotonic() - begins < 30  # and not when its lease is over
    fcntl.flock(blocked, fcntl.LOCK_UN)

    done = wait_for(lambda: (now := journal.job(job.id)).is_finished and now)
    assert done.state == "done"
    assert _merged(done)["files_after"] < _merged(done)["files_before"]
    assert done.worker.startswith("worker-2@")


def test_a_killed_broker_gives_back_what_waited_in_it(house, journal):
    house.start("broker")
    jobs = [journal.queue("upkeep", "", "", params={"n": n})[0] for n in range(3)]
    for job in jobs:
        tasks.send(job)
    time.sleep(1.2)  # it writes to disk every second
    house.kill("broker")
    assert not tasks.ping()
    house.start("broker")
    assert broker.waiting(broker.broker_url(house.place.settings)) == {job.id for job in jobs}


def test_without_a_broker_sending_fails_soon_and_the_job_is_done_once_there_is_one(house, journal):
    job, _ = journal.queue("upkeep", "", "")
    begins = time.monotonic()
    with pytest.raises(BrokerMissingError, match="barlake up"):
        tasks.send(job)
    with pytest.raises(BrokerMissingError):
        tasks.check_broker()
    assert not tasks.ping()
    assert time.monotonic() - begins < 15  # it would try for ever

    house.start("broker", "worker-1")
    tasks.check_broker()
    wait_for(lambda: journal.job(job.id).state == "done")


def test_a_job_the_broker_knows_nothing_of_is_sent_and_a_known_one_is_not(
    house, journal, monkeypatch
):
    house.start("broker")
    job, _ = journal.queue("upkeep", "", "")
    assert tasks.send_forgotten(journal) == 0  # whoever queued it may be about to send it
    monkeypatch.setattr(tasks, "_FORGOTTEN", timedelta(seconds=-1))
    assert tasks.send_forgotten(journal) == 1
    assert tasks.send_forgotten(journal) == 0
    house.start("worker-1")
    wait_for(lambda: journal.job(job.id).state == "done")
    assert tasks.send_forgotten(journal) == 0


def test_a_job_in_the_hands_of_a_worker_is_not_forgotten(house, journal, monkeypatch, blocked):
    monkeypatch.setattr(tasks, "_FORGOTTEN", timedelta(seconds=-1))
    house.start("broker", "worker-1")
    job, _ = journal.queue("upkeep", "", "")
    tasks.send(job)
    wait_for(lambda: begun(journal, job))
    journal_says = broker.waiting(broker.broker_url(house.place.settings), in_hand=True)
    assert journal_says == {job.id}
    assert tasks.send_forgotten(journal) == 0
    house.kill("worker-1")
    wait_for(lambda: tasks.send_forgotten(journal) == 1)
    assert tasks.send_forgotten(journal) == 0
    fcntl.flock(blocked, fcntl.LOCK_UN)


def test_the_api_and_the_demo_may_both_name_a_feature_set(standing):
    for params in ({"set": "no_such"}, {"set_name": "no_such"}):
        failed = standing.do(standing.journal.queue("features", "", "SPY", params=params)[0])
        assert "no_such" in failed.error


def test_a_broker_elsewhere_is_named_without_its_password(place, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://user:hunter2@127.0.0.1:1/0")
    with pytest.raises(BrokerMissingError) as caught:
        tasks.check_broker()
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_broker_that_accepts_and_never_answers_is_missed_soon(place, monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{mute.getsockname()[1]}/0")
        begins = time.monotonic()
        assert not tasks.ping()
        assert time.monotonic() - begins < 15


def test_the_socket_of_a_deep_home_lies_in_a_short_private_folder(tmp_path):
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    found = broker.socket_path(deep)

    assert len(os.fsencode(found)) <= 107
    assert found == broker.socket_path(deep / ".." / deep.name)
    assert found != broker.socket_path(tmp_path / "z" / ("x" * 120))
    assert found.parent.stat().st_mode & 0o777 == 0o700
    found.parent.chmod(0o755)
    with pytest.raises(broker.SocketFolderError, match="private"):
        broker.socket_path(deep)
    found.parent.rmdir()


def test_importing_the_door_reads_no_settings(tmp_path):
    (tmp_path / ".env").write_text("BARLAKE_API_PORT=not-a-port\n")
    code = "import agents.tasks"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert ran.returncode == 0


@pytest.mark.parametrize("what", ["worker", "beat"])
def test_a_corrupt_setting_ends_the_command_in_a_sentence(tmp_path, what):
    (tmp_path / ".env").write_text("BARLAKE_API_PORT=not-a-port\n")
    command = [sys.executable, "-m", "celery", "-A", "agents.tasks", what]
    ran = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)

    assert ran.returncode == 2
    assert "BARLAKE_API_PORT" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_redelivery_never_comes_while_a_task_may_still_run():
    conf = tasks.celery.conf
    limit = conf.task_time_limit
    assert conf.task_soft_time_limit < limit
    for where in (conf.broker_transport_options, conf.result_backend_transport_options):
        assert where["visibility_timeout"] > limit
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (True, True)
    assert conf.worker_prefetch_multiplier == 1
    assert (conf.accept_content, conf.task_serializer, conf.result_serializer) == (
        ["json"],
        "json",
        "json",
    )
    assert set(tasks.celery.tasks) >= {"ingest", "features", "train", "simulate", "upkeep"}
    nightly = {entry["task"]: entry["schedule"] for entry in conf.beat_schedule.values()}
    assert set(nightly) >= {"upkeep", "quality"}
    for schedule in nightly.values():
        due = schedule.remaining_estimate(datetime(2024, 5, 1, tzinfo=UTC))
        assert due.total_seconds() < 24 * 3600 or Path(conf.beat_schedule_filename).is_absolute()


def _merged(job):
    (merged,) = (step for step in job.result["steps"] if step["name"] == "merge")
    return merged["did"]
