"""What upkeep promises: other files, the same bars; a gate held in short steps; nothing lost by a kill."""

import multiprocessing
import os
import shutil
import signal
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lake
from lake import Covered, Fetched
from lake.upkeep import STEPS, Plan, StepError, run
from tests.lake.rounds import ALL, CURRENT, LATER, at, live, same
from tests.market import OPEN, SOURCE, bar, bars, fetched, session_covered

DAY = date(2024, 11, 4)


def content(store):
    """All that readers can learn: current bars, revisions, coverage and what changed."""
    with store.reading() as connection:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY ALL").pl()
            for table in (CURRENT, "bars_daily", "bar_revisions", "coverage", "changes", "series")
        ]


def as_of(store, moment):
    query = f"""SELECT source, symbol, timestamp, close FROM {CURRENT} WHERE recorded_at <= $1
                UNION ALL SELECT source, symbol, timestamp, close FROM bar_revisions
                WHERE recorded_at <= $1 AND superseded_at > $1 ORDER BY ALL"""
    with store.reading() as connection:
        return connection.execute(query, [moment]).pl()


def forget_live(store, minute):
    with store.writing() as transaction:
        transaction.connection.execute(
            "DELETE FROM bars_live WHERE timestamp = ?", [OPEN + timedelta(minutes=minute)]
        )


def files(store, table="bars_1m"):
    return store.sql("SELECT count(*) FROM ducklake_list_files('lake', ?)", [table]).item()


def deletes(store, table="bars_1m"):
    return store.sql(
        "SELECT count(*) FROM ducklake_list_files('lake', ?) WHERE delete_file IS NOT NULL", [table]
    ).item()


def on_disk(store):
    return len(list(store.place.parquet.rglob("*.parquet")))


def worked(store):
    """A lake with everything upkeep has something to do about."""
    for minute in range(4):
        store.commit_bars(fetched(bar(minute), bar(minute, symbol="QQQ")))
    store.commit_bars(fetched(bar(1, 101.0), bar(2, 102.0)))
    for minute in range(400, 404):
        live(store, minute)
        live(store, minute, symbol="QQQ")
    forget_live(store, 401)
    return store


moves = st.lists(
    st.one_of(
        st.tuples(st.just("bars"), bars(most=8)),
        st.tuples(st.just("correct"), bars(most=8)),
        st.tuples(st.just("tick"), st.integers(500, 4000)),
        st.tuples(st.just("pin"), st.none()),
        st.tuples(st.sampled_from(STEPS), st.none()),
    ),
    min_size=3,
    max_size=8,
)
EVERYTHING = Covered("SPY", datetime(2024, 10, 1, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC))


@given(drawn=moves)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_step_changes_what_a_reader_can_learn(empty_home, tmp_path, drawn):
    home = tmp_path / str(time.monotonic_ns())
    shutil.copytree(empty_home, home)
    pinned, moments, seen = {}, [], set()
    with lake.open(home) as store:
        for kind, value in [*drawn, ("all", None)]:
            if kind == "bars":
                store.commit_bars(Fetched(SOURCE, value))
                moments.append(datetime.now(UTC))
            elif kind == "correct":
                store.commit_bars(Fetched(SOURCE, value, (EVERYTHING,)))
                moments.append(datetime.now(UTC))
            elif kind == "tick":
                if value not in seen:
                    live(store, value, symbol="QQQ")
                    moments.append(datetime.now(UTC))
                seen.add(value)
            elif kind == "pin":
                snapshot = store.pin(f"pin {len(pinned)}")
                pinned[snapshot] = at(store, snapshot)
            else:
                only = None if kind == "all" else (kind,)
                before = content(store), [as_of(store, moment) for moment in moments[:3]]
                run(store, Plan(ALL.now, ALL.keep, replaced_kept=timedelta(0), only=only))
                same(before[0], content(store))
                same(before[1], [as_of(store, moment) for moment in moments[:3]])
        for snapshot, held in pinned.items():
            same(held, at(store, snapshot))
    shutil.rmtree(home)


def test_a_round_leaves_one_file_a_partition_and_one_snapshot(store):
    worked(store)
    before = content(store)

    report = run(store, ALL)

    same(before, content(store))
    assert (files(store), deletes(store)) == (2, 0)
    assert files(store, "bars_live") == 0
    assert store.sql("SELECT count(*) FROM ducklake_snapshots('lake')").item() == 1
    assert report.did["live_bars_moved"] == 6
    assert 0 < report.longest_gate_seconds <= report.gate_seconds


def test_a_second_round_does_nothing(store):
    run(worked(store), ALL)
    snapshot, held = store.snapshot(), on_disk(store)

    report = run(store, ALL)

    assert (store.snapshot(), on_disk(store)) == (snapshot, held)
    counted = {name: count for name, count in report.did.items() if not name.startswith("files_")}
    assert set(counted.values()) == {0}
    assert report.did["files_rewritten"] == report.did["files_merged"] == 0


def test_a_dry_run_counts_and_changes_nothing(store):
    worked(store)
    before, snapshot, held = content(store), store.snapshot(), on_disk(store)

    would = run(store, ALL, dry_run=True)

    same(before, content(store))
    assert (store.snapshot(), on_disk(store), would.transactions) == (snapshot, held, 0)
    assert would.did["live_bars_moved"] == 6
    assert (
        would.did["snapshots_expired"]
        == store.sql("SELECT count(*) - 1 FROM ducklake_snapshots('lake')").item()
    )


def test_live_bars_of_todays_session_stay(store):
    live(store, 0, 1)
    live(store, 24 * 60)

    run(store, Plan(OPEN + timedelta(days=1, hours=2), only=("live",)))

    left = store.sql("SELECT timestamp FROM bars_live")["timestamp"].to_list()
    assert left == [OPEN + timedelta(days=1)]
    assert store.sql("SELECT count(*) FROM bars_1m").item() == 2


def test_a_pinned_snapshot_reads_the_same_after_a_round(store):
    worked(store)
    snapshot = store.pin("model 1")
    held = at(store, snapshot)
    store.commit_bars(fetched(bar(0, 99.0), covered=(session_covered(DAY),)))

    run(store, ALL)

    same(held, at(store, snapshot))


def test_young_snapshots_and_the_newest_stay(store):
    worked(store)
    count = "SELECT count(*) FROM ducklake_snapshots('lake')"
    before = store.sql(count).item()

    run(store, Plan(datetime.now(UTC), only=("expire",)))
    assert store.sql(count).item() == before
    run(store, Plan(LATER, only=("expire",)))
    assert store.sql("SELECT snapshot_id FROM ducklake_snapshots('lake')")[
        "snapshot_id"
    ].to_list() == [store.snapshot()]


def test_replaced_files_stay_an_hour_for_slow_readers(store):
    worked(store)
    run(store, Plan(LATER, keep=timedelta(0), only=("rewrite", "merge", "expire")))
    held = on_disk(store)

    assert run(store, Plan(datetime.now(UTC), only=("cleanup",))).did["replaced_files_deleted"] == 0
    assert on_disk(store) == held
    soon = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    assert run(store, Plan(soon, only=("cleanup",))).did["replaced_files_deleted"] > 0
    assert on_disk(store) < held


def test_orphans_go_after_a_day_and_known_files_never(store):
    worked(store)
    before, held = content(store), on_disk(store)
    orphan = store.place.parquet / "main" / "bars_1m" / "lost.parquet"
    orphan.write_bytes(b"half a file")
    now = datetime.now(UTC)

    assert run(store, Plan(now, only=("orphans",))).did["orphans_deleted"] == 0
    tomorrow = Plan(now + timedelta(days=1, minutes=1), only=("orphans",))
    assert run(store, tomorrow, dry_run=True).did["orphans_deleted"] == 1
    assert orphan.exists()
    assert run(store, tomorrow).did["orphans_deleted"] == 1
    assert not orphan.exists()
    assert on_disk(store) == held
    same(before, content(store))


def test_an_unknown_step_is_refused():
    with pytest.raises(StepError, match="Use some of retire, live"):
        Plan(LATER, only=("polish",))


def _round(home, begin):
    with lake.open(home) as store:
        begin.set()
        run(store, ALL)


def test_a_killed_round_is_made_good_by_the_next(empty_home, tmp_path):
    context = multiprocessing.get_context("spawn")
    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    with lake.open(home) as store:
        for n in range(5):
            for minute in range(2):
                store.commit_bars(fetched(bar(4 * n + minute), bar(4 * n + minute, symbol="QQQ")))
            store.commit_bars(fetched(bar(4 * n, 101.0)))
            live(store, 400 + n)
            before, moment = content(store), datetime.now(UTC)
            begin = context.Event()
            process = context.Process(target=_round, args=(home, begin))
            process.start()
            assert begin.wait(30)
            time.sleep(0.04 * n)
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            same(before, content(store))
        run(store, ALL)
        same(before, content(store))
        assert as_of(store, moment).height == 5 * 5
        assert (files(store), deletes(store), files(store, "bars_live")) == (2, 0, 0)


def _write(home, number, count):
    with lake.open(home) as store:
        for minute in range(count):
            store.commit_bars(fetched(bar(minute, symbol=f"W{number}"), bar(minute)))
            store.commit_bars(fetched(bar(minute, 101.0, symbol=f"W{number}")))


def test_rounds_beside_writers_lose_nothing_and_readers_see_no_error(store):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(store.home, n, 15)) for n in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        run(store, Plan(datetime.now(UTC), keep=timedelta(0)))
        store.sql("SELECT count(*), sum(close) FROM bars_1m")
    assert [writer.exitcode for writer in writers] == [0, 0]
    run(store, ALL)

    held = store.sql(
        "SELECT symbol, count(*) AS bars, count(DISTINCT timestamp) AS minutes FROM bars_1m GROUP BY symbol ORDER BY symbol"
    )
    assert held.rows() == [("SPY", 15, 15), ("W0", 15, 15), ("W1", 15, 15)]
    assert store.sql("SELECT count(*) FROM bar_revisions").item() == 2 * 15
