"""Bars of whole sessions for tests that need a lake: random walks by seed, regular hours."""

from datetime import date

import numpy as np
import polars as pl

from lake import BAR_SCHEMA, Covered, Fetched, Lake, sessions

SOURCE = "sandbox:iex"


def random_walk(
    symbol: str,
    first: date = date(2024, 6, 3),
    last: date = date(2024, 7, 5),
    *,
    seed: int = 0,
    absent: float = 0.02,
    drift: float = 0.0,
) -> pl.DataFrame:
    """Bars as ``BAR_SCHEMA``: every regular minute but for a share of absent ones.

    The walk has momentum, so that a model can learn something from it.
    """
    rng = np.random.default_rng(seed)
    days = sessions.schedule(first, last)
    minutes = days.select(
        pl.datetime_ranges("open", "close", "1m", closed="left").alias("timestamp")
    ).explode("timestamp")["timestamp"]
    kept = minutes.filter(pl.Series(rng.random(len(minutes)) >= absent))
    noise = rng.normal(drift, 4e-4, len(kept))
    steps = noise + 0.6 * np.concatenate([[0.0], noise[:-1]])
    close = np.round(100 * np.exp(np.cumsum(steps)), 2)
    opening = np.concatenate([[100.0], close[:-1]])
    return pl.DataFrame(
        {
            "symbol": symbol,
            "timestamp": kept,
            "open": opening,
            "high": np.maximum(opening, close),
            "low": np.minimum(opening, close),
            "close": close,
            "volume": rng.integers(0, 5_000, len(kept)).astype(float),
            "trade_count": rng.integers(1, 50, len(kept)),
            "vwap": (opening + close) / 2,
        }
    ).cast(BAR_SCHEMA)


def put(lk: Lake, bars: pl.DataFrame) -> None:
    """Store bars as fetched completely from the beginning of their first day to the last bar."""
    for (symbol,), own in bars.group_by("symbol"):
        start, end = own["timestamp"].min(), own["timestamp"].max()
        lk.commit_bars(Fetched(SOURCE, own, (Covered(symbol, start, end),)))
