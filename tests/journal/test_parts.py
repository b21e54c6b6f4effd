"""Jobs that are done in parts: the whole waits, shows how far they are, and is summed up once."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lake.journal import Journal, events
from lake.journal.parts import Piece

DAY = date(2024, 5, 1)
PIECES = [Piece("SPY", {"symbols": ["SPY"], "number": number}, 10) for number in range(3)]


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def whole(journal):
    job, _ = journal.queue("ingest", "s:f", "", DAY, DAY, {"symbols": ["QQQ", "SPY"]})
    journal.claim(job.id, "one")
    return job


def test_a_whole_waits_for_its_parts_and_is_taken_up_again_after_the_last(journal, whole):
    parts = journal.split(whole.id, PIECES)

    assert [part.params for part in parts] == [piece.params for piece in PIECES]
    assert {part.parent for part in parts} == {whole.id}
    assert {part.trace_id for part in parts} == {whole.trace_id}
    assert journal.job(whole.id).state == "queued"
    assert journal.claim(whole.id, "two") is None
    assert [job.id for job in journal.orphans()] == [part.id for part in parts]
    for part in parts:
        assert journal.claim(part.id, "one") is not None
        assert journal.job(whole.id).state == "running"
        journal.finish(part.id, {})
    assert [job.id for job in journal.orphans()] == [whole.id]
    assert journal.claim(whole.id, "two") is not None


def test_a_whole_shows_how_far_its_parts_are(journal, whole):
    first, second, _ = journal.split(whole.id, PIECES)
    journal.claim(first.id, "one")
    journal.progress(first.id, 4, 10, "SPY up to today", facts={"bars_per_second": 100})
    journal.claim(second.id, "two")
    journal.progress(second.id, 1, 10, "QQQ", facts={"bars_per_second": 50, "budget_left": 7})

    told = journal.job(whole.id)
    assert (told.done, told.total, told.message) == (5, 30, "QQQ")
    assert told.rates == {"bars_per_second": 150, "budget_left": 7}
    journal.finish(first.id)
    assert journal.job(whole.id).done == 11
    journal.release(second.id, "stopped")
    assert journal.job(whole.id).state == "queued"


def test_a_whole_tells_the_stream_of_each_change_of_its_state(journal, whole):
    def told():
        found = [one.what for one in events.read(journal, after=0).events]
        return [event.state for event in found if event.job_id == whole.id]

    first, second, third = journal.split(whole.id, PIECES)
    seen = ["queued", "running", "queued"]
    assert told() == seen
    journal.claim(first.id, "one")
    journal.claim(second.id, "two")
    journal.progress(second.id, 1, 10, "QQQ")
    seen.append("running")
    assert told() == seen
    journal.release(first.id, "stopped")
    assert told() == seen
    journal.finish(second.id)
    seen.append("queued")
    assert told() == seen
    for part in (first, third):
        journal.claim(part.id, "one")
        journal.finish(part.id)
        seen += ["running", "queued"]
    journal.claim(whole.id, "one")
    journal.finish(whole.id)
    assert told() == [*seen, "running", "done"]


def test_parts_are_not_listed_among_whole_jobs(journal, whole):
    parts = journal.split(whole.id, PIECES)

    assert [job.id for job in journal.jobs()] == [whole.id]
    assert {job.id for job in journal.jobs(parent=whole.id)} == {part.id for part in parts}
    assert [job.id for job in journal.jobs(symbol="SPY")] == [whole.id]
    assert journal.jobs(symbol="SP") == []


def test_parts_that_nobody_has_begun_can_be_given_up(journal, whole):
    first, *_ = journal.split(whole.id, PIECES)
    journal.claim(first.id, "one")

    assert journal.give_up_parts(whole.id, "the keys are wrong") == 2
    states = {part.id: (part.state, part.error) for part in journal.parts_of(whole.id)}
    assert states.pop(first.id) == ("running", None)
    assert set(states.values()) == {("failed", "the keys are wrong")}


def test_taking_a_whole_up_again_is_no_crash(journal, whole):
    for _ in range(10):  # more often than a worker may die on a job
        (part,) = journal.split(whole.id, PIECES[:1])
        journal.claim(part.id, "one")
        journal.finish(part.id)
        assert journal.claim(whole.id, "one") is not None


def test_a_label_names_the_first_symbols_and_counts_the_others(journal):
    many = [f"S{number}" for number in range(9)]
    job, _ = journal.queue("ingest", "s:f", "", DAY, DAY, {"symbols": many})

    assert job.label == "S0, S1, S2 +6"
    assert journal.queue("ingest", "s:f", "SPY", DAY, DAY)[0].label == "SPY"


def test_the_parts_of_jobs_that_are_long_over_are_forgotten(tmp_path):
    now = [datetime(2024, 5, 1, tzinfo=UTC)]
    with Journal.open(tmp_path, now=lambda: now[0]) as journal:
        job, _ = journal.queue("ingest", "s:f", "SPY", DAY, DAY)
        journal.claim(job.id, "one")
        (part,) = journal.split(job.id, PIECES[:1])
        journal.claim(part.id, "one")
        journal.finish(part.id)
        journal.claim(job.id, "one")
        journal.finish(job.id, {"new": 3})
        now[0] += timedelta(days=31)
        journal.prune(older_than=timedelta(days=30))

        assert journal.parts_of(job.id) == []
        assert journal.job(job.id).result == {"new": 3}
