"""What reading promises: the same as DuckLake's own scan, whatever was written and tidied up."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import lake
from lake import Covered, Fetched, reading, scan_sql
from tests.market import OPEN, bar, bars, fetched, frame

SOURCES = ("alpaca:iex", "alpaca:sip")
FIRST = datetime(2024, 11, 1, 8, tzinfo=UTC)
LAST = FIRST + timedelta(days=6)
HEAVY = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

moments = st.integers(0, 6 * 24 * 60).map(lambda minute: FIRST + timedelta(minutes=minute))
steps = st.one_of(
    st.tuples(
        st.just("write"),
        st.sampled_from(SOURCES),
        st.sampled_from(["SPY", "QQQ"]).flatmap(lambda name: bars(name, most=12)),
        st.booleans(),
    ),
    st.tuples(st.just("move")),
    st.tuples(st.just("merge")),
    st.tuples(st.just("rewrite")),
)


def _do(store: lake.Lake, step: tuple) -> None:
    if step[0] == "write":
        _, source, frame_, complete = step
        symbol = frame_["symbol"][0]
        covered = (Covered(symbol, FIRST, LAST),) if complete else ()
        store.commit_bars(Fetched(source, frame_, covered))
        return
    with store.writing() as transaction:
        run = transaction.connection
        if step[0] == "move":  # a live row is one that lies in bars_live
            run.execute("INSERT INTO bars_live FROM bars_1m WHERE minute(timestamp) % 2 = 0")
            run.execute("DELETE FROM bars_1m WHERE minute(timestamp) % 2 = 0")
        elif step[0] == "merge":
            for table in ("bars_1m", "bars_live", "bar_revisions"):
                run.execute(f"CALL ducklake_merge_adjacent_files('lake', '{table}')")
        else:
            for table in ("bars_1m", "bars_live"):
                run.execute(
                    f"CALL ducklake_rewrite_data_files('lake', '{table}', delete_threshold => 0)"
                )


def _oracle(store: lake.Lake, symbol: str, source: str, **asked: object):
    question = reading.ask(
        symbol,
        asked.get("start"),
        asked.get("end"),
        dataset="bars_1m",
        timeframe=asked.get("timeframe"),
        adjust="raw",
        columns=None,
        regular_only=asked.get("regular_only", False),
        limit=asked.get("limit"),
        as_of=asked.get("as_of"),
        snapshot=asked.get("snapshot"),
        source=source,
    )
    with store.reading() as connection:
        return scan_sql.read_series(connection, question, symbol, source)


@given(
    history=st.lists(steps, min_size=1, max_size=5),
    timeframe=st.sampled_from(["1min", "5min", "1h", "4h", "1d", "1week"]),
    span=st.tuples(st.none() | moments, st.none() | moments),
    limit=st.none() | st.integers(1, 5),
    regular_only=st.booleans(),
)
@HEAVY
def test_the_files_hold_what_ducklake_scans(
    tmp_path_factory, empty_home, history, timeframe, span, limit, regular_only
):
    import shutil

    home = tmp_path_factory.mktemp("lake") / "home"
    shutil.copytree(empty_home, home)
    start, end = sorted(span, key=lambda end: (end is None, end)) if None not in span else span
    if start is not None and end is not None and start >= end:
        start, end = end, start
    asked = {
        "start": start,
        "end": end,
        "timeframe": timeframe,
        "limit": limit,
        "regular_only": regular_only,
    }
    with lake.open(home) as store:
        snapshots, moments_ = [], []
        for step in history:
            _do(store, step)
            snapshots.append(store.snapshot())
            moments_.append(store.sql("SELECT max(recorded_at) FROM changes").item())
        series = store.sql("SELECT source, symbol FROM series ORDER BY ALL")
        for source, symbol in series.iter_rows():
            fast = store.bars(symbol, source=source, **asked)
            assert_frame_equal(fast, _oracle(store, symbol, source, **asked), rel_tol=1e-9)
            for snapshot in snapshots:
                then = {**asked, "snapshot": snapshot}
                fast = store.bars(symbol, source=source, **then)
                assert_frame_equal(fast, _oracle(store, symbol, source, **then), rel_tol=1e-9)
            for moment in filter(None, moments_):
                then = {**asked, "as_of": moment}
                fast = store.bars(symbol, source=source, **then)
                assert_frame_equal(fast, _oracle(store, symbol, source, **then), rel_tol=1e-9)


@given(history=st.lists(bars(most=8), min_size=1, max_size=5))
@HEAVY
def test_as_of_gives_each_bar_as_it_was_known_then(tmp_path_factory, empty_home, history):
    import shutil

    home = tmp_path_factory.mktemp("lake") / "home"
    shutil.copytree(empty_home, home)
    with lake.open(home) as store:
        known: dict[datetime, dict] = {}
        for answer in history:  # each answer is complete: what it lacks is withdrawn
            done = store.commit_bars(Fetched(SOURCES[0], answer, (Covered("SPY", FIRST, LAST),)))
            if done.snapshot is not None:
                moment = store.sql("SELECT max(recorded_at) FROM changes").item()
                known[moment] = dict(answer.select("timestamp", "close").iter_rows())
        for moment, expected in known.items():
            then = store.bars("SPY", as_of=moment, columns=["timestamp", "close"])
            assert dict(then.iter_rows()) == expected
        before = min(known) - timedelta(seconds=1)
        assert store.bars("SPY", as_of=before).is_empty()


def test_live_bars_are_part_of_every_answer(store):
    store.commit_bars(fetched(bar(0), bar(1), bar(2)))
    _do(store, ("move",))

    assert store.bars("SPY")["timestamp"].to_list() == [
        OPEN + timedelta(minutes=minute) for minute in range(3)
    ]
    assert store.sql("SELECT count(*) FROM bars").item() == 3


def test_reading_minutes_needs_no_ducklake(store):
    store.commit_bars(fetched(bar(0)))

    with lake.open(store.home) as other:
        assert other.bars("SPY").height == 1
        assert not other.catalog.attached


def test_a_file_that_was_tidied_away_is_planned_again(store):
    store.commit_bars(fetched(bar(0)))
    store.commit_bars(fetched(bar(1)))
    store.bars("SPY")
    planner = store._reader._planner
    plan = planner.plan(["bars_1m", "bars_live", "sessions"], ("SPY",))
    _do(store, ("merge",))
    for file in plan.files["bars_1m"]:
        (store.place.parquet / file.path).unlink()
    planner._token = lambda: "unchanged"
    planner._kept[(("bars_1m", "bars_live", "sessions"), ("SPY",), None)] = (
        "unchanged",
        plan,
    )

    assert store.bars("SPY").height == 2


def test_daily_bars_are_a_dataset_of_their_own(store):
    days = [date(2024, 11, 4), date(2024, 11, 5), date(2024, 11, 11)]
    rows = [bar(lake.sessions.midnight(day), 100.0 + day.day) for day in days]
    lake.bars.commit_bars(store.catalog, Fetched("alpaca:sip", frame(*rows)), dataset="bars_daily")

    daily = store.bars("SPY", dataset="bars_daily")
    assert daily["session_date"].to_list() == days
    weekly = store.bars("SPY", dataset="bars_daily", timeframe="1week")
    assert weekly["close"].to_list() == [105.0, 111.0]
    with pytest.raises(lake.InvalidError, match="1d or 1week"):
        store.bars("SPY", dataset="bars_daily", timeframe="1h")
    with pytest.raises(lake.MissingError):
        store.bars("SPY")


def test_a_snapshot_from_before_a_series_began_has_no_bars_of_it(store):
    store.commit_bars(fetched(bar(0)))
    before = store.snapshot()
    store.commit_bars(fetched(bar(0, symbol="QQQ")))

    assert store.bars("QQQ", snapshot=before).is_empty()
    assert store.bars(["QQQ", "SPY"], snapshot=before)["symbol"].to_list() == ["SPY"]
    with pytest.raises(lake.BarsMissingError, match="No bars of NONE"):
        store.bars("NONE", snapshot=before)
