"""Commits of new bars write DuckLake's tables themselves: they must be what DuckLake would write."""

import shutil
import sqlite3
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import lake
from lake import Covered, Fetched
from lake.bars import commit_bars

NEW_YEAR = datetime(2024, 12, 31, 23, 58, tzinfo=UTC)
SYMBOLS = ("A", "BRK.B", "1E5", "NAN", "SPY")
# What may differ between two lakes: names of files, times of commits, how long bytes are, and which
# of two files of one commit comes first.
FREE = {
    "ducklake_snapshot": {"snapshot_time"},
    "ducklake_data_file": {"path", "file_size_bytes", "footer_size", "row_id_start"},
    "ducklake_delete_file": {"path", "file_size_bytes", "footer_size"},
    "ducklake_files_scheduled_for_deletion": {"path", "schedule_start"},
    "ducklake_file_column_stats": {"column_size_bytes"},
    "ducklake_table_stats": {"file_size_bytes"},
    "ducklake_table": {"table_uuid"},
    "ducklake_schema": {"schema_uuid"},
    "ducklake_view": {"view_uuid"},
    "ducklake_snapshot_changes": {"changes_made"},
}


def frame(*rows):
    columns = ("symbol", "timestamp", "close", "volume", "trade_count", "vwap")
    values = [dict(zip(columns, row, strict=True)) for row in rows]
    return pl.DataFrame(
        [
            {**row, "open": row["close"], "high": row["close"], "low": row["close"]}
            for row in values
        ],
        schema_overrides=dict(lake.BAR_SCHEMA),
    ).select(lake.BAR_SCHEMA.names())


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


def catalog_of(home, scratch):
    """Every row of the catalog's own tables, by table (copied, for another SQLite must not touch it)."""
    copy = scratch / f"copy-{home.name}"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home / "duckdb", copy)
    connection = sqlite3.connect(copy / "lake.sqlite")
    connection.row_factory = sqlite3.Row
    tables = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    rows = {
        table: [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')]
        for table in tables
    }
    connection.close()
    return rows


def comparable(rows):
    """The rows without what may differ; files are called after their partition and snapshot."""
    files = {}
    for file in rows["ducklake_data_file"]:
        number = file["data_file_id"]
        parts = [
            row["partition_value"]
            for row in rows["ducklake_file_partition_value"]
            if row["data_file_id"] == number
        ]
        files[number] = (file["table_id"], file["begin_snapshot"], *parts)
    found = {}
    for table, held in rows.items():
        free = FREE.get(table, set())
        kept = [
            {
                name: files.get(value, value) if name == "data_file_id" else value
                for name, value in row.items()
                if name not in free
            }
            for row in held
        ]
        found[table] = sorted(kept, key=repr)
    found["changes"] = [
        sorted(row["changes_made"].split(",")) for row in rows["ducklake_snapshot_changes"]
    ]
    return found


def check_numbers(rows):
    """Numbers of files and rows are given once."""
    newest = max(rows["ducklake_snapshot"], key=lambda row: row["snapshot_id"])
    numbers = [file["data_file_id"] for file in rows["ducklake_data_file"]]
    assert len({*numbers}) == len(numbers)
    assert max(numbers, default=-1) < newest["next_file_id"]
    for stats in rows["ducklake_table_stats"]:
        held = sorted(
            (file["row_id_start"], file["record_count"])
            for file in rows["ducklake_data_file"]
            if file["table_id"] == stats["table_id"]
        )
        ends = [start + count for start, count in held]
        assert all(end <= start for end, (start, _) in zip(ends, held[1:], strict=False))
        assert max(ends, default=0) <= stats["next_row_id"]


moments = st.integers(0, 4).map(lambda minute: NEW_YEAR + timedelta(minutes=minute))
prices = st.sampled_from([0.01, 1.0, 9.5, 10.0, 100.25, 1e6, 123456.789, 1e17])
bars = st.tuples(
    st.sampled_from(SYMBOLS),
    moments,
    prices,
    st.sampled_from([0.0, 0.5, 7.0, 1e9]),
    st.none() | st.integers(0, 10**12),
    st.none() | prices,
)
spans = st.tuples(st.sampled_from(SYMBOLS), moments, st.integers(1, 3)).map(
    lambda span: Covered(span[0], span[1], span[1] + timedelta(minutes=span[2]))
)
answers = st.tuples(
    st.sampled_from(["alpaca:sip", "file:it's $q$ 50%/x"]),
    st.lists(bars, max_size=5),
    st.lists(spans, max_size=2),
    st.sampled_from(["bars_1m", "bars_1m", "live", "bars_daily"]),
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    home = tmp_path_factory.mktemp("empty") / "home"
    lake.open(home, create=True).close()
    return home


TABLES = ("bars_1m", "bars_live", "bars_daily", "coverage", "changes", "series", "bar_revisions")


def check_both_ways(empty, folder, commits):
    """Two lakes with one history, one written either way, are the same row for row."""
    homes = [folder / "fast", folder / "plain"]
    lakes = []
    for home in homes:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(empty, home)
        lakes.append(lake.open(home, now=Clock()))
    for fetched, dataset in commits:
        fast, plain = (
            commit_bars(one.catalog, fetched, dataset=dataset, plainly=plainly)
            for one, plainly in zip(lakes, (False, True), strict=True)
        )
        assert fast.__dict__ | {"waited": 0} == plain.__dict__ | {"waited": 0}
    for table in TABLES:
        fast, plain = (one.sql(f"FROM {table} ORDER BY ALL") for one in lakes)
        assert fast.equals(plain), table
    for one in lakes:
        one.close()
    held = [catalog_of(home, folder) for home in homes]
    check_numbers(held[0])
    fast, plain = (comparable(rows) for rows in held)
    for table, rows in plain.items():
        assert fast[table] == rows, table


@settings(
    max_examples=6,
    # A smaller example costs two more lakes to find out, and the first is small enough to read.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(answers, min_size=1, max_size=6))
def test_the_catalog_is_what_ducklake_itself_would_have_written(history, empty, tmp_path):
    commits = []
    for source, rows, covered, where in history:
        table = frame(*rows) if rows else pl.DataFrame(schema=lake.BAR_SCHEMA)
        if where == "bars_daily":
            midnight = pl.lit(datetime(2025, 1, 2, 5, tzinfo=UTC))
            table = table.with_columns(timestamp=midnight.cast(lake.BAR_SCHEMA["timestamp"]))
        fetched = Fetched(source, table, tuple(covered), live=where == "live")
        commits.append((fetched, "bars_daily" if where == "bars_daily" else "bars_1m"))
    check_both_ways(empty, tmp_path, commits)


def test_years_of_several_symbols_in_one_commit_too(empty, tmp_path):
    """Many files, and more changed sessions than a ledger takes into the catalog."""
    rows = [
        (symbol, NEW_YEAR + timedelta(days=day), 10.0 + day, 5.0, day, None)
        for symbol in ("QQQ", "SPY")
        for day in range(600)
    ]
    spans = tuple(
        Covered(name, NEW_YEAR, NEW_YEAR + timedelta(days=600)) for name in ("QQQ", "SPY")
    )
    later = [("SPY", NEW_YEAR + timedelta(days=600, minutes=1), 1.0, 1.0, None, 1.0)]
    commits = [Fetched("alpaca:sip", frame(*rows), spans), Fetched("alpaca:sip", frame(*later))]
    check_both_ways(empty, tmp_path, [(fetched, "bars_1m") for fetched in commits])
