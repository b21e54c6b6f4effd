"""What the journal promises to who watches agents and reads logs."""

import multiprocessing
import os
from datetime import UTC, timedelta

from lake.journal import Journal
from lake.journal.processes import identity, is_dead


def test_an_agent_is_seen_as_it_last_told(journal, clock):
    journal.beat("worker-1", "worker", "idle", {"queue": "barlake"})
    journal.beat("worker-1", "worker", "working", {"queue": "barlake", "job_id": "abc"})
    clock.move(seconds=7)

    (agent,) = journal.agents()
    assert (agent.name, agent.kind, agent.state, agent.pid) == (
        "worker-1",
        "worker",
        "working",
        os.getpid(),
    )
    assert agent.detail == {"queue": "barlake", "job_id": "abc"}
    assert agent.age == 7
    assert not agent.stalled


def test_a_silent_agent_is_stalled_and_a_stopped_one_is_not(journal, clock):
    journal.beat("silent", "worker", "idle", {})
    journal.beat("stopped", "worker", "stopped", {})
    clock.move(seconds=31)

    assert {agent.name: agent.stalled for agent in journal.agents()} == {
        "silent": True,
        "stopped": False,
    }


def _beat(home):
    with Journal.open(home) as journal:
        journal.beat("gone", "worker", "working", {})


def test_an_agent_whose_process_is_gone_is_stalled_at_once(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_beat, args=(tmp_path,))
    process.start()
    process.join()

    with Journal.open(tmp_path) as journal:
        (agent,) = journal.agents()
    assert agent.stalled
    assert agent.age < 30


def test_a_process_is_told_from_another_that_has_its_number_later():
    me = identity()
    machine, pid, _ = me.rsplit("/", 2)

    assert not is_dead(me)
    assert is_dead(f"{machine}/{pid}/12345")
    assert not is_dead(f"another/machine/x/{pid}/12345")


def test_log_lines_come_back_newest_first_and_filtered(journal):
    journal.log("one", agent="api", symbol="SPY", bars=390)
    journal.log("two", agent="worker", level="warning", job_id="abc")
    journal.log("three", agent="worker", level="error", job_id="abc", trace_id="t")

    assert [line["message"] for line in journal.logs()] == ["three", "two", "one"]
    assert [line["message"] for line in journal.logs(job_id="abc", limit=1)] == ["three"]
    assert [line["message"] for line in journal.logs(agent="api")] == ["one"]
    assert [line["message"] for line in journal.logs(level="warning")] == ["three", "two"]
    oldest = journal.logs()[-1]
    assert (oldest["symbol"], oldest["bars"], oldest["job_id"]) == ("SPY", 390, None)
    assert oldest["timestamp"].tzinfo is UTC


def test_old_lines_and_agents_are_forgotten(journal, clock):
    journal.log("old", agent="api")
    journal.beat("old", "worker", "idle", {})
    clock.move(days=40)
    journal.log("new", agent="api")
    journal.beat("new", "worker", "idle", {})

    assert journal.prune(older_than=timedelta(days=30)) == 1
    assert [line["message"] for line in journal.logs()] == ["new"]
    assert [agent.name for agent in journal.agents()] == ["new"]
    for _ in range(5):
        journal.log("more", agent="api")
    assert journal.prune(older_than=timedelta(days=30), keep_lines=2) == 4
