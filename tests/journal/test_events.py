"""What the stream of events promises to who follows it."""

import multiprocessing
import time
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.errors import InvalidError, MissingError
from lake.journal import Journal, events
from lake.journal.events import AlertRaised, BarsCommitted, Heartbeat, JobChanged, Switched

PROCESSES, EACH = 3, 60


def switched(number):
    return Switched("ingest", "paused", str(number))


def reasons(found):
    return [event.what.reason for event in found.events]


def test_each_step_of_a_job_is_an_event_in_order(journal):
    job, _ = journal.queue("ingest", "sandbox:iex", "SPY", date(2024, 1, 1), date(2024, 1, 9))
    journal.claim(job.id, "worker-1@here")
    journal.progress(job.id, 1, 2, "no event of its own")
    journal.release(job.id, "the provider is busy")
    journal.claim(job.id, "worker-2@here")
    journal.fail(job.id, "Check the keys.")

    told = [event.what for event in events.read(journal, 0).events]

    assert {type(what) for what in told} == {JobChanged}
    assert {(what.job_id, what.work, what.source, what.symbol) for what in told} == {
        (job.id, "ingest", "sandbox:iex", "SPY")
    }
    assert [(what.state, what.worker, what.says) for what in told] == [
        ("queued", None, ""),
        ("running", "worker-1@here", ""),
        ("queued", "worker-1@here", "the provider is busy"),
        ("running", "worker-2@here", ""),
        ("failed", "worker-2@here", "Check the keys."),
    ]


def test_a_job_that_was_queued_already_is_no_event(journal):
    for _ in range(3):
        journal.queue("upkeep", "", "")

    assert len(events.read(journal, 0).events) == 1


def test_of_heartbeats_only_changes_of_state_are_events(journal):
    for state in ("idle", "idle", "working", "working", "idle", "stopped"):
        detail = {"job_id": "abc", "symbol": "SPY"} if state == "working" else {}
        journal.beat("worker-1", "worker", state, detail)

    told = [event.what for event in events.read(journal, 0).events]

    assert told == [
        Heartbeat("worker-1", "worker", "idle"),
        Heartbeat("worker-1", "worker", "working", "abc", "SPY"),
        Heartbeat("worker-1", "worker", "idle"),
        Heartbeat("worker-1", "worker", "stopped"),
    ]


def test_a_reader_goes_on_where_it_was(journal):
    for number in range(5):
        events.tell(journal, switched(number))

    first = events.read(journal, 0, limit=2)
    second = events.read(journal, first.next, limit=2)
    third = events.read(journal, second.next, limit=2)
    nothing = events.read(journal, third.next)

    assert [reasons(part) for part in (first, second, third)] == [["0", "1"], ["2", "3"], ["4"]]
    assert (nothing.events, nothing.next) == ([], third.next)


def test_without_a_number_the_newest_come_and_where_to_go_on(journal):
    assert events.read(journal) == events.Read([], 0)
    for number in range(5):
        events.tell(journal, switched(number))

    found = events.read(journal, limit=2)

    assert reasons(found) == ["3", "4"]
    assert events.read(journal, found.next).events == []


def test_a_reader_of_one_kind_does_not_look_at_the_others_again(journal):
    events.tell(journal, AlertRaised(1, "stalled", "worker-1", "It is silent."), switched(1))

    found = events.read(journal, 0, kinds=["alert"])

    assert [event.what.subject for event in found.events] == ["worker-1"]
    assert found.next == events.newest(journal)


def test_what_a_transaction_told_and_did_not_commit_was_never_told(journal, clock):
    def fail():
        with journal.database.writing() as connection:
            events.tell(connection, switched(1), at=clock.now)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    events.tell(journal, switched(2))

    assert reasons(events.read(journal, 0)) == ["2"]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
days = st.none() | st.dates()
counts = st.integers(0, 10**12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            BarsCommitted,
            texts,
            texts,
            st.lists(texts, max_size=3).map(tuple),
            st.just("bars_1m"),
            days,
            days,
            counts,
            counts,
            counts,
            counts,
            st.none() | counts,
            st.none() | texts.filter(bool),
        )
        | st.builds(JobChanged, texts, texts, texts, texts, texts, st.none() | texts.filter(bool))
        | st.builds(Switched, texts, texts, texts)
        | st.builds(events.AlertOver, counts, texts, texts, texts),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_told_comes_back_as_it_was(journal, told):
    before = events.newest(journal)
    events.tell(journal, *told)

    assert [event.what for event in events.read(journal, before).events] == told


def _tell_many(home, name):
    with Journal.open(home) as journal:
        for number in range(EACH):
            if number % 3:
                events.tell(journal, Switched(name, "paused", str(number)))
            else:  # a transaction that is long after it has told
                with journal.database.writing() as connection:
                    told = Switched(name, "paused", str(number))
                    events.tell(connection, told, at=journal.now)
                    time.sleep(0.005)


def test_a_reader_that_follows_many_writers_misses_nothing_and_sees_nothing_twice(tmp_path):
    with Journal.open(tmp_path) as journal:
        context = multiprocessing.get_context("spawn")
        writers = [
            context.Process(target=_tell_many, args=(tmp_path, f"writer-{n}"))
            for n in range(PROCESSES)
        ]
        for writer in writers:
            writer.start()
        seen, after, end = [], 0, time.monotonic() + 120
        while len(seen) < PROCESSES * EACH:
            assert time.monotonic() < end, f"only {len(seen)} came"
            found = events.read(journal, after, limit=7)
            seen += found.events
            after = found.next
        for writer in writers:
            writer.join()

    numbers = [event.number for event in seen]
    assert numbers == sorted(set(numbers))
    for n in range(PROCESSES):
        mine = [event.what.reason for event in seen if event.what.agent == f"writer-{n}"]
        assert mine == [str(number) for number in range(EACH)]


def test_old_events_are_forgotten_and_a_reader_that_was_away_is_told(journal, clock):
    for number in range(3):
        events.tell(journal, switched(number))
    away = events.read(journal, 0, limit=1).next
    clock.move(days=31)
    events.tell(journal, switched(3))
    events.tell(journal, switched(4))

    journal.prune(older_than=timedelta(days=30))

    assert reasons(events.read(journal, 0)) == ["3", "4"]
    with pytest.raises(MissingError, match="the oldest left is 4"):
        events.read(journal, away)
    assert reasons(events.read(journal, 3)) == ["3", "4"]  # it has seen all that is forgotten


def test_a_number_is_never_given_twice_however_long_nothing_happens(journal, clock):
    events.tell(journal, switched(1), switched(2))
    last = events.newest(journal)
    clock.move(days=400)
    journal.prune(older_than=timedelta(days=30))
    events.tell(journal, switched(3))

    assert reasons(events.read(journal, last)) == ["3"]


def test_a_number_of_another_journal_is_refused(journal):
    events.tell(journal, switched(1))
    with pytest.raises(InvalidError, match="the newest is 1"):
        events.read(journal, 7)


def test_an_event_of_a_newer_barlake_is_passed_on(journal):
    events.tell(journal, events.Unknown("moon", {"phase": "full", "symbol": "SPY"}))

    (event,) = events.read(journal, 0).events

    assert event.what == events.Unknown("moon", {"phase": "full", "symbol": "SPY"})
    assert events.plain(event)["phase"] == "full"
