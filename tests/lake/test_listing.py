"""What a lake holds, told from the catalog: the same as counting every row."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import lake
from lake import Fetched
from lake.upkeep import Plan, run
from tests.market import bar, fetched

COUNTED = """
    SELECT symbol, source, min(timestamp) AS first, max(timestamp) AS last, count(*) AS bars
    FROM (SELECT symbol, source, timestamp FROM bars_1m UNION ALL SELECT symbol, source, timestamp FROM bars_live)
    GROUP BY symbol, source ORDER BY symbol, source"""


def check(store):
    told = store.symbols()
    counted = store.sql(COUNTED)
    assert told.drop("is_default").equals(counted.cast(dict(told.drop("is_default").schema)))
    shown = store.sql("SELECT symbol, source FROM shown_sources WHERE dataset = 'bars_1m'").rows()
    defaults = told.filter("is_default").select("symbol", "source").rows()
    assert sorted(defaults) == sorted(
        row for row in shown if row in {(s, o) for s, o, *_ in told.rows()}
    )


def test_bars_of_several_sources_years_and_tables_are_counted(store):
    assert store.symbols().is_empty()
    store.commit_bars(fetched(bar(0), bar(1), bar(5)))
    check(store)
    other = pl.concat(
        [fetched(bar(3)).bars, fetched(bar(4)).bars.with_columns(symbol=pl.lit("QQQ"))]
    )
    store.commit_bars(Fetched("alpaca:iex", other))
    check(store)
    later = fetched(bar(0)).bars.with_columns(pl.col("timestamp") + timedelta(days=500))
    store.commit_bars(Fetched("alpaca:sip", later, live=True))
    check(store)
    store.commit_bars(fetched(bar(1, 222.0)))  # a correction leaves deleted rows
    check(store)
    run(store, Plan(now=datetime(2026, 1, 1, tzinfo=UTC)))
    check(store)


def test_each_dataset_is_counted_by_itself(store):
    midnight = pl.lit(datetime(2024, 1, 3, 5, tzinfo=UTC)).cast(lake.BAR_SCHEMA["timestamp"])
    days = fetched(bar(0)).bars.with_columns(timestamp=midnight)
    store.commit_bars(Fetched("alpaca:sip", days), dataset="bars_daily")
    assert store.symbols().is_empty()
    assert store.symbols(dataset="bars_daily").rows() == [
        (
            "SPY",
            "alpaca:sip",
            datetime(2024, 1, 3, 5, tzinfo=UTC),
            datetime(2024, 1, 3, 5, tzinfo=UTC),
            1,
            True,
        )
    ]


def test_an_unknown_dataset_is_refused(store):
    with pytest.raises(lake.InvalidError, match="is not a dataset"):
        store.symbols(dataset="ticks")
