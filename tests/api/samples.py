"""Bars with answers that can be worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from lake import BAR_SCHEMA, Covered, Fetched, sessions

SOURCE = "sandbox:iex"
DAYS = (date(2024, 11, 4), date(2024, 11, 5), date(2024, 11, 6))
OPENS = tuple(datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC) for day in DAYS)
MINUTES = 390


def sample() -> Fetched:
    """SPY: the first and the last day, every regular minute; close = 100, 101, … a day. THIN: one bar."""
    spy = [
        _bar("SPY", OPENS[day], minute, 100.0 + minute)
        for day in (0, 2)
        for minute in range(MINUTES)
    ]
    thin = [_bar("THIN", OPENS[0], 5, 7.0)]
    covered = [_whole(day, "SPY") for day in (DAYS[0], DAYS[2])] + [_whole(DAYS[0], "THIN")]
    return Fetched(SOURCE, pl.DataFrame(spy + thin, schema=BAR_SCHEMA), tuple(covered))


def _bar(symbol: str, opening: datetime, minute: int, close: float) -> dict[str, object]:
    prices = {"open": close - 0.5, "high": close + 1, "low": close - 1, "close": close}
    rest = {"volume": 1000.0, "trade_count": 10, "vwap": None}
    return {"symbol": symbol, "timestamp": opening + timedelta(minutes=minute), **prices, **rest}


def _whole(day: date, symbol: str) -> Covered:
    return Covered(symbol, sessions.midnight(day), sessions.midnight(day + timedelta(days=1)))
