"""Bars, coverage and halts of a series as arrays: a row a session, a column a minute since its open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lake import sessions
from lake.absences import Array, micros
from lake.coverage import Interval
from lake.datasets import check_dataset
from lake.errors import BarsMissingError

if TYPE_CHECKING:
    from lake.store import Lake

#: From when (inside) to when (outside) a paper is traded; None for an end that is not known.
Lifespan = tuple[date | None, date | None]

#: Microseconds of one.
MINUTE = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Days:
    """Sessions and the minutes of each in which a bar may open.

    Attributes:
        dates: The New York session dates, in order.
        opens: When the first bar may open (microseconds since 1970).
        lengths: How many bars there may be.
    """

    dates: tuple[date, ...]
    opens: Array
    lengths: Array

    @cached_property
    def minutes(self) -> Array:
        """Which cells are minutes of their session."""
        width = int(self.lengths.max(initial=1))
        return np.arange(width)[None, :] < self.lengths[:, None]

    @cached_property
    def times(self) -> Array:
        """When the bar of each cell opens (microseconds since 1970)."""
        return self.opens[:, None] + MINUTE * np.arange(self.minutes.shape[1], dtype=np.int64)

    def marked(self, moments: Array) -> Array:
        """The cells in which one of some moments lies."""
        found = np.zeros(self.minutes.shape, bool)
        rows: Array = np.searchsorted(self.opens, moments, side="right") - 1
        moments, rows = moments[rows >= 0], rows[rows >= 0]
        columns = (moments - self.opens[rows]) // MINUTE
        inside = columns < self.lengths[rows]
        found[rows[inside], columns[inside]] = True
        return found

    def opening_in(self, intervals: Sequence[Interval]) -> Array:
        """The cells whose bar opens in one of some intervals: merged, in order, the end outside."""
        if not intervals:
            return np.zeros(self.minutes.shape, bool)
        edges: Array = np.array([[micros(low), micros(high)] for low, high in intervals])
        starts, ends = edges[:, 0], edges[:, 1]
        place = np.searchsorted(starts, self.times, side="right") - 1
        return self.minutes & (place >= 0) & (self.times < ends[place])

    def touching(self, intervals: Sequence[Interval]) -> Array:
        """The cells that have a moment in common with one of some intervals."""
        found = np.zeros(self.minutes.shape, bool)
        for low, high in intervals:
            found |= (self.times < micros(high)) & (self.times + MINUTE > micros(low))
        return found & self.minutes


def days_of(lake: "Lake", dataset: str, low: datetime, high: datetime) -> Days:
    """The sessions that have a moment of regular hours in a range (end outside); days by their midnight."""
    daily = check_dataset(dataset).timeframe == "1d"
    begins = "session_date::TIMESTAMP AT TIME ZONE 'America/New_York'" if daily else '"open"'
    ends = f"{begins} + INTERVAL 1 MINUTE" if daily else '"close"'
    with lake.reading() as connection:
        rows = connection.execute(
            f"""SELECT session_date, epoch_us({begins}), date_diff('minute', {begins}, {ends})
                FROM sessions WHERE {ends} > $low AND {begins} < $high ORDER BY session_date""",
            {"low": low, "high": high},
        ).fetchall()
    dates, opens, lengths = zip(*rows, strict=True) if rows else ((), (), ())
    return Days(dates, np.array(opens, np.int64), np.array(lengths, np.int64))


def present(lake: "Lake", symbol: str, source: str, dataset: str, days: Days) -> Array:
    """The cells of which there is a bar."""
    low, high = _EPOCH + timedelta(microseconds=int(days.times[0, 0])), None
    high = _EPOCH + timedelta(microseconds=int(days.times[-1, -1]) + MINUTE - 1)
    try:
        bars = lake.bars(symbol, low, high, source=source, dataset=dataset, columns=["timestamp"])
    except BarsMissingError:  # fetched, and there was none at all
        return np.zeros(days.minutes.shape, bool)
    return days.marked(bars["timestamp"].to_physical().to_numpy())


def expected(
    days: Days, low: datetime, high: datetime, *, lifespan: Lifespan = (None, None)
) -> Array:
    """The cells in which a bar may be: minutes of a range, of days on which the paper is traded."""
    listed, delisted = lifespan
    traded = np.array(
        [
            (listed is None or day >= listed) and (delisted is None or day < delisted)
            for day in days.dates
        ],
        bool,
    )
    whole = (days.times >= micros(low) // MINUTE * MINUTE) & (days.times + MINUTE <= micros(high))
    return days.minutes & whole & traded[:, None]


def halted(days: Days, halts: Sequence[tuple[datetime, datetime | None]], traded: Array) -> Array:
    """The cells that a halt touches; one without an end is over when the next bar opens, or never told.

    Args:
        days: The sessions.
        halts: Start, and the first moment of trading again or None.
        traded: The cells of which there is a bar.
    """
    openings = np.sort(days.times[traded])
    ended: list[Interval] = []
    for start, end in halts:
        if end is None:
            place = np.searchsorted(openings, micros(start) + 1)
            last = openings[place] if place < len(openings) else days.times[-1, -1] + MINUTE
            end = _EPOCH + timedelta(microseconds=int(last))  # noqa: PLW2901
        ended.append((start, end))
    return days.touching(ended)


def range_of(
    lake: "Lake",
    dataset: str,
    start: sessions.Moment,
    end: sessions.Moment,
    covered: Sequence[Interval],
) -> tuple[datetime, datetime]:
    """The moments a question is about: from the first fetched one to the last, unless it says other ones.

    What is to come is left out, and so is a day of daily bars that is not over.
    """
    low, high = sessions.window(start, end)
    low = low or (covered[0][0] if covered else lake.now)
    high = min(high or (covered[-1][1] if covered else lake.now), lake.now)
    if check_dataset(dataset).timeframe == "1d":
        with lake.reading() as connection:
            last = connection.execute(
                "SELECT max(session_date) FROM sessions WHERE post_close <= ?", [lake.now]
            ).fetchone()
        over = last[0] + timedelta(days=1) if last and last[0] else date(1990, 1, 1)
        high = min(high, sessions.midnight(over))
    return low, high
