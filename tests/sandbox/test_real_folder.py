"""What serving real bars promises; skipped where they are not at hand."""

from pathlib import Path

import polars as pl
import pytest

REAL = Path(__file__).parents[3] / "shared" / "data" / "bars_1min"
DAYS = REAL.parent / "bars_1day"

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real bars of ../shared/data are not at hand"
)


@pytest.fixture(scope="module")
def real(open_sandbox_once):
    return open_sandbox_once(data=REAL, now=None)


def test_every_bar_of_every_file_is_served_once(real):
    symbols = sorted(path.stem for path in REAL.glob("*.parquet"))
    pages = real.pages(
        symbols=",".join(symbols), start="2011-01-01", end="2025-01-01", limit=10_000
    )
    served = pl.DataFrame(
        [(symbol, *bar.values()) for page in pages for symbol, bar in page],
        schema=["symbol", "close", "high", "low", "n", "open", "timestamp", "volume", "vw"],
        orient="row",
    )
    columns = ["symbol", "timestamp", "open", "high", "low", "close", "volume"]
    stored = pl.concat(
        pl.read_parquet(path, columns=columns) for path in sorted(REAL.glob("*.parquet"))
    ).with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))

    assert served.select(columns).equals(stored.sort("symbol", "timestamp"))
    assert served.null_count().sum_horizontal().item() == 0


def test_the_day_bars_of_a_symbol_without_a_daily_file_are_those_of_the_regular_session(real):
    assert not (DAYS / "AAPL.parquet").exists()
    day = real.bars("AAPL", "2016-04-18", "2016-04-18", timeframe="1Day")
    stored = pl.read_parquet(REAL / "AAPL.parquet").filter(
        pl.col("timestamp").is_between(
            pl.datetime(2016, 4, 18, 13, 30, time_zone="UTC"),
            pl.datetime(2016, 4, 18, 19, 59, time_zone="UTC"),
        )
    )

    assert [(bar["o"], bar["h"], bar["l"], bar["c"]) for bar in day] == [
        (stored["open"][0], stored["high"].max(), stored["low"].min(), stored["close"][-1])
    ]


@pytest.mark.skipif(not DAYS.is_dir(), reason="the real daily bars are not at hand")
def test_every_day_of_every_daily_file_is_served_once_and_as_it_is(real):
    symbols = ["GOOG", "IBM", "SPY", "TSLA"]  # GOOG has no minutes
    pages = real.pages(
        symbols=",".join(symbols), start="1990-01-01", end="2025-01-01", limit=10_000,
        timeframe="1Day",
    )  # fmt: skip
    served = pl.DataFrame(
        [(symbol, *bar.values()) for page in pages for symbol, bar in page],
        schema=["symbol", "close", "high", "low", "n", "open", "timestamp", "volume", "vw"],
        orient="row",
    )
    columns = ["symbol", "timestamp", "open", "high", "low", "close", "volume"]
    stored = pl.concat(
        pl.read_parquet(DAYS / f"{symbol}.parquet", columns=columns) for symbol in symbols
    ).with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))

    assert served.select(columns).equals(stored.sort("symbol", "timestamp"))


def test_real_dividends_are_told(real):
    reply = real.get(
        "/v1/corporate-actions", symbols="IBM", start="2013-01-01", end="2013-12-31"
    ).json()["corporate_actions"]

    ex_dates = [action["ex_date"] for action in reply["cash_dividends"]]
    assert ex_dates == ["2013-02-06", "2013-05-08", "2013-08-07", "2013-11-06"]
