"""Bars that look like a market: a random walk over half a year of sessions, from a fixed seed."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl

from lake import BAR_SCHEMA, Covered, Fetched, sessions

FIRST, LAST = date(2024, 9, 3), date(2024, 11, 8)
MISSING = date(2024, 11, 7)
SOURCE = "sandbox:iex"


def walk() -> Iterator[Fetched]:
    """SPY whole, QQQ without one session that was never fetched."""
    yield _series("SPY", 570.0, seed=1)
    yield _series("QQQ", 480.0, seed=2, missing=MISSING)


def _series(symbol: str, price: float, *, seed: int, missing: date | None = None) -> Fetched:
    days = sessions.schedule(FIRST, LAST).filter(
        pl.col("session_date") != (missing or date(1990, 1, 1))
    )
    random = np.random.default_rng(seed)
    times = [
        day["open"] + timedelta(minutes=minute)
        for day in days.iter_rows(named=True)
        for minute in range(int((day["close"] - day["open"]).total_seconds()) // 60)
    ]
    count = len(times)
    close = price * np.exp(np.cumsum(random.normal(0, 4e-4, count)))
    opening = np.concatenate([[price], close[:-1]])
    spread = np.abs(random.normal(0, 2e-4, (2, count))) * close
    high, low = np.maximum(opening, close) + spread[0], np.minimum(opening, close) - spread[1]
    volume = np.round(random.lognormal(9, 0.6, count))
    columns = {"timestamp": times, "open": opening, "high": high, "low": low, "close": close}
    rest = {
        "volume": volume,
        "trade_count": (volume // 80).astype(int),
        "vwap": (high + low + close) / 3,
    }
    bars = pl.DataFrame({"symbol": [symbol] * count, **columns, **rest}).cast(dict(BAR_SCHEMA))
    covered = tuple(_whole(day, symbol) for day in days["session_date"])
    return Fetched(SOURCE, bars, covered)


def _whole(day: date, symbol: str) -> Covered:
    return Covered(symbol, sessions.midnight(day), sessions.midnight(day + timedelta(days=1)))
