"""What streams promise: the bars of `bars`, piece by piece."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import lake
from tests.market import bar, fetched

DAYS = ((1, 3), (1, 4), (6, 30), (12, 31))
NEW_YEARS = [datetime(year, *day, 15, tzinfo=UTC) for year in range(2021, 2025) for day in DAYS]


@pytest.fixture
def years(store: lake.Lake) -> lake.Lake:
    for symbol in ("SPY", "QQQ"):
        rows = [
            bar(day + timedelta(minutes=m), 100.0 + m, symbol=symbol)
            for day in NEW_YEARS
            for m in range(3)
        ]
        store.commit_bars(fetched(*rows))
    return store


@pytest.mark.parametrize("timeframe", ["1min", "1h", "1d", "1week"])
@pytest.mark.parametrize("span", [(None, None), ("2021-12-31", "2023-01-04")])
def test_a_stream_and_a_lazy_frame_give_what_bars_gives(years, timeframe, span):
    whole = years.bars(["SPY", "QQQ"], *span, timeframe=timeframe)

    table = years.stream_bars(["SPY", "QQQ"], *span, timeframe=timeframe).read_all()
    assert_frame_equal(pl.from_arrow(table), whole)
    lazy = years.scan_bars(["SPY", "QQQ"], *span, timeframe=timeframe)
    assert_frame_equal(lazy.collect(), whole)
    picked = lazy.filter(pl.col("symbol") == "SPY").select("close").head(2).collect()
    assert_frame_equal(picked, whole.filter(pl.col("symbol") == "SPY").select("close").head(2))


@pytest.mark.parametrize("timeframe", ["1min", "1h", "1d", "1week"])
@pytest.mark.parametrize("adjust", ["raw", "split"])
def test_a_column_alone_is_what_it_is_among_all(years, timeframe, adjust):
    asked = {"timeframe": timeframe, "adjust": adjust}
    whole = years.bars("SPY", **asked)
    for column in lake.READ_COLUMNS:
        assert_frame_equal(years.bars("SPY", **asked, columns=[column]), whole.select(column))
        nothing = years.bars("SPY", "2030-01-02", "2030-01-03", **asked, columns=[column])
        assert nothing.schema == whole.select(column).schema
        assert nothing.is_empty()


def test_a_stream_holds_a_year_at_a_time(years):
    sizes = [batch.num_rows for batch in years.stream_bars("SPY")]

    assert len(sizes) >= 4
    assert sum(sizes) == years.bars("SPY").height


def test_a_stream_of_the_newest_bars_is_refused(years):
    with pytest.raises(lake.InvalidError, match="limit"):
        years.stream_bars("SPY", limit=3).read_all()


def test_a_lazy_frame_of_a_stranger_says_how_to_fetch_it(years):
    with pytest.raises(Exception, match="ingest NONE"):
        years.scan_bars("NONE").collect()


def test_revisions_tell_what_bars_were_before(years):
    moment = NEW_YEARS[0]
    years.commit_bars(fetched(bar(moment, 250.0)))

    told = years.revisions("SPY")
    assert told.select("timestamp", "kind", "close").rows() == [(moment, "corrected", 100.0)]
    assert told["recorded_at"][0] < told["superseded_at"][0]
    assert years.revisions("SPY", "2022-01-01").is_empty()
