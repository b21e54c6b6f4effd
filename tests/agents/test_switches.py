"""What switching agents promises: real workers leave the jobs of a paused kind, and take them up again."""

import fcntl
import os
import re
import signal

import pytest

import lake
from agents import broker, tasks
from agents.heartbeat import Pulse
from agents.work import perform
from lake.journal import alerts, switches
from lake.journal.switches import AgentStoppedError
from tests.agents.houses import wait_for


def waiting(place):
    return broker.waiting(broker.broker_url(place.settings), in_hand=True)


def test_workers_leave_the_jobs_of_a_paused_kind_and_do_them_once_it_is_started(
    place, journal, house
):
    house.start("broker", "worker-1")
    switches.turn(journal, "upkeep", "paused")
    held, _ = journal.queue("upkeep", "", "")
    tasks.send(held)
    wait_for(lambda: not waiting(place))  # it was taken, and left
    other, _ = journal.queue("quality", "", "")
    tasks.send(other)
    wait_for(lambda: journal.job(other.id).state == "done")  # other kinds work on

    found = journal.job(held.id)
    assert (found.state, found.started_at, found.message) == ("queued", None, "")
    assert tasks.send_unfinished(journal) == 0  # nobody sends what nobody may do

    switches.turn(journal, "upkeep", "running")
    assert tasks.send_unfinished(journal) == 1
    wait_for(lambda: journal.job(held.id).state == "done")


def test_a_stopped_kind_puts_back_what_it_is_on_and_a_later_worker_goes_on(place, journal, house):
    lake.open(place.home, create=True).close()
    gate = os.open(lake.open(place.home).place.gate, os.O_RDWR)
    fcntl.flock(gate, fcntl.LOCK_EX)
    house.start("broker", "worker-1")
    job, _ = journal.queue("upkeep", "", "")
    tasks.send(job)
    wait_for(lambda: journal.job(job.id).state == "running")
    switches.turn(journal, "upkeep", "stopped")
    fcntl.flock(gate, fcntl.LOCK_UN)
    os.close(gate)
    back = wait_for(lambda: (now := journal.job(job.id)).state == "queued" and now)
    assert "barlake agents start upkeep" in back.message

    switches.turn(journal, "upkeep", "running")
    wait_for(lambda: not waiting(place))
    tasks.send_unfinished(journal)
    ended = wait_for(lambda: (now := journal.job(job.id)).is_finished and now)
    assert (ended.state, ended.error) == ("done", None)


def test_the_scheduler_makes_no_job_of_a_kind_that_is_off(journal, place, house):
    house.start("broker", "worker-1")
    for state in ("paused", "stopped"):
        switches.turn(journal, "upkeep", state)
        with tasks.celery.connection_for_write(broker.broker_url(place.settings)) as connection:
            tasks.upkeep.apply_async(connection=connection, ignore_result=True)
        wait_for(lambda: not waiting(place))

        assert journal.jobs(kind="upkeep") == [], state


def test_waiting_for_a_switch_uses_up_no_attempt(journal):
    job, _ = journal.queue("features", "", "SPY")
    switches.turn(journal, "features", "paused")
    pulse = Pulse(journal, "worker", "worker").start()
    for _ in range(20):
        with pytest.raises(AgentStoppedError):
            perform(journal, job.id, lambda _: {}, pulse=pulse, last=True)
    switches.turn(journal, "features", "running")

    assert perform(journal, job.id, lambda _: {"rows": 1}, pulse=pulse).state == "done"
    pulse.stop()


def test_what_is_done_already_is_told_whatever_the_switch_says(journal):
    job, _ = journal.queue("features", "", "SPY")
    pulse = Pulse(journal, "worker", "worker").start()
    perform(journal, job.id, lambda _: {}, pulse=pulse)
    switches.turn(journal, "features", "paused")

    assert perform(journal, job.id, lambda _: {}, pulse=pulse).state == "done"
    pulse.stop()


def test_a_killed_worker_is_noticed_by_another_process_and_a_new_one_ends_the_alert(journal, house):
    house.start("broker", "beat", "worker-1")
    wait_for(lambda: len(journal.agents()) == 2)
    (beat,) = [agent for agent in journal.agents() if agent.kind == "beat"]
    assert re.fullmatch(r"[a-z]+ at 20\d\d-\d\d-\d\dT\d\d:\d\dZ", beat.detail["next"])
    (member,) = [m for m in house.supervisor.members if m.part.name == "worker-1"]
    (worker,) = [agent for agent in journal.agents() if agent.kind == "worker"]
    os.killpg(member.pid, signal.SIGKILL)
    member.process.wait()
    house.supervisor.members.remove(member)

    (alert,) = wait_for(lambda: alerts.read(journal, kind="stalled"))
    assert alert.subject == worker.name
    line = wait_for(lambda: [n for n in journal.logs(agent="beat") if n["stage"] == "alert"])[0]
    assert (line["level"], line["message"]) == ("error", alert.message)

    house.start("worker-1")
    wait_for(lambda: not alerts.read(journal, kind="stalled"))
