"""What was fetched completely: intervals, half open, in UTC.

An absent bar proves nothing, for a minute without an eligible trade has none. So a gap is not a
hole in the bars but a session minute in no fetched interval; of daily bars a session whose opening
at midnight in New York is in none.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import itemgetter

import duckdb
import polars as pl

from lake import sessions as calendar

Interval = tuple[datetime, datetime]

_TIME = pl.Datetime("us", "UTC")
_GAPS = {"session_date": pl.Date(), "start": _TIME, "end": _TIME, "minutes": pl.Int64()}


@dataclass(frozen=True)
class Covered:
    """One symbol's interval that a source answered completely: start inside, end outside (UTC)."""

    symbol: str
    start: datetime
    end: datetime


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The same moments in the fewest intervals, in order; those that touch become one.

    >>> merge([(5, 7), (1, 3), (3, 4)])
    [(1, 4), (5, 7)]
    """
    merged: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def subtract(wanted: Interval, covered: Iterable[Interval]) -> list[Interval]:
    """The parts of an interval that none of the others hold, in order.

    >>> subtract((0, 10), [(2, 3), (5, 20)])
    [(0, 2), (3, 5)]
    """
    missing: list[Interval] = []
    position, finish = wanted
    for start, end in merge(covered):
        if position < min(start, finish):
            missing.append((position, min(start, finish)))
        position = max(position, end)
    if position < finish:
        missing.append((position, finish))
    return missing


def covered(
    connection: duckdb.DuckDBPyConnection, source: str, symbol: str, dataset: str = "bars_1m"
) -> list[Interval]:
    """The intervals the ledger holds for one symbol of one source, merged, in order."""
    rows = connection.execute(
        'SELECT "start", "end" FROM coverage WHERE dataset = ? AND source = ? AND symbol = ?',
        [dataset, source, symbol],
    )
    return merge(rows.fetchall())


def uncovered_minutes(sessions: pl.DataFrame, intervals: list[Interval]) -> pl.DataFrame:
    """The regular minutes of sessions that lie in no interval.

    Args:
        sessions: ``session_date``, ``open`` and ``close`` (UTC).
        intervals: Merged, in order.

    Returns:
        ``session_date``, ``start``, ``end`` (UTC, end outside) and ``minutes``, one row a hole.
    """
    holes = [
        (day, start, end, int((end - start).total_seconds() // 60))
        for day, opening, closing in sessions.select("session_date", "open", "close").iter_rows()
        for start, end in subtract((opening, closing), intervals)
    ]
    return pl.DataFrame(holes, schema=_GAPS, orient="row")


def uncovered_days(days: Iterable[date], intervals: list[Interval]) -> pl.DataFrame:
    """The sessions whose daily bar opens in no interval.

    Args:
        days: New York session dates.
        intervals: Merged, in order.

    Returns:
        As :func:`uncovered_minutes`, a row a session, from its midnight to the next; ``minutes`` is null.
    """
    holes = [
        (day, calendar.midnight(day), calendar.midnight(day + timedelta(days=1)), None)
        for day in days
        if not is_covered(calendar.midnight(day), intervals)
    ]
    return pl.DataFrame(holes, schema=_GAPS, orient="row")


def absent_days(
    days: Iterable[date], intervals: list[Interval], held: Iterable[datetime]
) -> pl.DataFrame:
    """Of the sessions whose daily bar was fetched, which have one.

    Args:
        days: New York session dates.
        intervals: Merged, in order.
        held: When the stored daily bars open.

    Returns:
        ``session_date``, ``expected`` (1), ``present`` and ``absent`` (0 or 1).
    """
    present = {calendar.today(opening) for opening in held}
    rows = [
        (day, 1, int(day in present), int(day not in present))
        for day in days
        if is_covered(calendar.midnight(day), intervals)
    ]
    names = ("expected", "present", "absent")
    schema = {"session_date": pl.Date(), **dict.fromkeys(names, pl.Int64())}
    return pl.DataFrame(rows, schema=schema, orient="row")


def is_covered(moment: datetime, intervals: list[Interval]) -> bool:
    """Whether one of the merged intervals holds a moment."""
    place = bisect_right(intervals, moment, key=itemgetter(0))
    return place > 0 and moment < intervals[place - 1][1]


def days_over(
    connection: duckdb.DuckDBPyConnection, low: datetime, high: datetime, now: datetime
) -> list[date]:
    """The sessions whose daily bar opens in a range (end outside) and is complete by now.

    A day is complete after its extended hours, whose volume is the day's too.
    """
    rows = connection.execute(
        """SELECT session_date FROM sessions WHERE post_close <= $now
             AND session_date::TIMESTAMP AT TIME ZONE 'America/New_York' >= $low
             AND session_date::TIMESTAMP AT TIME ZONE 'America/New_York' < $high ORDER BY session_date""",
        {"low": low, "high": high, "now": now},
    )
    return [day for (day,) in rows.fetchall()]
