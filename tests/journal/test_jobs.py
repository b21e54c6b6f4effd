"""What the journal promises to who queues work and to who does it."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.errors import MissingError, TransientError
from lake.journal import Journal, JournalBusyError, JournalVersionError, LeaseLostError
from lake.journal import engine as journal_engine

DAY = date(2024, 1, 1)


def queue(journal, first=0, last=9, symbol="SPY", **params):
    span = DAY + timedelta(days=first), DAY + timedelta(days=last)
    return journal.queue("ingest", "sandbox:iex", symbol, *span, params)


def test_what_is_queued_comes_back_as_it_was_asked_for(journal, clock):
    made, new = queue(journal, timeframe="1min")

    assert new
    assert journal.job(made.id) == made
    assert (made.state, made.first, made.last) == ("queued", DAY, date(2024, 1, 10))
    assert made.created_at == clock.now
    assert made.created_at.tzinfo is UTC
    assert made.params == {"timeframe": "1min"}


def test_queueing_what_is_queued_or_running_gives_the_same_job(journal):
    job, _ = queue(journal)
    again, new = queue(journal)
    assert (again.id, new) == (job.id, False)

    journal.claim(job.id, "worker")
    part, new = queue(journal, 3, 5)
    assert (part.id, new) == (job.id, False)
    assert part.state == "running"


def test_a_request_that_reaches_further_is_a_job_for_the_whole_of_it(journal):
    job, _ = queue(journal, 0, 9)
    wider, new = queue(journal, 5, 15)

    assert new
    assert wider.id != job.id
    assert (wider.first, wider.last) == (date(2024, 1, 6), date(2024, 1, 16))


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_what_is_finished_may_be_queued_again(journal, end):
    job, _ = queue(journal)
    journal.claim(job.id, "worker")
    getattr(journal, end)(job.id, {} if end == "finish" else "the provider said no")

    assert queue(journal)[1]


def test_other_symbols_sources_kinds_and_params_are_other_work(journal):
    assert queue(journal)[1]
    assert queue(journal, symbol="QQQ")[1]
    assert queue(journal, set_name="core")[1]
    assert journal.queue("ingest", "alpaca:sip", "SPY", DAY, DAY)[1]
    assert journal.queue("features", "sandbox:iex", "SPY", DAY, DAY)[1]


def test_no_dates_mean_all_sessions(journal):
    whole, _ = journal.queue("features", "s", "SPY")

    assert journal.queue("features", "s", "SPY", DAY, DAY)[0].id == whole.id
    assert (whole.first, whole.last) == (None, None)


requests = st.lists(
    st.tuples(st.sampled_from(["SPY", "QQQ"]), st.integers(0, 6), st.integers(0, 6)), max_size=12
)


@given(asked=requests, finished=st.sets(st.integers(0, 11)))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_request_makes_a_job_exactly_when_no_unfinished_one_covers_it(
    tmp_path_factory, asked, finished
):
    with Journal.open(tmp_path_factory.mktemp("home")) as journal:
        standing = {}
        for number, (symbol, first, length) in enumerate(asked):
            span = (symbol, first, first + length)
            covering = [
                name
                for name, (other, low, high) in standing.items()
                if other == symbol and low <= first and high >= first + length
            ]
            job, new = queue(journal, first, first + length, symbol)
            assert new == (not covering)
            assert new or job.id in covering
            standing.setdefault(job.id, span)
            if number in finished:
                journal.claim(job.id, "worker")
                journal.finish(job.id)
                del standing[job.id]
        assert {job.id for job in journal.unfinished()} == set(standing)


def test_threads_that_queue_the_same_at_once_get_one_job(journal):
    barrier = threading.Barrier(8)

    def ask(_):
        barrier.wait()
        return queue(journal)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert len({job.id for job, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1


def _queue_in_process(home, results):
    with Journal.open(home) as journal:
        job, new = queue(journal)
        results.put((job.id, new, os.getpid()))


def test_processes_that_open_a_new_journal_and_queue_the_same_at_once_get_one_job(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=_queue_in_process, args=(tmp_path, results)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    answers = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    results.close()

    assert len({job for job, _, _ in answers}) == 1
    assert sum(new for _, new, _ in answers) == 1


def test_jobs_are_listed_newest_first_and_filtered(journal):
    first, _ = queue(journal)
    second, _ = queue(journal, symbol="QQQ")
    journal.claim(first.id, "worker")

    assert [job.id for job in journal.jobs()] == [second.id, first.id]
    assert [job.id for job in journal.jobs(state="running")] == [first.id]
    assert [job.id for job in journal.jobs(symbol="QQQ")] == [second.id]
    assert journal.jobs(kind="train") == []
    assert len(journal.jobs(limit=1)) == 1
    assert [job.id for job in journal.unfinished()] == [first.id, second.id]


def test_an_unknown_job_says_how_to_list_them(journal):
    with pytest.raises(MissingError, match="barlake jobs"):
        journal.job("nosuchjob")
    with pytest.raises(MissingError):
        journal.claim("nosuchjob", "worker")


def test_progress_and_the_end_are_seen_by_others(journal, tmp_path, clock):
    job, _ = queue(journal)
    journal.claim(job.id, "worker-1@here")
    journal.progress(job.id, 3, 10, "SPY up to 2024-01-03")
    with Journal.open(tmp_path) as other:
        seen = other.job(job.id)
    assert (seen.done, seen.total, seen.message) == (3, 10, "SPY up to 2024-01-03")
    assert (seen.worker, seen.started_at) == ("worker-1@here", clock.now)

    journal.finish(job.id, {"new": 390})
    ended = journal.job(job.id)
    assert (ended.state, ended.result, ended.finished_at) == ("done", {"new": 390}, clock.now)


def test_a_failed_job_keeps_its_reason(journal):
    job, _ = queue(journal)
    journal.claim(job.id, "worker")
    journal.fail(job.id, "Check the keys.")

    assert journal.job(job.id).error == "Check the keys."
    assert journal.job(job.id).state == "failed"


def _claim_in_process(home, job_id, claimed, stay):
    with Journal.open(home) as journal:
        claimed.put(journal.claim(job_id, "another") is not None)
        stay.wait(60)


@pytest.fixture
def other_worker(tmp_path):
    """Another process that claims a job and stays; killed at the end."""
    context = multiprocessing.get_context("spawn")
    started = []

    def claim(job_id):
        claimed, stay = context.Queue(), context.Event()
        process = context.Process(target=_claim_in_process, args=(tmp_path, job_id, claimed, stay))
        process.start()
        started.append(process)
        return process, claimed.get(timeout=60)

    yield claim
    for process in started:
        process.kill()
        process.join()


def test_a_second_delivery_is_refused_while_its_worker_lives(tmp_path, other_worker):
    with Journal.open(tmp_path) as journal:
        job, _ = queue(journal)
        _, claimed = other_worker(job.id)

        assert claimed
        assert journal.claim(job.id, "me") is None
        assert journal.orphans() == []
        for report in (
            lambda: journal.progress(job.id, 1, 2),
            lambda: journal.finish(job.id),
            lambda: journal.fail(job.id, "no"),
        ):
            with pytest.raises(LeaseLostError):
                report()


def test_the_job_of_a_killed_worker_is_free_at_once(tmp_path, other_worker):
    with Journal.open(tmp_path) as journal:
        job, _ = queue(journal)
        process, _ = other_worker(job.id)
        os.kill(process.pid, signal.SIGKILL)
        process.join()

        assert [orphan.id for orphan in journal.orphans()] == [job.id]
        assert journal.claim(job.id, "me").worker == "me"


def test_the_job_of_a_silent_worker_is_free_when_its_lease_runs_out(journal, clock):
    job, _ = queue(journal)
    journal.claim(job.id, "worker")
    clock.move(30)
    journal.renew(job.id)
    clock.move(40)
    assert journal.claim(job.id, "another") is None
    clock.move(10)
    assert journal.claim(job.id, "another") is not None


def test_a_finished_job_is_never_claimed_again(journal):
    job, _ = queue(journal)
    journal.claim(job.id, "worker")
    journal.finish(job.id)

    assert journal.claim(job.id, "worker") is None
    with pytest.raises(LeaseLostError):
        journal.progress(job.id, 1, 2)


def test_a_job_put_back_is_claimed_again(journal):
    job, _ = queue(journal)
    journal.claim(job.id, "worker")
    journal.release(job.id, "the provider is busy")

    assert journal.job(job.id).state == "queued"
    assert journal.job(job.id).message == "the provider is busy"
    assert journal.claim(job.id, "worker") is not None


def test_a_job_that_kills_its_worker_again_and_again_is_given_up(journal, clock):
    job, _ = queue(journal)
    for _ in range(5):
        assert journal.claim(job.id, "worker") is not None
        clock.move(60)

    assert journal.claim(job.id, "worker") is None
    assert journal.job(job.id).state == "failed"
    assert "died 5 times" in journal.job(job.id).error
    assert queue(journal)[1]


def test_progress_between_deaths_keeps_a_long_job_alive(journal, clock):
    job, _ = queue(journal)
    for step in range(1, 12):
        assert journal.claim(job.id, "worker") is not None
        journal.progress(job.id, step, 20)
        clock.move(60)


def test_a_locked_journal_is_a_busy_one_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_engine, "PATIENCE", 0.2)
    with Journal.open(tmp_path) as journal:
        lock = sqlite3.connect(journal.file, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientError, match="ask again"):
            queue(journal)
        assert journal.jobs() == []  # readers never wait
        lock.execute("ROLLBACK")
        lock.close()
        assert queue(journal)[1]


def test_a_file_that_is_no_journal_is_told_in_a_sentence(tmp_path):
    folder = tmp_path / "duckdb"
    folder.mkdir()
    (folder / "journal.sqlite").write_bytes(b"this is not a database" * 100)

    with pytest.raises(JournalBusyError, match="not a database"):
        Journal.open(tmp_path)


def test_a_journal_of_a_newer_version_is_refused(tmp_path):
    with Journal.open(tmp_path) as journal:
        file = journal.file
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(JournalVersionError, match="newer"):
        Journal.open(tmp_path)


def test_a_url_works_like_a_home(tmp_path):
    url = f"sqlite:///{tmp_path / 'other' / 'place.sqlite'}"
    with Journal.open(url) as journal:
        job, _ = queue(journal)
    with Journal.open(url) as again:
        assert again.job(job.id) == job


def test_importing_the_lake_does_not_load_sqlalchemy():
    code = "import lake, sys; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_opening_a_journal_that_is_there_is_quick(tmp_path):
    Journal.open(tmp_path).close()
    code = (
        "import sys; from pathlib import Path; from lake.journal import Journal;"
        f"Journal.open(Path({str(tmp_path)!r})).close(); sys.exit('alembic' in sys.modules)"
    )
    begun = time.monotonic()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert time.monotonic() - begun < 30


def test_the_migrations_make_what_the_code_expects(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine

    from lake.journal.tables import HEAD, metadata

    with Journal.open(tmp_path) as journal:
        engine = create_engine(journal.name)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    engine.dispose()

    config = Config()
    folder = Path(journal_engine.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
