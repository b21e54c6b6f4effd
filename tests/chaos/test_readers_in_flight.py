"""What is promised to a reader that has begun before something else was done: the rows of its moment."""

import shutil
import time
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

import lake
from lake import Fetched
from lake.catalog import init_sql
from lake.upkeep import Plan, run
from lake.upkeep.steps import old_snapshots
from tests.chaos.conftest import full_only
from tests.chaos.crowd import SOURCE, rows_of

BARS = "SELECT count(*) FROM (FROM bars_1m UNION ALL FROM bars_live)"


@pytest.fixture
def store(empty, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(empty, home)
    with lake.open(home) as opened:
        yield opened


def commit(store, number, volume=1.0):
    live = number % 3 == 0
    store.commit_bars(Fetched(SOURCE, rows_of(0, number, volume), live=live))


def test_a_snapshot_that_was_the_newest_until_now_does_not_expire_whatever_its_age(store):
    commit(store, 0)
    newest = store.snapshot()
    time.sleep(0.01)
    long_after = datetime.now(UTC)
    commit(store, 1)

    assert newest not in old_snapshots(store, long_after)
    assert newest - 1 in old_snapshots(store, long_after)


OTHERS = ("live", "rewrite", "expire", "cleanup", "orphans")


@pytest.mark.parametrize("step", ["merge", *(pytest.param(s, marks=full_only) for s in OTHERS)])
def test_a_transaction_keeps_its_rows_while_upkeep_runs(store, step):
    with duckdb.connect() as reader:
        reader.execute(init_sql(store.home))
        for number in range(3):
            commit(store, 3 * number)
            commit(store, 3 * number + 1)
            commit(store, 3 * number + 1, 2.0)
            reader.execute("BEGIN")
            before = reader.execute(BARS).fetchone()
            run(store, Plan(datetime.now(UTC), keep=timedelta(days=1), only=(step,)))
            assert reader.execute(BARS).fetchone() == before
            reader.execute("COMMIT")
