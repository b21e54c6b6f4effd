"""What working on one job promises, whoever asks for it."""

import threading

import pytest

from agents.heartbeat import Pulse, next_work
from agents.work import perform
from lake.errors import BarsMissingError, GateBusyError
from lake.journal import Journal


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def pulse(journal):
    beating = Pulse(journal, "worker", "worker", queue="barlake").start()
    yield beating
    beating.stop()


@pytest.fixture
def job(journal):
    return journal.queue("features", "", "SPY")[0]


def raising(error):
    def run(_job):
        raise error

    return run


def test_work_that_is_done_leaves_its_result(journal, pulse, job):
    seen = []

    def run(working):
        (agent,) = journal.agents()
        seen.append((working.state, agent.state, agent.detail["job_id"]))
        return {"rows": 3}

    assert perform(journal, job.id, run, pulse=pulse).state == "done"
    assert seen == [("running", "working", job.id)]
    assert journal.job(job.id).result == {"rows": 3}
    (agent,) = journal.agents()
    assert (agent.state, agent.detail) == ("idle", {"queue": "barlake"})


def test_an_error_of_ours_fails_the_job_with_its_sentence(journal, pulse, job):
    outcome = perform(journal, job.id, raising(BarsMissingError("SPY")), pulse=pulse)

    assert outcome.state == "failed"
    assert journal.job(job.id).error == str(BarsMissingError("SPY"))


def test_an_unexpected_error_fails_the_job_with_its_type_and_a_short_text(journal, pulse, job):
    outcome = perform(journal, job.id, raising(ZeroDivisionError("x" * 9000)), pulse=pulse)

    error = journal.job(job.id).error
    assert outcome.state == "failed"
    assert error.startswith("ZeroDivisionError: xxx")
    assert len(error) < 700


def test_a_busy_world_puts_the_job_back_until_the_last_attempt(journal, pulse, job):
    assert perform(journal, job.id, raising(GateBusyError(60)), pulse=pulse).state == "busy"
    assert journal.job(job.id).state == "queued"

    busy = perform(journal, job.id, raising(GateBusyError(60)), pulse=pulse, last=True)
    assert busy.state == "failed"
    assert journal.job(job.id).error == str(GateBusyError(60))


def test_a_second_delivery_neither_runs_nor_harms(journal, pulse, job):
    inside, go_on, runs = threading.Event(), threading.Event(), []

    def run(working):
        runs.append(working.id)
        inside.set()
        go_on.wait(30)
        return {}

    first = threading.Thread(target=perform, args=(journal, job.id, run), kwargs={"pulse": pulse})
    first.start()
    inside.wait(30)
    assert perform(journal, job.id, run, pulse=pulse).state == "held"
    go_on.set()
    first.join()

    assert perform(journal, job.id, run, pulse=pulse).state == "done"
    assert runs == [job.id]
    assert journal.job(job.id).state == "done"


def test_a_worker_told_to_stop_puts_its_job_back(journal, pulse, job):
    with pytest.raises(SystemExit):
        perform(journal, job.id, raising(SystemExit()), pulse=pulse)

    assert journal.job(job.id).state == "queued"
    assert [orphan.id for orphan in journal.orphans()] == [job.id]


def test_a_heartbeat_tells_how_far_the_job_is_what_is_done_and_what_is_next(journal, job):
    journal.queue("features", "", "QQQ")
    with_next = Pulse(journal, "worker", "worker", next_step=lambda: next_work(journal)).start()
    seen = []

    def run(working):
        journal.progress(working.id, 3, 12, "SPY up to 2024-05-01")
        with_next.work_on(working.id, working.symbol)
        seen.extend(journal.agents())
        return {}

    perform(journal, job.id, run, pulse=with_next)
    with_next.stop()

    (agent,) = seen
    assert agent.detail == {
        "job_id": job.id,
        "symbol": "SPY",
        "done": 3,
        "total": 12,
        "step": "SPY up to 2024-05-01",
        "next": "1 job waits",
    }


def test_who_is_stopped_just_after_the_claim_puts_the_job_back(journal, pulse, job, monkeypatch):
    claim = journal.claim

    def claimed_and_stopped(*arguments):
        claim(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(journal, "claim", claimed_and_stopped)
    with pytest.raises(KeyboardInterrupt):
        perform(journal, job.id, lambda _: {}, pulse=pulse)

    assert journal.job(job.id).state == "queued"
