"""Features agree with TA-Lib where it has them, and with SQL windows where it does not."""

import numpy as np
import polars as pl
import pytest
import talib
from hypothesis import HealthCheck, given, settings

from feature_service import catalog

from .oracles import agree_with_sql, covered, covers, values
from .thin_bars import thin_bars

quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def bollinger(close, band):
    return talib.BBANDS(close, timeperiod=20, nbdevup=2, nbdevdn=2)[band]


# TA-Lib's deviation is the root of a difference of squares, so it loses half of its digits.
DEVIATION = 1e-6
TALIB = {
    **{f"sma_{n}": (lambda close, n=n: talib.SMA(close, n), 1e-9) for n in (5, 20, 50, 200)},
    **{f"ema_{n}": (lambda close, n=n: talib.EMA(close, n), 1e-9) for n in (12, 26)},
    **{f"return_{n}": (lambda close, n=n: talib.ROCP(close, n), 1e-9) for n in (1, 5, 15, 30)},
    "std_20": (lambda close: talib.STDDEV(close, 20, 1), DEVIATION),
    "bb_upper_20": (lambda close: bollinger(close, 0), DEVIATION),
    "bb_middle_20": (lambda close: bollinger(close, 1), 1e-9),
    "bb_lower_20": (lambda close: bollinger(close, 2), DEVIATION),
    "rsi_14": (lambda close: talib.RSI(close, 14), 1e-6),
}


@pytest.fixture(scope="module")
def walk() -> pl.DataFrame:
    """Ten sessions of 200 one-minute bars, a random walk in cents that often stands still."""
    rng = np.random.default_rng(7)
    steps = rng.integers(-3, 4, 2000) * (rng.random(2000) < 0.7)
    starts = np.arange(10) * 1440 + 13 * 60 + 30
    at = (starts[:, None] + np.arange(200)).ravel() * 60_000_000
    close = 100 + steps.cumsum() / 100
    return pl.DataFrame(
        {
            "timestamp": pl.Series(at).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            "close": close,
            "volume": rng.integers(0, 500, 2000).astype(float),
        }
    ).with_columns(
        pl.col("timestamp").dt.date().alias("session_date"),
        *(pl.col("close").alias(name) for name in ("open", "high", "low")),
    )


@pytest.mark.parametrize("name", TALIB)
def test_talib_agrees(walk, name):
    oracle, tolerance = TALIB[name]

    np.testing.assert_allclose(
        values(walk, name), oracle(walk["close"].to_numpy()), rtol=1e-9, atol=tolerance
    )


def test_talib_calls_a_market_that_never_moved_oversold_and_we_do_not(walk):
    still = walk.head(50).with_columns(pl.lit(100.0).alias("close"))

    assert talib.RSI(still["close"].to_numpy(), 14)[-1] == 0
    assert values(still, "rsi_14")[-1] == 50


def window(bars: int) -> str:
    return f"(ORDER BY timestamp ROWS BETWEEN {bars - 1} PRECEDING AND CURRENT ROW)"


def before(minutes: int) -> str:
    return f"""close / (
        SELECT max_by(b.close, b.timestamp) FROM bars b
        WHERE b.session_date = a.session_date
          AND b.timestamp <= a.timestamp - INTERVAL {minutes} MINUTE) - 1"""


LAG = "lag(close, {}) OVER (ORDER BY timestamp)"
ROW = "row_number() OVER (ORDER BY timestamp)"
SQL = {
    **{f"close_lag_{n}": LAG.format(n) for n in (1, 2, 3, 5, 10)},
    **{f"return_lag_{n}": f"{LAG.format(n)} / {LAG.format(n + 1)} - 1" for n in (1, 2, 3, 5, 10)},
    **{f"log_return_{n}": f"ln(close / {LAG.format(n)})" for n in (1, 5, 15)},
    **{f"return_{n}m": before(n) for n in (5, 30, 60)},
    "volume_sma_20": f"if({ROW} >= 20, avg(volume) OVER {window(20)}, NULL)",
    "relative_volume_20": f"""if({ROW} > 20, volume / nullif(avg(volume) OVER (
        ORDER BY timestamp ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING), 0), NULL)""",
    "bb_width_20": f"if({ROW} >= 20, 4 * stddev_pop(close) OVER {window(20)} / avg(close) OVER {window(20)}, NULL)",
    "bb_percent_20": f"""if({ROW} >= 20 AND max(close) OVER {window(20)} > min(close) OVER {window(20)},
        0.5 + (close - avg(close) OVER {window(20)}) / (4 * stddev_pop(close) OVER {window(20)}), NULL)""",
    "volume_zscore_20": f"""if({ROW} >= 20 AND max(volume) OVER {window(20)} > min(volume) OVER {window(20)},
        (volume - avg(volume) OVER {window(20)}) / stddev_pop(volume) OVER {window(20)}, NULL)""",
    "volatility_20": f"if({ROW} > 20, stddev_samp(r) OVER {window(20)}, NULL)",
}


@quick
@given(bars=thin_bars())
def test_sql_agrees(bars):
    agree_with_sql(bars, SQL, f"SELECT *, ln(close / {LAG.format(1)}) AS r FROM just_bars")


covers([*TALIB, *SQL])


def test_every_feature_has_an_oracle():
    public = {one.name for one in catalog.features().values() if not one.is_hidden}
    assert covered() == public
