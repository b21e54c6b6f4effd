"""Indicators of bars agree with TA-Lib where it has them, and with SQL where it does not."""

from datetime import date

import numpy as np
import polars as pl
import pytest
import talib
from hypothesis import HealthCheck, given, settings

from lake import sessions

from .oracles import agree_with_sql, covers, values
from .thin_bars import thin_bars

quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

# TA-Lib adds what comes and takes off what goes, so its error grows along the history.
RUNNING = 1e-8
# Its deviation is the root of a difference of squares, so it loses half of its digits.
DEVIATION = 1e-6


def ranges(function, *arguments):
    return lambda b: function(b["high"], b["low"], b["close"], *arguments)


def closes(function, *arguments):
    return lambda b: function(b["close"], *arguments)


def part(function, index):
    return lambda b: function(b)[index]


SLOW = ranges(talib.STOCH, 14, 3, 0, 3)
MACD = closes(talib.MACD, 12, 26, 9)
TALIB = {
    **{f"sma_{n}": (closes(talib.SMA, n), RUNNING) for n in (10, 60, 100)},
    **{f"ema_{n}": (closes(talib.EMA, n), 1e-9) for n in (9, 50, 200)},
    "wma_20": (closes(talib.WMA, 20), RUNNING),
    "macd_signal_12_26_9": (part(MACD, 1), 1e-9),
    "macd_histogram_12_26_9": (part(MACD, 2), 1e-9),
    **{f"high_{n}": (lambda b, n=n: talib.MAX(b["high"], n), 0) for n in (14, 20, 60)},
    **{f"low_{n}": (lambda b, n=n: talib.MIN(b["low"], n), 0) for n in (14, 20, 60)},
    **{f"rsi_{n}": (closes(talib.RSI, n), 1e-8) for n in (7, 21)},
    "stoch_k_14": (part(ranges(talib.STOCHF, 14, 1), 0), 1e-9),
    "stoch_d_14": (part(ranges(talib.STOCHF, 14, 3), 1), 1e-9),
    "stoch_slow_d_14": (part(SLOW, 1), 1e-9),
    "williams_r_14": (ranges(talib.WILLR, 14), 1e-9),
    "cci_20": (ranges(talib.CCI, 20), 1e-6),
    "roc_10": (closes(talib.ROC, 10), 1e-9),
    "momentum_10": (closes(talib.MOM, 10), 1e-9),
    "mfi_14": (lambda b: talib.MFI(b["high"], b["low"], b["close"], b["volume"], 14), 1e-8),
    "plus_di_14": (ranges(talib.PLUS_DI, 14), 1e-8),
    "minus_di_14": (ranges(talib.MINUS_DI, 14), 1e-8),
    "dx_14": (ranges(talib.DX, 14), 1e-8),
    "adx_14": (ranges(talib.ADX, 14), 1e-8),
    "aroon_down_14": (lambda b: talib.AROON(b["high"], b["low"], 14)[0], 1e-9),
    "aroon_up_14": (lambda b: talib.AROON(b["high"], b["low"], 14)[1], 1e-9),
    "std_60": (closes(talib.STDDEV, 60, 1), DEVIATION),
    "true_range": (ranges(talib.TRANGE), 0),
    "atr_14": (ranges(talib.ATR, 14), 1e-9),
    "natr_14": (ranges(talib.NATR, 14), 1e-9),
    "return_60": (closes(talib.ROCP, 60), 1e-9),
    "volume_sma_60": (lambda b: talib.SMA(b["volume"], 60), 1e-6),
    "obv": (lambda b: talib.OBV(b["close"], b["volume"]), 0),
}


@pytest.fixture(scope="module")
def walk() -> pl.DataFrame:
    """Ten sessions of 200 one-minute bars: a random walk in cents that often stands still for a bar."""
    rng = np.random.default_rng(11)
    rows = 2000
    starts = np.arange(10) * 1440 + 13 * 60 + 30
    at = (starts[:, None] + np.arange(200)).ravel() * 60_000_000
    close = 100 + (rng.integers(-3, 4, rows) * (rng.random(rows) < 0.7)).cumsum() / 100
    opening = np.concatenate([[100.0], close[:-1]]) + rng.integers(-1, 2, rows) / 100
    return pl.DataFrame(
        {
            "timestamp": pl.Series(at).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            "open": opening,
            "high": np.maximum(opening, close) + rng.integers(0, 3, rows) / 100,
            "low": np.minimum(opening, close) - rng.integers(0, 3, rows) / 100,
            "close": close,
            "volume": rng.integers(1, 500, rows).astype(float),
        }
    ).with_columns(
        pl.col("timestamp").dt.date().alias("session_date"),
        pl.lit(None, pl.Float64).alias("vwap"),
    )


@pytest.mark.parametrize("name", TALIB)
def test_talib_agrees(walk, name):
    oracle, tolerance = TALIB[name]
    columns = {one: walk[one].to_numpy() for one in ("open", "high", "low", "close", "volume")}

    np.testing.assert_allclose(values(walk, name), oracle(columns), rtol=1e-9, atol=tolerance)


def test_macd_begins_with_its_slow_mean_and_talib_with_its_signal(walk):
    found, expected = values(walk, "macd_12_26_9"), MACD({"close": walk["close"].to_numpy()})[0]

    assert np.flatnonzero(~np.isnan(found))[0] == 25
    assert np.flatnonzero(~np.isnan(expected))[0] == 33
    np.testing.assert_allclose(found[33:], expected[33:], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "still"),
    [
        ("stoch_k_14", 50.0),
        ("stoch_slow_d_14", 50.0),
        ("williams_r_14", -50.0),
        ("mfi_14", 50.0),
        ("cci_20", 0.0),
        ("adx_14", 0.0),
        ("plus_di_14", 0.0),
        ("macd_histogram_12_26_9", 0.0),
        ("donchian_position_20", 0.5),
        ("sma_distance_20", 0.0),
        ("ema_distance_26", 0.0),
        ("vwap_distance_60", 0.0),
        ("vwap_session_distance", 0.0),
        ("yang_zhang_20", 0.0),
        ("atr_14", 0.0),
    ],
)
def test_a_price_that_stands_still_gives_an_exact_value(walk, name, still):
    prices = [pl.lit(33.33).alias(one) for one in ("open", "high", "low", "close")]

    assert set(values(walk.head(100).with_columns(prices), name)[60:]) == {still}


def over(bars: int) -> str:
    return f"OVER (ORDER BY timestamp ROWS BETWEEN {bars - 1} PRECEDING AND CURRENT ROW)"


ROW = "row_number() OVER (ORDER BY timestamp)"


def whole(bars: int, expression: str, first: int = 0) -> str:
    return f"if({ROW} >= {bars + first}, {expression}, NULL)"


def moves(column: str, bars: int) -> str:
    return f"max({column}) {over(bars)} > min({column}) {over(bars)}"


def close_before(minutes: int) -> str:
    return f"""(SELECT max_by(b.close, b.timestamp) FROM bars b
        WHERE b.session_date = a.session_date
          AND b.timestamp <= a.timestamp - INTERVAL {minutes} MINUTE)"""


def moment(power: int, bars: int) -> str:
    """A central moment of log returns, from the list of them."""
    return f"list_avg(list_transform(r{bars}, x -> pow(x - list_avg(r{bars}), {power})))"


def shape(power: int, bars: int) -> str:
    standard = f"{moment(power, bars)} / pow({moment(2, bars)}, {power / 2})"
    return whole(bars, f"CASE WHEN {moves('r', bars)} THEN {standard} END", 1)


def yang_zhang(bars: int) -> str:
    share = 0.34 / (1.34 + (bars + 1) / (bars - 1))
    variance = f"""var_samp(jump) {over(bars)} + {share} * var_samp(body) {over(bars)}
        + {1 - share} * avg(ln(high / close) * ln(high / open) + ln(low / close) * ln(low / open)) {over(bars)}"""
    return whole(bars, f"sqrt(greatest({variance}, 0))", 1)


def vwap(bars: int) -> str:
    return f"sum(price * volume) {over(bars)} / nullif(sum(volume) {over(bars)}, 0)"


SO_FAR = "OVER (PARTITION BY session_date ORDER BY timestamp)"
VWAP_SESSION = f"sum(price * volume) {SO_FAR} / nullif(sum(volume) {SO_FAR}, 0)"
BODY = f"{2 * np.log(2) - 1} * body ** 2"
SQL = {
    **{f"volume_lag_{n}": f"lag(volume, {n}) OVER (ORDER BY timestamp)" for n in (1, 2, 3, 5, 10)},
    **{
        f"log_return_{n}": f"ln(close / lag(close, {n}) OVER (ORDER BY timestamp))"
        for n in (30, 60)
    },
    "return_120m": f"close / {close_before(120)} - 1",
    **{f"log_return_{n}m": f"ln(close / {close_before(n)})" for n in (5, 30, 60, 120)},
    "return_since_open": "close / first(open) OVER (PARTITION BY session_date ORDER BY timestamp) - 1",
    **{
        f"sma_distance_{n}": whole(n, f"close / (avg(close) {over(n)}) - 1")
        for n in (5, 20, 50, 200)
    },
    **{
        f"donchian_position_{n}": whole(
            n,
            f"""coalesce((close - min(low) {over(n)})
                / nullif(max(high) {over(n)} - min(low) {over(n)}, 0), 0.5)""",
        )
        for n in (20, 60)
    },
    **{
        f"close_zscore_{n}": whole(
            n,
            f"""CASE WHEN {moves("close", n)}
                THEN (close - avg(close) {over(n)}) / (stddev_pop(close) {over(n)}) END""",
        )
        for n in (20, 60)
    },
    "volatility_60": whole(60, f"stddev_samp(r) {over(60)}", 1),
    **{
        f"parkinson_{n}": whole(n, f"sqrt(avg(ln(high / low) ** 2 / (4 * ln(2))) {over(n)})")
        for n in (20, 60)
    },
    **{
        f"garman_klass_{n}": whole(
            n, f"sqrt(greatest(avg(0.5 * ln(high / low) ** 2 - {BODY}) {over(n)}, 0))"
        )
        for n in (20, 60)
    },
    **{f"yang_zhang_{n}": yang_zhang(n) for n in (20, 60)},
    **{f"skew_{n}": shape(3, n) for n in (20, 60)},
    **{f"kurtosis_{n}": f"{shape(4, n)} - 3" for n in (20, 60)},
    "relative_volume_60": f"""if({ROW} > 60, volume / nullif(avg(volume) OVER (
        ORDER BY timestamp ROWS BETWEEN 60 PRECEDING AND 1 PRECEDING), 0), NULL)""",
    "volume_zscore_60": whole(
        60,
        f"""CASE WHEN {moves("volume", 60)}
            THEN (volume - avg(volume) {over(60)}) / (stddev_pop(volume) {over(60)}) END""",
    ),
    "dollar_volume": "price * volume",
    "dollar_volume_sma_20": whole(20, f"avg(price * volume) {over(20)}"),
    "vwap_session": VWAP_SESSION,
    "vwap_session_distance": f"close / ({VWAP_SESSION}) - 1",
    **{f"vwap_{n}": whole(n, vwap(n)) for n in (20, 60)},
    **{f"vwap_distance_{n}": whole(n, f"close / ({vwap(n)}) - 1") for n in (20, 60)},
}
VIEW = f"""
    SELECT *, {", ".join(f"list(r) {over(n)} AS r{n}" for n in (20, 60))}
    FROM (
        SELECT *, coalesce(vwap, (high + low + close) / 3) AS price, ln(close / open) AS body,
            ln(open / lag(close) OVER (ORDER BY timestamp)) AS jump,
            ln(close / lag(close) OVER (ORDER BY timestamp)) AS r
        FROM just_bars)"""


@quick
@given(bars=thin_bars())
def test_sql_agrees(bars):
    agree_with_sql(bars, SQL, VIEW)


@pytest.mark.parametrize("bars", [9, 26, 50, 200])
def test_the_distance_from_an_exponential_mean_is_a_share_of_talibs(walk, bars):
    close = walk["close"].to_numpy()

    np.testing.assert_allclose(
        values(walk, f"ema_distance_{bars}"), close / talib.EMA(close, bars) - 1, atol=1e-12
    )


SAME_MINUTE = """volume / nullif((
    SELECT avg(b.volume) FROM bars b
    WHERE a.number > 20 AND b.number BETWEEN a.number - 20 AND a.number - 1
      AND b.minute = a.minute), 0)"""


def test_the_same_minute_of_the_day_is_new_yorks_whatever_the_season():
    rng = np.random.default_rng(3)
    days = sessions.schedule(date(2024, 2, 1), date(2024, 3, 28))  # clocks change on 10 March
    minutes = pl.datetime_ranges("open", pl.col("open") + pl.duration(minutes=9), "1m")
    bars = days.select("session_date", minutes.alias("timestamp")).explode("timestamp")
    bars = bars.filter(pl.Series(rng.random(bars.height) < 0.2))
    bars = bars.with_columns(pl.Series("volume", rng.integers(0, 3, bars.height).astype(float)))

    agree_with_sql(
        bars,
        {"relative_volume_minute_20": SAME_MINUTE},
        """SELECT *, dense_rank() OVER (ORDER BY session_date) AS number,
            strftime(timezone('America/New_York', timestamp), '%H:%M') AS minute FROM just_bars""",
    )


covers([*TALIB, *SQL, *(f"ema_distance_{n}" for n in (9, 26, 50, 200))])
covers(["macd_12_26_9", "relative_volume_minute_20"])
