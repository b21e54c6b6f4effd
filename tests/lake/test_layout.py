"""What a lake promises whoever opens it with another version of Barlake."""

import shutil
import sqlite3

import duckdb
import pytest

import lake
from lake import searches, simulations
from lake.catalog import init_sql
from lake.features import store_set, stored_set
from lake.layout import LAYOUT, LayoutError
from lake.macros import MACROS
from lake.views import VIEWS
from tests.market import bar, fetched


@pytest.fixture
def home(empty_home, tmp_path):
    place = tmp_path / "home"
    shutil.copytree(empty_home, place)
    with lake.open(place) as opened:
        opened.commit_bars(fetched(bar(0), bar(1)))
    return place


def set_back(home, layout):
    """Leave what a lake of layout 2 had, and the number."""
    connection = duckdb.connect()
    connection.execute(init_sql(home, read_only=False))
    for macro in MACROS:
        connection.execute(f"DROP MACRO TABLE {macro}")
    for view in ("daily", "macros"):
        connection.execute(f"DROP VIEW {view}")
    connection.execute("CALL lake.set_option('parquet_row_group_size', '122880')")
    connection.close()
    catalog = sqlite3.connect(home / "duckdb" / "lake.sqlite")
    catalog.execute("DROP INDEX barlake_" + inlined(catalog)["coverage"])
    catalog.close()
    number(home, layout)


def number(home, layout):
    catalog = sqlite3.connect(home / "duckdb" / "lake.sqlite")
    catalog.execute("UPDATE barlake_layout SET version = ?", [layout])
    catalog.commit()
    catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    catalog.close()


def inlined(catalog):
    """The tables that hold the ledgers' rows, by ledger."""
    return dict(
        catalog.execute(
            """SELECT t.table_name, i.table_name FROM ducklake_inlined_data_tables i
               JOIN ducklake_table t USING (table_id)"""
        )
    )


def facts(home):
    """The number, options, macros and views, and the bars."""
    with lake.open(home) as opened:
        return (
            opened.sql("SELECT function_name FROM duckdb_functions() WHERE database_name = 'lake' ORDER BY ALL")[:, 0].to_list(),
            opened.sql("SELECT view_name FROM duckdb_views() WHERE database_name = 'lake' ORDER BY ALL")[:, 0].to_list(),
            opened.sql("SELECT option_name, value FROM ducklake_options('lake') WHERE scope = 'GLOBAL' ORDER BY ALL").rows(),
            opened.bars("SPY").rows(),
        )  # fmt: skip


def test_an_older_lake_is_brought_up_to_date_when_it_is_opened(home):
    new = facts(home)
    set_back(home, 2)

    upgraded = facts(home)

    assert upgraded == new
    assert set(upgraded[0]) == set(MACROS)
    assert set(upgraded[1]) == set(VIEWS)
    assert ("parquet_row_group_size", "32768") in upgraded[2]


def test_bringing_it_up_to_date_twice_is_harmless(home):
    new = facts(home)
    for _ in range(2):
        number(home, 2)  # as if it was killed just before the number
        assert facts(home) == new


def test_a_view_that_a_feature_set_has_made_survives(home):
    with lake.open(home) as opened, opened.writing() as transaction:
        transaction.connection.execute("CREATE TABLE features_mine_1 (a INTEGER)")
        transaction.connection.execute(
            "CREATE VIEW features_mine AS FROM lake.main.features_mine_1"
        )
    set_back(home, 2)

    with lake.open(home) as opened:
        assert opened.sql("FROM features_mine").columns == ["a"]
        assert opened.sql("FROM bars_at('SPY', '1 hour')").height == 1


def test_a_newer_lake_is_refused_and_left_alone(home):
    number(home, LAYOUT + 1)
    catalog = home / "duckdb" / "lake.sqlite"
    before = catalog.read_bytes()

    for create in (False, True):
        with pytest.raises(
            LayoutError,
            match=rf"This lake has layout {LAYOUT + 1} and this Barlake knows {LAYOUT}\.",
        ):
            lake.open(home, create=create).bars("SPY")

    assert catalog.read_bytes() == before


def test_a_table_that_was_empty_is_read_like_any_other_once_it_has_rows(home):
    with lake.open(home) as opened:
        with opened.writing() as transaction:
            transaction.connection.execute(
                "INSERT INTO bars_live SELECT * REPLACE ('LIVE' AS symbol) FROM bars_1m"
            )
        for condition, count in (
            ("true", 2),
            ("symbol = 'LIVE'", 2),
            ("close > 1e6", 0),
            ("timestamp > '2024-11-04 14:30'", 1),
        ):
            found = opened.sql(f"SELECT count(*) AS n FROM bars_live WHERE {condition}")
            assert found.item() == count, condition


def test_a_lake_of_layout_3_gets_the_tables_of_gaps_and_halts(home):
    new = facts(home)
    connection = duckdb.connect()
    connection.execute(init_sql(home, read_only=False))
    for view in ("absences", "completeness"):
        connection.execute(f"DROP VIEW {view}")
    for table in ("gap_scans", "halts"):
        connection.execute(f"DROP TABLE {table}")
    connection.close()
    number(home, 3)

    assert facts(home) == new
    with lake.open(home) as opened, opened.writing() as transaction:
        transaction.connection.execute(
            "INSERT INTO halts VALUES ('alpaca:sip', 'SPY', now(), NULL, 'T1', now())"
        )
    with lake.open(home) as opened:
        assert opened.sql("FROM absences").is_empty()
        assert opened.sql("FROM completeness").is_empty()
        assert opened.sql("FROM halts").height == 1


def test_a_lake_of_layout_4_gets_the_table_of_feature_sets(home):
    new = facts(home)
    connection = duckdb.connect()
    connection.execute(init_sql(home, read_only=False))
    connection.execute("DROP TABLE feature_sets")
    connection.close()
    number(home, 4)

    assert facts(home) == new
    with lake.open(home) as opened:
        assert stored_set(opened, "mine") is None
        assert store_set(opened, "mine", '{"features": []}')
    with lake.open(home) as opened:
        assert stored_set(opened, "mine").definition == '{"features": []}'
        assert not store_set(opened, "mine", '{"features": []}')
        assert store_set(opened, "mine", None)
        assert stored_set(opened, "mine") is None
        assert opened.sql("FROM feature_sets").height == 2


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("ledger", ["coverage", "series", "changes"])
def test_one_symbols_rows_of_a_ledger_are_found_by_an_index(home, ledger, older):
    if older:
        set_back(home, 2)
        facts(home)
    catalog = sqlite3.connect(home / "duckdb" / "lake.sqlite")
    table = inlined(catalog)[ledger]

    plan = catalog.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE symbol IN ('SPY')")

    assert [row[3] for row in plan] == [f"SEARCH {table} USING INDEX barlake_{table} (symbol=?)"]
    catalog.close()


def test_a_lake_of_layout_5_gets_searches_tags_and_wider_orders(home):
    new = facts(home)
    connection = duckdb.connect()
    connection.execute(init_sql(home, read_only=False))
    for table in ("searches", "search_trials", "model_tags"):
        connection.execute(f"DROP TABLE {table}")
    for column in ("symbol", "purpose"):
        connection.execute(f"ALTER TABLE simulation_orders DROP COLUMN {column}")
    connection.execute(
        "INSERT INTO simulation_orders VALUES ('old', 1, now(), now(), 'buy', 9, 100, 0.5)"
    )
    connection.close()
    number(home, 5)

    for _ in range(2):
        assert facts(home) == new
        with lake.open(home) as opened:
            assert simulations.orders(opened, "old")["side"].to_list() == ["buy"]
            assert simulations.orders(opened, "old")["purpose"].to_list() == [None]
            assert searches.searches(opened).is_empty()
        number(home, 5)  # as if it was killed just before the number
