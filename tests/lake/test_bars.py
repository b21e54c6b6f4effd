"""What writing bars promises: all or nothing, harmless to repeat, and old values stay as revisions."""

import multiprocessing
import os
import signal
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import lake
from lake import BAR_SCHEMA, Covered, Fetched
from lake.errors import BadBarsError, BarsMissingError, GateBusyError, SymbolError
from lake.gate import hold
from tests.market import OPEN, SOURCE, bar, bars, fetched, frame, session_covered

DAY = date(2024, 11, 4)
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(written=bars())
@quick
def test_what_is_written_is_read_back(store, written):
    source = f"sandbox:{time.monotonic_ns()}"  # one lake for all examples, a fresh series each
    store.commit_bars(Fetched(source, written))

    read = store.bars("SPY", source=source, columns=BAR_SCHEMA.names())

    assert_frame_equal(read, written)


@given(first=bars(), second=bars())
@quick
def test_the_newest_answer_wins_and_the_old_one_is_a_revision(store, first, second):
    source = f"sandbox:{time.monotonic_ns()}"
    everything = Covered(
        "SPY", datetime(2024, 10, 1, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC)
    )
    store.commit_bars(Fetched(source, first, (everything,)))
    commit = store.commit_bars(Fetched(source, second, (everything,)))

    old = {row["timestamp"]: row for row in first.to_dicts()}
    new = {row["timestamp"]: row for row in second.to_dicts()}
    changed = {at for at in old.keys() & new.keys() if old[at] != new[at]}
    gone = old.keys() - new.keys()
    assert_frame_equal(store.bars("SPY", source=source, columns=BAR_SCHEMA.names()), second)
    assert (commit.new, commit.corrected, commit.withdrawn) == (
        len(new.keys() - old.keys()),
        len(changed),
        len(gone),
    )
    revisions = store.sql(
        "SELECT timestamp, close, kind FROM bar_revisions WHERE source = ?", [source]
    )
    expected = {(at, old[at]["close"], "corrected") for at in changed} | {
        (at, old[at]["close"], "withdrawn") for at in gone
    }
    assert set(revisions.iter_rows()) == expected


def test_the_same_bars_again_change_nothing(store):
    answer = fetched(bar(0), bar(1), covered=(session_covered(DAY),))
    store.commit_bars(answer)
    before = store.snapshot()

    again = store.commit_bars(answer)

    assert (again.new, again.corrected, again.unchanged) == (0, 0, 2)
    assert store.snapshot() == before


def test_a_bar_absent_from_a_complete_answer_is_withdrawn_and_one_outside_is_not(store):
    store.commit_bars(fetched(bar(0), bar(1), bar(2)))
    covered = Covered("SPY", OPEN, OPEN + timedelta(minutes=2))

    commit = store.commit_bars(fetched(bar(0), covered=(covered,)))

    assert commit.withdrawn == 1
    assert store.bars("SPY")["timestamp"].to_list() == [OPEN, OPEN + timedelta(minutes=2)]


def test_of_two_bars_of_one_minute_the_last_wins(store):
    store.commit_bars(fetched(bar(0, 100.0), bar(0, 101.0)))

    assert store.bars("SPY")["close"].to_list() == [101.0]


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ({"close": float("nan")}, "prices are finite"),
        ({"open": -1.0}, "prices are positive"),
        ({"low": 101.0}, "low is not above high"),
        ({"volume": -5.0}, "volume is not negative"),
        ({"volume": float("inf")}, "volume is finite"),
        ({"close": None}, "prices are finite"),
        ({"timestamp": OPEN + timedelta(minutes=1, seconds=7)}, "the bar opens on a whole minute"),
        ({"timestamp": None}, "the timestamp can be read"),
    ],
)
def test_an_impossible_bar_goes_to_quarantine_with_its_rule_and_the_rest_is_stored(
    store, broken, rule
):
    for _ in range(2):
        store.commit_bars(fetched(bar(0), {**bar(1), **broken}))

    assert store.bars("SPY").height == 1
    assert store.sql("SELECT rule FROM quarantine")["rule"].to_list() == [rule]


def test_an_impossible_bar_does_not_push_out_the_good_one_of_its_minute(store):
    store.commit_bars(fetched(bar(0, 100.0), covered=(session_covered(DAY),)))
    store.commit_bars(fetched(bar(0, -1.0), covered=(session_covered(DAY),)))

    assert store.bars("SPY")["close"].to_list() == [100.0]


def test_odd_bars_are_stored_and_flagged(store):
    store.commit_bars(
        fetched(
            bar(0, open=90.0), {**bar(1), "close": 110.0}, bar(2, vwap=90.0), bar(3, volume=0.0)
        )
    )

    assert store.bars("SPY")["flags"].to_list() == [1, 2, 4, 8]


def test_a_frame_without_a_column_is_refused_whole(store):
    with pytest.raises(BadBarsError, match="no column vwap"):
        store.commit_bars(Fetched(SOURCE, frame(bar(0)).drop("vwap")))
    assert store.symbols().is_empty()


@pytest.mark.parametrize("name", ["../x", "a'; drop", "BRK/B", "", "spy", "A" * 17])
def test_a_name_no_ticker_has_is_refused(store, name):
    with pytest.raises(SymbolError, match="is not a ticker"):
        store.commit_bars(fetched(bar(0, symbol=name)))


def test_a_dotted_ticker_is_stored(store):
    store.commit_bars(fetched(bar(0, symbol="BRK.B")))

    assert store.bars("BRK.B").height == 1


def test_sources_never_mix_and_the_configured_one_is_shown(store):
    store.commit_bars(fetched(bar(0, 1.0), source="sandbox:sip"))
    store.commit_bars(fetched(bar(0, 2.0), source="alpaca:sip"))
    assert store.bars("SPY")["close"].to_list() == [2.0]

    store.prefer_source("sandbox:sip")

    assert store.bars("SPY")["close"].to_list() == [1.0]
    assert store.sql("SELECT close FROM bars")["close"].to_list() == [1.0]
    assert store.bars("SPY", source="alpaca:sip")["close"].to_list() == [2.0]
    with pytest.raises(BarsMissingError, match="barlake ingest SPY"):
        store.bars("SPY", source="alpaca:iex")


def test_a_sandbox_never_takes_the_place_of_a_real_provider(store):
    store.commit_bars(fetched(bar(0, 1.0), source="sandbox:iex"))
    store.commit_bars(fetched(bar(0, 2.0), source="alpaca:iex"))
    store.prefer_source("alpaca:iex")
    store.prefer_source("sandbox:iex")

    assert store.bars("SPY")["close"].to_list() == [2.0]


def test_recorded_at_never_decreases_when_the_clock_is_set_back(store):
    store.commit_bars(fetched(bar(0)))
    with lake.open(store.home, now=lambda: datetime(2001, 1, 1, tzinfo=UTC)) as late:
        late.commit_bars(fetched(bar(1)))

    first, second = store.sql("SELECT recorded_at FROM bars_1m ORDER BY timestamp")["recorded_at"]
    assert second > first


def test_changes_name_the_sessions_each_commit_touched(store):
    commit = store.commit_bars(fetched(bar(0), bar(datetime(2024, 11, 6, 1, tzinfo=UTC))))

    changes = store.sql('SELECT "commit", symbol, session, kind FROM changes ORDER BY session')
    # One in the morning UTC is still the evening before in New York.
    assert changes.rows() == [
        (commit.snapshot, "SPY", date(2024, 11, 4), "new"),
        (commit.snapshot, "SPY", date(2024, 11, 5), "new"),
    ]
    assert commit.snapshot == store.snapshot()


def test_a_long_lived_reader_sees_what_another_process_commits(store):
    store.commit_bars(fetched(bar(0)))
    assert store.bars("SPY").height == 1
    with lake.open(store.home) as other:
        other.commit_bars(fetched(bar(1)))

    assert store.bars("SPY").height == 2


def test_a_writer_that_waits_too_long_says_so_and_writes_nothing(store):
    with (
        hold(store.place.gate),
        pytest.raises(GateBusyError, match="ask again"),
        hold(store.place.gate, patience=0.2),
    ):
        pass
    with hold(store.place.gate, patience=0.2):
        pass  # the one who gave up does not keep the gate


def test_an_interrupt_while_waiting_at_the_gate_leaves_it_free(store):
    class Told(Exception):  # noqa: N818 - as Celery's time limit comes: raised by a signal
        pass

    def tell(*_: object) -> None:
        raise Told

    before = signal.signal(signal.SIGALRM, tell)
    try:
        with hold(store.place.gate):
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(Told), hold(store.place.gate):
                pass
    finally:
        signal.signal(signal.SIGALRM, before)
    time.sleep(0.2)  # the thread that stood in line gets the lock only now

    with hold(store.place.gate, patience=10.0):
        pass


@pytest.mark.parametrize("torn", ["", "17\0\0", None])
def test_a_lost_clock_file_is_made_up_from_the_tables(store, torn):
    with lake.open(store.home, now=lambda: datetime(2030, 1, 1, tzinfo=UTC)) as early:
        early.commit_bars(fetched(bar(0)))
    if torn is None:
        store.place.clock.unlink()
    else:
        store.place.clock.write_text(torn)
    store.commit_bars(fetched(bar(1)))

    first, second = store.sql("SELECT recorded_at FROM bars_1m ORDER BY timestamp")["recorded_at"]
    assert second > first


def test_writers_in_many_processes_lose_nothing_and_double_nothing(store):
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_days, args=(store.home, number, 6)) for number in range(3)
    ]
    for writer in writers:
        writer.start()
    heights = []
    while any(writer.is_alive() for writer in writers):
        heights.append(_count(store))
        time.sleep(0.02)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]

    assert _count(store) == 3 * 6 * 10
    assert heights == sorted(heights)
    assert all(height % 10 == 0 for height in heights), "a reader saw part of a commit"


def test_a_writer_killed_at_any_moment_leaves_whole_commits_only(store):
    context = multiprocessing.get_context("spawn")
    for attempt in range(3):
        writer = context.Process(target=_write_days, args=(store.home, attempt, 200))
        writer.start()
        deadline = time.monotonic() + 30
        while _count(store, f"S{attempt}") < 30 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        assert _count(store) % 10 == 0
        keys = store.sql(
            "SELECT count(*) - count(DISTINCT (source, symbol, timestamp)) AS twice FROM bars_1m"
        )
        assert keys["twice"].item() == 0
    _write_days(store.home, 9, 1)  # the gate is free, the lake goes on
    assert _count(store, "S9") == 10


def _count(store: lake.Lake, symbol: str = "%") -> int:
    return store.sql("SELECT count(*) AS n FROM bars_1m WHERE symbol LIKE ?", [symbol])["n"].item()


def _write_days(home: Path, number: int, days: int) -> None:
    with lake.open(home) as mine:
        for day in range(days):
            start = OPEN + timedelta(days=day)
            rows = [
                bar(start + timedelta(minutes=minute), symbol=f"S{number}") for minute in range(10)
            ]
            mine.commit_bars(fetched(*rows))


@given(picks=st.lists(st.integers(0, 30), min_size=1, unique=True))
@quick
def test_the_newest_bars_are_found_however_far_back_they_lie(store, picks):
    source = f"sandbox:{time.monotonic_ns()}"
    rows = [bar(OPEN - timedelta(days=20 * pick)) for pick in picks]
    store.commit_bars(Fetched(source, frame(*rows)))

    limit = max(1, len(picks) // 2)
    newest = store.bars("SPY", source=source, limit=limit)

    assert newest["timestamp"].to_list() == sorted(row["timestamp"] for row in rows)[-limit:]


def test_bars_of_several_symbols_come_sorted(store):
    store.commit_bars(fetched(bar(0, symbol="QQQ"), bar(0, symbol="AAPL")))

    both = store.bars(["qqq", "AAPL"])

    assert both["symbol"].to_list() == ["AAPL", "QQQ"]
    assert isinstance(both, pl.DataFrame)
