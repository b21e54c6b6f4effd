"""What SQL users and those who move a lake may rely on."""

import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import pytest

import lake
from lake.catalog import init_sql
from lake.errors import LakeMissingError
from lake.queries import QueryError
from lake.schema import TABLES
from lake.views import VIEWS
from tests.market import OPEN, bar, fetched

DUCKDB = Path(sysconfig.get_path("scripts")) / "duckdb"


def cli(init: Path, query: str) -> str:
    done = subprocess.run(
        [DUCKDB, "-init", init, "-csv", "-noheader", "-c", query],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_the_duckdb_cli_opens_the_lake_while_a_writer_holds_the_gate(store, tmp_path):
    store.commit_bars(fetched(bar(0), bar(1)))
    init = tmp_path / "init.sql"
    init.write_text(init_sql(store.home))

    with store.writing() as transaction:
        transaction.connection.execute("DELETE FROM bars_1m")
        assert cli(init, "SELECT count(*) FROM bars") == "2"
    assert cli(init, "SELECT count(*) FROM bars") == "0"


def test_every_table_and_view_has_a_comment(store):
    tables = store.sql(
        "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = 'lake'"
    )
    views = store.sql(
        "SELECT view_name, comment FROM duckdb_views() WHERE database_name = 'lake' AND NOT internal"
    )

    assert dict(tables.iter_rows()) == {name: comment for name, (_, comment) in TABLES.items()}
    assert dict(views.iter_rows()) == {name: comment for name, (_, comment) in VIEWS.items()}


def test_a_moved_lake_opens(store, tmp_path):
    store.commit_bars(fetched(bar(0)))
    store.close()
    shutil.move(store.home, tmp_path / "moved")

    with lake.open(tmp_path / "moved") as moved:
        assert moved.bars("SPY").height == 1
        moved.commit_bars(fetched(bar(1)))
        assert moved.bars("SPY").height == 2


def test_bars_lie_by_source_symbol_and_year_in_few_files(store):
    store.commit_bars(fetched(bar(OPEN), bar(OPEN.replace(year=2023)), bar(OPEN, symbol="QQQ")))

    files = sorted(
        path.parent.relative_to(store.home).as_posix()
        for path in store.place.parquet.glob("main/bars_1m/**/*.parquet")
    )
    root = "parquet/main/bars_1m/source=sandbox%3Aiex/symbol="
    assert files == [f"{root}QQQ/year=2024", f"{root}SPY/year=2023", f"{root}SPY/year=2024"]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM bars_1m",
        "COMMIT; DELETE FROM bars_1m",
        "CREATE TABLE x (a INTEGER)",
        "CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)",
        "FROM ducklake_expire_snapshots('lake', older_than => now())",
        "COPY bars_1m TO 'somewhere.csv'",
        "SET GLOBAL memory_limit = '1KB'",
        "nonsense",
        "",
    ],
)
def test_a_query_cannot_change_the_lake(store, query):
    store.commit_bars(fetched(bar(0)))

    with pytest.raises(QueryError):
        store.sql(query)
    assert store.bars("SPY").height == 1


def test_a_home_without_a_lake_says_how_to_make_one(tmp_path):
    with pytest.raises(LakeMissingError, match="barlake ingest"):
        lake.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_lake_is_made_once_by_many_at_the_same_time(tmp_path):
    made: list[int] = []

    def make() -> None:
        with lake.open(tmp_path, create=True) as mine:
            made.append(mine.snapshot())

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 4
    with lake.open(tmp_path) as made_lake:
        doubled = made_lake.sql(
            "SELECT count(*) - count(DISTINCT session_date) AS twice FROM sessions"
        )
        assert doubled["twice"].item() == 0


def test_threads_share_one_lake(store):
    store.commit_bars(fetched(*(bar(minute) for minute in range(50))))
    heights: list[int] = []
    threads = [
        threading.Thread(target=lambda: heights.append(store.bars("SPY").height)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert heights == [50] * 8


def test_the_line_of_the_readme_prints_bars(store, monkeypatch):
    store.commit_bars(fetched(bar(0), bar(1)))
    store.close()
    line = "import lake; print(lake.open().bars('SPY', start='2024-11-04', end='2024-11-04', timeframe='5min'))"
    monkeypatch.setenv("BARLAKE_HOME", str(store.home))
    done = subprocess.run(
        [sys.executable, "-c", line], capture_output=True, text=True, timeout=60, check=True
    )

    assert "2024-11-04" in done.stdout
    assert "shape: (1, 13)" in done.stdout


@pytest.mark.parametrize(
    "query", ["LOAD '/tmp/x.duckdb_extension'", "INSTALL httpfs", "FORCE INSTALL spatial"]
)
def test_sql_of_users_loads_no_extension(store, query):
    with pytest.raises(QueryError, match="Only queries are answered here"):
        store.sql(query)


def test_sql_of_users_runs_nothing_in_the_catalog(store):
    delete = "DELETE FROM ducklake_snapshot RETURNING 1"
    with pytest.raises(QueryError, match="Only queries are answered here"):
        store.sql(f"FROM sqlite_query('__ducklake_metadata_lake', '{delete}')")
