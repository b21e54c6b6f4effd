"""Bars of more than a minute: anchored at the session's open, never across two sessions.

A session has three parts: before the open, regular hours, and after the close. A bar never
mixes two of them. Regular and pre-market bars count from the open (the first pre-market bar may
be cut at 04:00), after-hours bars from the close, so the last regular bar of a session may be
short: 15:30 to 16:00 at one hour. A daily bar rolls up the regular hours alone and opens with
them; it is no provider's daily bar. A weekly bar rolls up those of Monday to Friday and opens with
the week's first session.
"""

from collections.abc import Collection

from lake.errors import TimeframeError

_DAY = "1d"
WEEK = "1week"
_MINUTES: dict[str, int] = {
    "1min": 1,
    "2min": 2,
    "3min": 3,
    "5min": 5,
    "10min": 10,
    "15min": 15,
    "30min": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
}
TIMEFRAMES: tuple[str, ...] = (*_MINUTES, _DAY, WEEK)

#: Columns of bars as readers see them, in order.
READ_COLUMNS: tuple[str, ...] = (
    "symbol",
    "timestamp",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "trade_count",
    "vwap",
    "flags",
    "source",
    "session_date",
    "is_regular",
)

# What a reader makes of where a bar lies and when it was: no file has to hold it.
_MADE = ("symbol", "source", "session_date", "is_regular")
#: What a bar needs to become part of a longer one: what is stored of it, but for whose it is.
NEEDED: tuple[str, ...] = tuple(name for name in READ_COLUMNS if name not in _MADE)


def needed_of(columns: Collection[str]) -> tuple[str, ...]:
    """What bars need for some columns of longer ones: a mean price needs its weights."""
    wanted = {"timestamp", *columns, *(["volume"] if "vwap" in columns else [])}
    return tuple(name for name in NEEDED if name in wanted)


# Where bars count from on a day without a session, whatever zone the user has set.
_ORIGIN = "TIMESTAMPTZ '2000-01-03 00:00:00+00'"
# From 05:00 UTC on it is the same date in New York, at any time of the year; asking for the zone of
# each bar would take most of the time of a query.
_DAY_US = 86_400_000_000
_LOCAL_DATE = f"""CASE WHEN epoch_us(b.timestamp) % {_DAY_US} >= {5 * 3_600_000_000}
    THEN DATE '1970-01-01' + (epoch_us(b.timestamp) // {_DAY_US})::INTEGER
    ELSE (b.timestamp AT TIME ZONE 'America/New_York')::DATE END"""


def check_timeframe(timeframe: str) -> str:
    """The timeframe itself.

    Raises:
        TimeframeError: There is no such timeframe; the sentence lists those there are.
    """
    if timeframe not in TIMEFRAMES:
        raise TimeframeError(timeframe, TIMEFRAMES)
    return timeframe


def minutes_of(timeframe: str) -> int | None:
    """How many minutes a bar has; None where sessions count and not minutes.

    >>> minutes_of("4h"), minutes_of("1d")
    (240, None)
    """
    return _MINUTES.get(timeframe)


def minute_bars(table: str, *, only: str = "true") -> str:
    """SQL of 1-minute bars with their session, from a table with the columns of ``bars_1m``.

    Args:
        table: A table, or a query in parentheses.
        only: A condition on the bars ``b`` themselves, so that whole files are passed over.
    """
    return f"""
        SELECT b.symbol, b.timestamp, b.open, b.high, b.low, b.close, b.volume, b.trade_count, b.vwap,
               b.flags, b.source, b.session_date,
               coalesce(b.timestamp >= s."open" AND b.timestamp < s."close", false) AS is_regular
        FROM (SELECT *, {_LOCAL_DATE} AS session_date FROM {table} b WHERE {only}) b
        LEFT JOIN lake.main.sessions s ON s.session_date = b.session_date"""


def resampled(minutes: str, timeframe: str) -> str:
    """SQL of bars of a timeframe from 1-minute bars that have their session."""
    if timeframe == "1min":
        return f"FROM ({minutes})"
    counted = minutes_of(timeframe)
    width = "NULL::INTERVAL" if counted is None else f"INTERVAL {counted} MINUTE"
    return rolled(minutes, width=width, weekly="true" if timeframe == WEEK else "false")


def rolled(bars: str, *, width: str, weekly: str, itself: str = "false") -> str:
    """SQL of longer bars from bars that have their session.

    ``vwap`` is weighted by volume over the bars that have one, null if none has; ``flags`` joins
    their flags. What is asked for is SQL, so that a macro's parameter may say it.

    Args:
        bars: SQL with the columns of ``READ_COLUMNS``.
        width: An interval of minutes; null where sessions count.
        weekly: Whether sessions are joined to weeks.
        itself: Whether each bar is asked for as it is.
    """
    return f"""
        SELECT b.symbol, CASE
                   WHEN {itself} THEN b.timestamp
                   WHEN {weekly} THEN w."open"
                   WHEN {width} IS NULL THEN s."open"
                   WHEN s.session_date IS NULL THEN time_bucket({width}, b.timestamp, {_ORIGIN})
                   WHEN b.timestamp >= s."close" THEN time_bucket({width}, b.timestamp, s."close")
                   WHEN b.timestamp < s.pre_open THEN time_bucket({width}, b.timestamp, s.pre_open)
                   ELSE greatest(time_bucket({width}, b.timestamp, s."open"), s.pre_open) END AS timestamp,
               arg_min(b.open, b.timestamp) AS open, max(b.high) AS high,
               min(b.low) AS low, arg_max(b.close, b.timestamp) AS close,
               sum(b.volume) AS volume, sum(b.trade_count)::BIGINT AS trade_count,
               coalesce(
                   any_value(b.vwap) FILTER ({itself}),
                   sum(b.vwap * b.volume) / nullif(sum(b.volume) FILTER (b.vwap IS NOT NULL), 0)) AS vwap,
               bit_or(b.flags) AS flags, b.source,
               CASE WHEN {weekly} THEN w.session_date ELSE b.session_date END AS session_date, b.is_regular
        FROM ({bars}) b LEFT JOIN lake.main.sessions s ON s.session_date = b.session_date
        LEFT JOIN (SELECT date_trunc('week', d.session_date) AS week, min(d.session_date) AS session_date,
                          min(d."open") AS "open" FROM lake.main.sessions d WHERE {weekly} GROUP BY week) w
            ON w.week = date_trunc('week', b.session_date)
        WHERE {itself} OR {width} IS NOT NULL OR b.is_regular
        GROUP BY ALL"""
