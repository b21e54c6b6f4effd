"""Bars as thin symbols have them: gaps, half days, one-bar sessions, still prices, no volume."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
from hypothesis import strategies as st

from lake import sessions

_DAYS = [date(2024, 7, 2), date(2024, 7, 3), date(2024, 7, 5), date(2024, 7, 8)]
_OPEN = time(13, 30)
_MINUTES = {date(2024, 7, 3): 210}  # a half day


@st.composite
def thin_bars(draw, max_bars: int = 90) -> pl.DataFrame:
    """One symbol, sorted; prices between a cent and a million dollars, often standing still."""
    times = draw(_times(max_bars))
    rows = len(times)
    closes = draw(_prices(rows))
    volumes = draw(_volumes(rows))
    frame = pl.DataFrame(
        {
            "timestamp": times,
            "session_date": [moment.date() for moment in times],
            "close": closes,
            "volume": volumes,
        },
        schema={
            "timestamp": pl.Datetime("us", "UTC"),
            "session_date": pl.Date,
            "close": pl.Float64,
            "volume": pl.Float64,
        },
    )
    return _with_the_rest(frame)


@st.composite
def thin_weeks(draw) -> pl.DataFrame:
    """Some weeks of one symbol, few bars a day: enough rows for the longest windows, by seed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    first = date(2024, 6, 3) + timedelta(days=draw(st.integers(0, 20)))
    days = sessions.schedule(first, first + timedelta(days=45))
    usual = draw(st.sampled_from([6, 12, 30]))
    rows: list[datetime] = []
    for opening, closing in days.select("open", "close").iter_rows():
        length = int((closing - opening).total_seconds() // 60)
        count = 1 if rng.random() < 0.05 else min(length, 1 + rng.poisson(usual))
        minutes = np.sort(rng.choice(length, count, replace=False))
        rows.extend(opening + timedelta(minutes=int(minute)) for minute in minutes)
    rows = rows[: draw(st.integers(500, 900))]
    steps = rng.integers(-5, 6, len(rows)) * (
        rng.random(len(rows)) < draw(st.sampled_from([0.3, 1.0]))
    )
    volumes = rng.integers(0, 1000, len(rows)) * (rng.random(len(rows)) < 0.8)
    frame = pl.DataFrame(
        {
            "timestamp": rows,
            "session_date": [row.date() for row in rows],
            "close": np.maximum(100 + np.cumsum(steps) / 100, 0.01),
            "volume": volumes.astype(float),
        },
        schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
    )
    return _with_the_rest(frame)


def _with_the_rest(frame: pl.DataFrame) -> pl.DataFrame:
    close = pl.col("close")
    return frame.select(
        "timestamp",
        "session_date",
        close.shift(1, fill_value=close.first()).alias("open"),
        pl.max_horizontal(close, close.shift(1)).alias("high"),
        pl.min_horizontal(close, close.shift(1)).alias("low"),
        "close",
        "volume",
        pl.when(pl.col("volume") > 0)
        .then((close + close.shift(1).fill_null(close)) / 2)
        .alias("vwap"),
        (pl.col("volume") / 7).floor().cast(pl.Int64).alias("trade_count"),
        # Another symbol, which has no bar in every fifth row.
        pl.when(pl.int_range(pl.len()) % 5 != 0)
        .then(close.shift(2).fill_null(close) * 4)
        .alias("context_close"),
    )


@st.composite
def _times(draw, max_bars: int) -> list[datetime]:
    found: list[datetime] = []
    for day in draw(st.lists(st.sampled_from(_DAYS), unique=True, max_size=4).map(sorted)):
        opening = datetime.combine(day, _OPEN, UTC)
        last = _MINUTES.get(day, 390) - 1
        minutes = st.integers(0, min(last, draw(st.sampled_from([0, 40, last]))))
        chosen = sorted(draw(st.sets(minutes, min_size=1, max_size=max_bars // 3)))
        found.extend(opening + timedelta(minutes=minute) for minute in chosen)
    return found[:max_bars]


def _prices(rows: int) -> st.SearchStrategy[list[float]]:
    price = st.integers(1, 100_000_000).map(lambda cents: cents / 100)
    quiet = st.integers(9_990, 10_010).map(lambda cents: cents / 100)
    return _mostly_still(rows, st.one_of(quiet, quiet, price))


def _volumes(rows: int) -> st.SearchStrategy[list[float]]:
    volume = st.one_of(st.just(0.0), st.integers(0, 10**9).map(float), st.floats(0.001, 1e6))
    return _mostly_still(rows, volume)


def _mostly_still(rows: int, value: st.SearchStrategy[float]) -> st.SearchStrategy[list[float]]:
    """Runs of one value, long and short: windows that stand still are where divisions break."""
    run = st.tuples(value, st.sampled_from([1, 1, 1, 2, 25]))

    def laid_out(runs: list[tuple[float, int]]) -> list[float]:
        values = [value for value, length in runs for _ in range(length)]
        return (values * (rows // max(len(values), 1) + 1))[:rows]

    return st.lists(run, min_size=1, max_size=40).map(laid_out)
