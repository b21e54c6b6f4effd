"""What the deletion of a symbol promises: it goes from every table, and stays in pinned snapshots."""

from datetime import date

import pytest

from lake.errors import BarsMissingError
from lake.gap_memory import store as keep
from lake.gap_scan import look
from lake.scan_sql import source_of
from lake.upkeep import delete_symbol, run
from tests.lake.rounds import ALL, at, live, same
from tests.market import bar, fetched, session_covered

DAY = date(2024, 11, 4)


def held(store, symbol):
    tables = (
        "bars_1m",
        "bars_live",
        "bars_daily",
        "bar_revisions",
        "coverage",
        "quarantine",
        "series",
        "gap_scans",
    )
    counts = {
        table: store.sql(f"SELECT count(*) FROM {table} WHERE symbol = ?", [symbol]).item()
        for table in (*tables, "corporate_actions")
    }
    return {table: count for table, count in counts.items() if count}


def everywhere(store, symbol):
    for source in ("alpaca:iex", "alpaca:sip"):
        store.commit_bars(
            fetched(
                bar(0, symbol=symbol),
                bar(1, -1.0, symbol=symbol),
                covered=(session_covered(DAY, symbol),),
                source=source,
            )
        )
        store.commit_bars(fetched(bar(0, 101.0, symbol=symbol), source=source))
        live(store, 5, symbol=symbol, source=source)
        keep(store, [look(store, symbol, source).fresh(store.now)])
    with store.writing() as transaction:
        transaction.connection.execute(
            """INSERT INTO corporate_actions (source, action_id, symbol, kind, ex_date, recorded_at)
               VALUES ('alpaca', ?, ?, 'forward_split', DATE '2024-06-10', ?)""",
            [symbol, symbol, transaction.recorded_at],
        )


def test_a_symbol_goes_from_every_table_and_no_other_with_it(store):
    everywhere(store, "SPY")
    everywhere(store, "QQQ")
    other = held(store, "QQQ")

    would = delete_symbol(store, "spy", dry_run=True)
    assert held(store, "SPY") == other
    assert delete_symbol(store, "SPY") == would
    assert would == {
        "bars": 4, "revisions": 2, "coverage": 2, "quarantine": 2, "series": 2, "scans": 2, "corporate_actions": 1,
    }  # fmt: skip
    assert held(store, "SPY") == {}
    assert held(store, "QQQ") == other
    told = store.sql("SELECT source, session FROM changes WHERE kind = 'retired' ORDER BY source")
    assert told.rows() == [("alpaca:iex", DAY), ("alpaca:sip", DAY)]


def test_actions_stay_while_another_feed_of_the_provider_has_the_symbol(store):
    everywhere(store, "SPY")

    assert delete_symbol(store, "SPY", "alpaca:iex")["corporate_actions"] == 0
    assert held(store, "SPY")["corporate_actions"] == 1
    assert delete_symbol(store, "SPY", "alpaca:sip")["corporate_actions"] == 1
    assert held(store, "SPY") == {}


@pytest.mark.parametrize("source", [None, "alpaca:sip"])
def test_what_is_not_there_cannot_be_deleted(store, source):
    store.commit_bars(fetched(bar(0, symbol="QQQ")))

    with pytest.raises(BarsMissingError):
        delete_symbol(store, "SPY", source)


def test_a_deleted_symbol_is_still_in_a_pinned_snapshot(store):
    everywhere(store, "SPY")
    snapshot = store.pin("before")
    before = at(store, snapshot)

    delete_symbol(store, "SPY")
    run(store, ALL)

    same(before, at(store, snapshot))


def test_its_source_is_that_of_the_snapshot_where_ducklake_has_to_be_asked(store):
    everywhere(store, "SPY")
    snapshot = store.pin("before")
    with store.reading() as connection:
        shown = source_of(connection, "SPY", None)
    delete_symbol(store, "SPY")

    with store.reading() as connection:
        assert source_of(connection, "SPY", None, snapshot=snapshot) == shown
        assert source_of(connection, "SPY", shown, snapshot=snapshot) == shown
        with pytest.raises(BarsMissingError):
            source_of(connection, "SPY", shown)
