"""Plain SQL readers whose transaction began before files were merged still see every row."""

import duckdb
import pytest

from lake.catalog import init_sql
from tests.market import bar, fetched


def merge(store):
    with store.writing() as transaction:
        transaction.connection.execute("CALL ducklake_merge_adjacent_files('lake', 'bars_1m')")


@pytest.fixture
def merged(store):
    """A lake whose files were merged once: another merge gives its file a number beyond all known."""
    for minute in range(3):
        store.commit_bars(fetched(bar(minute)))
    merge(store)
    store.commit_bars(fetched(bar(3)))
    store.commit_bars(fetched(bar(3, 105.0)))
    return store


def test_a_plain_reader_misses_no_row_when_files_merge(merged):
    reader = duckdb.connect()
    reader.execute(init_sql(merged.home))
    reader.execute("BEGIN")
    reader.execute("SELECT 1 FROM lake_settings").fetchall()
    merge(merged)
    assert reader.execute("SELECT count(*) FROM bars_1m").fetchone() == (4,)


def test_nor_does_a_query_through_the_lake(merged):
    with merged.reading() as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM lake_settings").fetchall()
        merge(merged)
        assert connection.execute("SELECT count(*) FROM bars_1m").fetchone() == (4,)
