"""How good stored minutes are: what of a session was fetched, and how many bars passed the checks."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from lake import coverage
from lake.errors import BarsMissingError

if TYPE_CHECKING:
    from lake.store import Lake

#: A session counts as over this long after its close: some providers tell their minutes late.
SETTLED = timedelta(minutes=30)

_COUNTS = ("expected", "fetched", "bars", "quarantined")


def measured(lake: "Lake", symbol: str, source: str, first: date, last: date) -> pl.DataFrame:
    """Counts of one series of minutes, a row a session that is over.

    Args:
        first: First session (New York date), inclusive.
        last: Last session, inclusive.

    Returns:
        ``session_date``; ``expected`` regular minutes, of which ``fetched`` lie in a fetched
        interval; ``bars`` and ``quarantined`` minutes of the whole day, extended hours included.
    """
    with lake.reading() as connection:
        hours = connection.execute(
            """SELECT session_date, "open", "close" FROM sessions
               WHERE session_date BETWEEN ? AND ? AND "close" <= ? ORDER BY session_date""",
            [first, last, lake.now - SETTLED],
        ).pl()
        quarantined = connection.execute(
            """SELECT (timestamp AT TIME ZONE 'America/New_York')::DATE AS session_date,
                      count(DISTINCT timestamp) AS quarantined FROM quarantine
               WHERE dataset = 'bars_1m' AND source = ? AND symbol = ? GROUP BY ALL""",
            [source, symbol],
        ).pl()
    expected = (pl.col("close") - pl.col("open")).dt.total_minutes()
    holes = coverage.uncovered_minutes(hours, lake.covered(symbol, source))
    missed = holes.group_by("session_date").agg(missed=pl.col("minutes").sum())
    rows = hours.select("session_date", expected=expected)
    for part in (missed, _bars(lake, symbol, source, first, last), quarantined):
        rows = rows.join(part, on="session_date", how="left", maintain_order="left")
    rows = rows.with_columns(pl.exclude("session_date").fill_null(0))
    fetched = pl.col("expected") - pl.col("missed")
    return rows.with_columns(fetched=fetched).select("session_date", *_COUNTS)


class Hours:
    """Regular hours, to tell since when something is due."""

    def __init__(self, lake: "Lake") -> None:
        with lake.reading() as connection:
            rows = connection.execute(
                'SELECT session_date, "open", "close" FROM sessions ORDER BY session_date'
            ).fetchall()
        self._days, self._opens, self._closes = zip(*rows, strict=True)

    def behind(self, reached: datetime, now: datetime) -> float:
        """For how many hours the first regular minute after a moment could have been there.

        Over a night, a weekend and holidays nothing is due, so nothing falls behind.
        """
        place = bisect_right(self._closes, reached)
        if place == len(self._closes):
            return 0.0
        due: timedelta = now - max(self._opens[place], reached)
        return round(max(due / timedelta(hours=1), 0.0), 2)

    def over(self, now: datetime, count: int) -> list[date]:
        """The newest sessions that are over, oldest first."""
        place = bisect_right(self._closes, now - SETTLED)
        return list(self._days[max(place - count, 0) : place])


@dataclass(frozen=True)
class Answered:
    """What one fetch has answered of a series.

    Attributes:
        first: First date (New York).
        last: Last one, included.
        end: The first moment after it (UTC).
        recorded_at: When the lake learnt it (UTC).
    """

    first: date
    last: date
    end: datetime
    recorded_at: datetime


def fetched(lake: "Lake") -> dict[tuple[str, str], list[Answered]]:
    """What fetches of minutes have answered, by source and symbol, oldest dates first."""
    with lake.reading() as connection:
        rows = connection.execute(
            """SELECT source, symbol, ("start" AT TIME ZONE 'America/New_York')::DATE,
                      (("end" - INTERVAL 1 MICROSECOND) AT TIME ZONE 'America/New_York')::DATE,
                      "end", recorded_at FROM coverage WHERE dataset = 'bars_1m' ORDER BY ALL"""
        ).fetchall()
    found: dict[tuple[str, str], list[Answered]] = {}
    for source, symbol, *facts in rows:
        found.setdefault((source, symbol), []).append(Answered(*facts))
    return found


def newest_bar(lake: "Lake", symbol: str, source: str) -> datetime | None:
    """When the newest minute of a series ends, also one that came live; None without any."""
    try:
        newest = lake.bars(symbol, source=source, columns=["timestamp"], limit=1)
    except BarsMissingError:  # fetched, and there was none at all
        return None
    return None if newest.is_empty() else newest["timestamp"].item() + timedelta(minutes=1)


def _bars(lake: "Lake", symbol: str, source: str, first: date, last: date) -> pl.DataFrame:
    try:
        held = lake.bars(symbol, first, last, source=source, columns=["session_date"])
    except BarsMissingError:  # fetched, and there was none at all
        held = pl.DataFrame(schema={"session_date": pl.Date})
    return held.group_by("session_date").agg(bars=pl.len().cast(pl.Int64))
