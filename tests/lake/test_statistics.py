"""Bounds of columns in the catalog: too narrow ones make queries wrong, and upkeep widens them."""

from datetime import UTC, datetime

import lake
from lake.upkeep import Plan, run

NOW = datetime(2026, 1, 5, tzinfo=UTC)


FIRST = "('SPY', 460576, 1.5), ('QQQ', 3149588578, 70000.25), ('NAN', NULL, NULL)"
SECOND = "('NAN', 748, 2.0), ('A', 3320, 3.0)"


def make_too_narrow(store, *commits):
    """What DuckLake does to a table made later whose first commit has a file of nulls."""
    with store.writing() as transaction:
        transaction.connection.execute(
            "CREATE TABLE trades (symbol VARCHAR, count BIGINT, price DOUBLE)"
        )
        transaction.connection.execute("ALTER TABLE trades SET PARTITIONED BY (symbol)")
    for rows in commits or (FIRST, SECOND):
        add(store, rows)


def add(store, rows):
    with store.writing() as transaction:
        transaction.connection.execute(f"INSERT INTO trades VALUES {rows}")


def busy(store):
    with lake.open(store.home) as other:
        return other.sql("SELECT symbol, count FROM trades WHERE count > 5000 ORDER BY ALL").rows()


def test_upkeep_widens_bounds_that_leave_out_rows(store):
    make_too_narrow(store)

    told = run(store, Plan(now=NOW, only=("statistics",)))

    assert busy(store) == [("QQQ", 3149588578), ("SPY", 460576)]
    again = run(store, Plan(now=NOW, only=("statistics",)))
    assert told.did["bounds_widened"] in (0, 2), "0 only if DuckLake has mended its merge"
    assert again.did == {"bounds_widened": 0}


def test_a_dry_run_counts_them_and_changes_nothing(store):
    make_too_narrow(store)
    before = run(store, Plan(now=NOW, only=("statistics",)), dry_run=True).did
    after = run(store, Plan(now=NOW, only=("statistics",)), dry_run=True).did
    assert before == after
    assert run(store, Plan(now=NOW, only=("statistics",))).did == before


def test_a_lake_of_bars_has_none_to_widen(store, tmp_path):
    assert run(store, Plan(now=NOW, only=("statistics",))).did == {"bounds_widened": 0}


def test_bounds_that_were_lost_come_back_before_the_next_commit_narrows_them(store):
    make_too_narrow(store, FIRST)
    run(store, Plan(now=NOW, only=("statistics",)))
    add(store, SECOND)
    assert busy(store) == [("QQQ", 3149588578), ("SPY", 460576)]
