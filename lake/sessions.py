"""The calendar: NYSE sessions, their hours in UTC, and the session a moment belongs to.

New York time lives here and nowhere else. The calendar itself is exchange_calendars' XNYS.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from lake.errors import RangeError, ReversedRangeError

NEW_YORK = ZoneInfo("America/New_York")
FIRST_SESSION = date(1990, 1, 2)
_PRE_OPEN = timedelta(hours=4)
_POST_CLOSE = timedelta(hours=20)
_HALF_DAY_POST_CLOSE = timedelta(hours=17)
_HALF_DAY_CLOSE_HOUR = 15
_FIRST_YEAR, _LAST_YEAR = 1900, 2999

Moment = date | datetime | str | None


@lru_cache(maxsize=64)
def schedule(first: date, last: date) -> pl.DataFrame:
    """The sessions between two dates, both included.

    Returns:
        ``session_date``, ``pre_open`` (04:00 New York), ``open``, ``close``, ``post_close``
        (20:00, or 17:00 after a half day) as UTC times, and ``half_day``.
    """
    frame = _calendar(max(last.year + 1, 2035)).schedule.loc[
        str(first) : str(last), ["open", "close"]
    ]
    days = [stamp.date() for stamp in frame.index]
    closes = [stamp.to_pydatetime() for stamp in frame["close"]]
    halves = [moment.astimezone(NEW_YORK).hour < _HALF_DAY_CLOSE_HOUR for moment in closes]
    posts = [_HALF_DAY_POST_CLOSE if half else _POST_CLOSE for half in halves]
    return pl.DataFrame(
        {
            "session_date": days,
            "pre_open": [_new_york(day, _PRE_OPEN) for day in days],
            "open": [stamp.to_pydatetime() for stamp in frame["open"]],
            "close": closes,
            "post_close": [_new_york(day, post) for day, post in zip(days, posts, strict=True)],
            "half_day": halves,
        },
        schema={
            "session_date": pl.Date,
            **dict.fromkeys(("pre_open", "open", "close", "post_close"), pl.Datetime("us", "UTC")),
            "half_day": pl.Boolean,
        },
    )


def session_of(timestamp: pl.Expr) -> pl.Expr:
    """The New York date of a UTC time: its session, or a day without one."""
    return timestamp.dt.convert_time_zone("America/New_York").dt.date()


def midnight(day: date) -> datetime:
    """The first moment of a New York date, in UTC."""
    return _new_york(day, timedelta())


def today(now: datetime) -> date:
    """The New York date of an aware time."""
    return now.astimezone(NEW_YORK).date()


def window(start: Moment, end: Moment) -> tuple[datetime | None, datetime | None]:
    """A range as users give it, as UTC times: start inside, end outside.

    Dates are New York session dates with both ends included; times must say their zone and are
    included too. None leaves that end open.

    Raises:
        RangeError: Not a date or a time, a time without a zone, or an end before its start.

    >>> window("2024-07-03", "2024-07-03")[1].isoformat()
    '2024-07-04T04:00:00+00:00'
    """
    low, high = moment(start), moment(end)
    begin = midnight(low) if _is_date(low) else low
    finish = midnight(high + timedelta(days=1)) if _is_date(high) else high
    if isinstance(high, datetime):
        finish = high.astimezone(UTC) + timedelta(microseconds=1)
    if begin is not None and finish is not None and begin >= finish:
        raise ReversedRangeError(low or begin, high or finish)
    return begin, finish


def moment(value: Moment) -> Any:
    """A date or an aware UTC time from what a user wrote; None stays None.

    Raises:
        RangeError: It is neither, or a time without a zone.
    """
    if isinstance(value, str):
        value = _parse(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            problem = f"The time {value.isoformat()} has no zone. Write it like 2024-05-01T09:30:00-04:00 or with Z for UTC."
            raise RangeError(problem)
        _check_year(value.year)
        return value.astimezone(UTC)
    if value is not None:
        _check_year(value.year)
    return value


def _check_year(year: int) -> None:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        problem = (
            f"The year {year} is out of range. Give a date from {_FIRST_YEAR} to {_LAST_YEAR}."
        )
        raise RangeError(problem)


def _parse(text: str) -> date | datetime:
    try:
        return (
            date.fromisoformat(text)
            if len(text) == len("2024-05-01")
            else datetime.fromisoformat(text)
        )
    except ValueError:
        problem = (
            f"{text[:40]!r} is neither a date like 2024-05-01 nor a time like 2024-05-01T13:30:00Z."
        )
        raise RangeError(problem) from None


def _is_date(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _new_york(day: date, since_midnight: timedelta) -> datetime:
    """Wall-clock time of a New York day: added before the zone, so that clock changes do not shift it."""
    wall = datetime(day.year, day.month, day.day) + since_midnight  # noqa: DTZ001
    return wall.replace(tzinfo=NEW_YORK).astimezone(UTC)


@lru_cache(maxsize=4)
def _calendar(last_year: int) -> Any:
    import exchange_calendars

    return exchange_calendars.get_calendar(
        "XNYS", start=FIRST_SESSION.isoformat(), end=f"{last_year}-12-31"
    )
