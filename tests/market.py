"""Bars for tests: worked by hand, or drawn with gaps by hypothesis."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import strategies as st

from lake import BAR_SCHEMA, Covered, Fetched, sessions

SOURCE = "sandbox:iex"
#: 2024-11-04 is the first session after the clocks went back: it opens at 14:30 UTC.
OPEN = datetime(2024, 11, 4, 14, 30, tzinfo=UTC)


def bar(
    minute: datetime | int, close: float = 100.0, *, symbol: str = "SPY", **values: float
) -> dict[str, object]:
    """One good bar; an int counts minutes from the open of 2024-11-04."""
    timestamp = OPEN + timedelta(minutes=minute) if isinstance(minute, int) else minute
    usual = {
        "open": close,
        "high": close,
        "low": close,
        "close": close,
        "volume": 100.0,
        "trade_count": 3,
        "vwap": close,
    }
    return {"symbol": symbol, "timestamp": timestamp, **usual, **values}


def frame(*bars: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(bars), schema=BAR_SCHEMA)


def fetched(
    *bars: dict[str, object], covered: tuple[Covered, ...] = (), source: str = SOURCE
) -> Fetched:
    return Fetched(source, frame(*bars), covered)


def session_covered(day: date, symbol: str = "SPY") -> Covered:
    return Covered(symbol, sessions.midnight(day), sessions.midnight(day + timedelta(days=1)))


@st.composite
def bars(draw: st.DrawFn, symbol: str = "SPY", most: int = 40) -> pl.DataFrame:
    """Good bars of one symbol with gaps, over a weekend with a change of the clocks."""
    first = datetime(2024, 11, 1, 8, tzinfo=UTC)
    minutes = draw(st.lists(st.integers(0, 5 * 24 * 60), min_size=1, max_size=most, unique=True))
    price = st.floats(0.01, 1e6, allow_nan=False)
    rows = []
    for minute in sorted(minutes):
        low, middle, other, high = sorted(draw(st.tuples(price, price, price, price)))
        rows.append(
            {
                "symbol": symbol,
                "timestamp": first + timedelta(minutes=minute),
                "open": middle,
                "high": high,
                "low": low,
                "close": other,
                "volume": draw(st.integers(0, 10**9)) / 1,
                "trade_count": draw(st.none() | st.integers(0, 10**6)),
                "vwap": draw(st.none() | st.floats(low, high)),
            }
        )
    return pl.DataFrame(rows, schema=BAR_SCHEMA)
