"""What serving real bars promises; skipped where they are not at hand."""

from pathlib import Path

import polars as pl
import pytest

REAL = Path(__file__).parents[3] / "shared" / "data" / "bars_1min"

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


def test_the_day_bars_are_those_of_the_regular_session(real):
    day = real.bars("IBM", "2013-10-07", "2013-10-07", timeframe="1Day")
    stored = pl.read_parquet(REAL / "IBM.parquet").filter(
        pl.col("timestamp").is_between(
            pl.datetime(2013, 10, 7, 13, 30, time_zone="UTC"),
            pl.datetime(2013, 10, 7, 19, 59, time_zone="UTC"),
        )
    )

    assert [(bar["o"], bar["h"], bar["l"], bar["c"]) for bar in day] == [
        (stored["open"][0], stored["high"].max(), stored["low"].min(), stored["close"][-1])
    ]


def test_real_dividends_are_told(real):
    reply = real.get(
        "/v1/corporate-actions", symbols="IBM", start="2013-01-01", end="2013-12-31"
    ).json()["corporate_actions"]

    ex_dates = [action["ex_date"] for action in reply["cash_dividends"]]
    assert ex_dates == ["2013-02-06", "2013-05-08", "2013-08-07", "2013-11-06"]
