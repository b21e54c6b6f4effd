"""Made-up bars to measure with: a random walk in cents over real sessions."""

from datetime import date

import numpy as np
import polars as pl

from lake import sessions

_FIRST, _LAST = date(2019, 1, 2), date(2023, 12, 29)
_BEFORE, _AFTER = 90 * 60, 82 * 60  # seconds of extended hours around the regular ones


def minutes(symbol: str, seed: int = 1) -> pl.DataFrame:
    """Five years of minutes of one symbol, about 560 a session, as ``lake.BAR_SCHEMA``."""
    hours = sessions.schedule(_FIRST, _LAST).select("open", "close")
    times = np.concatenate(
        [
            np.arange(opens.timestamp() - _BEFORE, closes.timestamp() + _AFTER, 60, dtype=np.int64)
            for opens, closes in hours.iter_rows()
        ]
    )
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 2e-4, len(times)))), 2)
    volume = rng.integers(1, 100_000, len(times))
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(times),
            "timestamp": pl.Series(times * 1_000_000).cast(pl.Datetime("us", "UTC")),
            "open": np.round(close + rng.normal(0, 0.01, len(times)), 2),
            "high": np.round(close + 0.05, 2),
            "low": np.round(close - 0.05, 2),
            "close": close,
            "volume": volume.astype(np.float64),
            "trade_count": volume // 80 + 1,
            "vwap": np.round(close + rng.normal(0, 0.01, len(times)), 4),
        }
    )


def thin(symbols: int, first_year: int, years: int) -> pl.DataFrame:
    """A bar a year of many symbols: as many files as a large lake has, and few rows."""
    return pl.concat(
        pl.DataFrame(
            {
                "symbol": [f"T{number:03d}" for number in range(symbols)],
                "timestamp": [sessions.schedule(date(year, 6, 1), date(year, 6, 10))["open"][0]]
                * symbols,
                **dict.fromkeys(("open", "high", "low", "close", "vwap"), 100.0),
                "volume": 1.0,
                "trade_count": 1,
            },
            schema_overrides={"trade_count": pl.Int64},
        )
        for year in range(first_year, first_year + years)
    )
