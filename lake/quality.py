"""How good stored minutes are: what of a session was fetched, and how many bars passed the checks."""

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


def hours_behind(lake: "Lake", symbol: str, source: str, now: datetime) -> float | None:
    """For how long the next regular minute after the newest held one could have been there.

    Over a night, a weekend and holidays nothing is due, so nothing falls behind.

    Returns:
        Hours, 0 if nothing is due; None if nothing is held at all.
    """
    reached = _reached(lake, symbol, source)
    return None if reached is None else _hours_due(lake, reached, now)


def is_kept_up(lake: "Lake", symbol: str, source: str, hours: float) -> bool:
    """Whether a series was at most this far behind when it was last fetched.

    What was not is a piece of history that somebody wanted: nobody means it to be up to date.
    """
    with lake.reading() as connection:
        row = connection.execute(
            """SELECT "end", recorded_at FROM coverage
               WHERE dataset = 'bars_1m' AND source = ? AND symbol = ?
               ORDER BY "end" DESC, recorded_at DESC LIMIT 1""",
            [source, symbol],
        ).fetchone()
    return row is not None and _hours_due(lake, row[0], row[1]) <= hours


@dataclass(frozen=True)
class Answered:
    """Dates (New York, both included) that a fetch has answered, and when it was recorded (UTC)."""

    first: date
    last: date
    recorded_at: datetime


def fetched(lake: "Lake") -> dict[tuple[str, str], list[Answered]]:
    """What fetches of minutes have answered, by source and symbol, oldest dates first."""
    with lake.reading() as connection:
        rows = connection.execute(
            """SELECT source, symbol, ("start" AT TIME ZONE 'America/New_York')::DATE,
                      (("end" - INTERVAL 1 MICROSECOND) AT TIME ZONE 'America/New_York')::DATE,
                      recorded_at FROM coverage WHERE dataset = 'bars_1m' ORDER BY ALL"""
        ).fetchall()
    found: dict[tuple[str, str], list[Answered]] = {}
    for source, symbol, *facts in rows:
        found.setdefault((source, symbol), []).append(Answered(*facts))
    return found


def last_sessions(lake: "Lake", count: int) -> list[date]:
    """The newest sessions that are over, oldest first."""
    with lake.reading() as connection:
        rows = connection.execute(
            'SELECT session_date FROM sessions WHERE "close" <= ? ORDER BY session_date DESC LIMIT ?',
            [lake.now - SETTLED, count],
        ).fetchall()
    return [day for (day,) in reversed(rows)]


def _bars(lake: "Lake", symbol: str, source: str, first: date, last: date) -> pl.DataFrame:
    try:
        held = lake.bars(symbol, first, last, source=source, columns=["session_date"])
    except BarsMissingError:  # fetched, and there was none at all
        held = pl.DataFrame(schema={"session_date": pl.Date})
    return held.group_by("session_date").agg(bars=pl.len().cast(pl.Int64))


def _reached(lake: "Lake", symbol: str, source: str) -> datetime | None:
    """Up to when the series is held: by the ledger, or by a bar that came live."""
    ends = [end for _, end in lake.covered(symbol, source)]
    try:
        newest = lake.bars(symbol, source=source, columns=["timestamp"], limit=1)
    except BarsMissingError:
        newest = pl.DataFrame()
    if not newest.is_empty():
        ends.append(newest["timestamp"].item() + timedelta(minutes=1))
    return max(ends, default=None)


def _hours_due(lake: "Lake", reached: datetime, now: datetime) -> float:
    with lake.reading() as connection:
        row = connection.execute(
            """SELECT greatest("open", $reached::TIMESTAMPTZ) FROM sessions
               WHERE "close" > $reached ORDER BY session_date LIMIT 1""",
            {"reached": reached},
        ).fetchone()
    if row is None or row[0] >= now:
        return 0.0
    due: timedelta = now - row[0]
    return round(due / timedelta(hours=1), 2)
