"""Longer bars from sorted minute bars of one series, by the rules of :mod:`lake.timeframes`.

The same as the SQL of ``timeframes.resampled``, which the views use and which is its oracle in
tests; numpy's reductions over sorted groups take a fraction of the time.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from lake.timeframes import WEEK, minutes_of

_MINUTE = 60_000_000
_DAY = 86_400_000_000
# Where DuckDB's time_bucket counts from on a day without a session: Monday, 2000-01-03.
_ORIGIN = 946_857_600_000_000
_UTC = pl.Datetime("us", "UTC")

#: What a minute bar needs to become part of a longer one.
NEEDED: tuple[str, ...] = (
    "timestamp",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "trade_count",
    "vwap",
    "flags",
)


@dataclass(frozen=True)
class Calendar:
    """Sessions as arrays, in order: days since 1970 and moments in microseconds."""

    days: np.ndarray
    pre_open: np.ndarray
    opens: np.ndarray
    closes: np.ndarray

    @classmethod
    def of(cls, sessions: pl.DataFrame) -> "Calendar":
        """From the lake's table ``sessions``."""
        ordered = sessions.sort("session_date")
        arrays = [
            ordered[name].to_physical().to_numpy()
            for name in ("session_date", "pre_open", "open", "close")
        ]
        return cls(*arrays)


def resample(bars: pl.DataFrame, timeframe: str, calendar: Calendar) -> pl.DataFrame:
    """Bars of a timeframe.

    Args:
        bars: ``NEEDED``, ``session_date`` and ``is_regular``, of one series, sorted by timestamp.
        timeframe: One of ``lake.TIMEFRAMES`` but 1min.
        calendar: The lake's sessions.

    Returns:
        The same columns; ``vwap`` is weighted by the volume of the minutes that have one (null if
        none has), ``trade_count`` sums those that are known, ``flags`` joins all flags.
    """
    minutes = minutes_of(timeframe)
    if minutes is None:
        bars = bars.filter("is_regular")
    if bars.is_empty():
        return bars
    times = bars["timestamp"].to_physical().to_numpy()
    days = bars["session_date"].to_physical().to_numpy()
    regular = bars["is_regular"].to_numpy()
    if minutes is None:
        keys, labels, days = _sessions(days, calendar, weekly=timeframe == WEEK)
        starts = _starts(keys)
    else:
        labels = _buckets(times, days, calendar, minutes * _MINUTE)
        starts = _starts(labels, days, regular)
    return _reduced(bars, starts).with_columns(
        timestamp=pl.Series(labels[starts]).cast(_UTC),
        session_date=pl.Series(days[starts]).cast(pl.Date),
        is_regular=pl.Series(regular[starts]),
    )


def _sessions(
    days: np.ndarray, calendar: Calendar, *, weekly: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each bar: its group, when the group's first session opens, and that session's day."""
    if not weekly:
        return days, calendar.opens[np.searchsorted(calendar.days, days)], days
    monday = days - (days + 3) % 7
    first = np.searchsorted(calendar.days, monday)
    return monday, calendar.opens[first], calendar.days[first]


def _buckets(times: np.ndarray, days: np.ndarray, calendar: Calendar, width: int) -> np.ndarray:
    """When the bar of each minute opens."""
    at = np.minimum(np.searchsorted(calendar.days, days), len(calendar.days) - 1)
    traded = calendar.days[at] == days
    opens, closes, before = calendar.opens[at], calendar.closes[at], calendar.pre_open[at]
    early, late = times < before, times >= closes
    origin = np.where(late, closes, np.where(early, before, opens))
    origin = np.where(traded, origin, _ORIGIN)
    labels: np.ndarray = times - (times - origin) % width
    inside = traded & ~early & ~late
    return np.asarray(np.where(inside, np.maximum(labels, before), labels))


def _starts(*keys: np.ndarray) -> np.ndarray:
    """Where a new group begins in sorted rows."""
    changes = np.zeros(len(keys[0]) - 1, dtype=np.bool_)
    for key in keys:
        changes |= key[1:] != key[:-1]
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def _reduced(bars: pl.DataFrame, starts: np.ndarray) -> pl.DataFrame:
    ends = np.append(starts[1:], bars.height) - 1
    volume = bars["volume"].to_numpy()
    vwap, weighs = _values(bars["vwap"])
    weighted = np.add.reduceat(vwap * volume, starts)
    total = np.add.reduceat(volume, starts)
    weight = total if weighs is None else np.add.reduceat(volume * weighs, starts)
    counts, counted = _values(bars["trade_count"])
    known = None if counted is None else np.add.reduceat(counted.astype(np.int64), starts) > 0
    trades = pl.Series(np.add.reduceat(counts, starts))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(weight != 0, weighted / weight, 0.0)
    return pl.DataFrame(
        {
            "timestamp": bars["timestamp"].gather(starts),
            "open": bars["open"].gather(starts),
            "high": np.maximum.reduceat(bars["high"].to_numpy(), starts),
            "low": np.minimum.reduceat(bars["low"].to_numpy(), starts),
            "close": bars["close"].gather(ends),
            "volume": total,
            "trade_count": trades if known is None else _only(trades, known),
            "vwap": _only(pl.Series(mean), weight != 0),
            "flags": np.bitwise_or.reduceat(bars["flags"].to_numpy(), starts),
        }
    )


def _values(column: pl.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """The values with 0 for null, and where there is one; None if everywhere."""
    if not column.null_count():
        return column.to_numpy(), None
    return column.fill_null(0).to_numpy(), column.is_not_null().to_numpy()


def _only(values: pl.Series, known: np.ndarray) -> pl.Series:
    return values.set(pl.Series(~known), None)
