"""What was fetched completely: intervals, half open, in UTC.

An absent bar proves nothing, for a minute without an eligible trade has none. So a gap is not a
hole in the bars but a session minute in no fetched interval.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

Interval = tuple[datetime, datetime]


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
    time = pl.Datetime("us", "UTC")
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "session_date": pl.Date,
        "start": time,
        "end": time,
        "minutes": pl.Int64,
    }
    return pl.DataFrame(holes, schema=schema, orient="row")
