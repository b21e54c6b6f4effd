"""Times as the protocol writes them, and the days of New York.

Inside the sandbox an instant is whole seconds since 1970 (UTC) and a day is whole days since 1970.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from sandbox.errors import BadRequestError

NEW_YORK = ZoneInfo("America/New_York")
NANOSECONDS = 1_000_000_000

_EPOCH = date(1970, 1, 1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def day_of(day: date) -> int:
    """Days since 1970."""
    return (day - _EPOCH).days


def date_of(day: int) -> date:
    """The date of a day number."""
    return _EPOCH + timedelta(days=day)


@lru_cache(maxsize=100_000)
def midnight(day: int) -> int:
    """When a day begins in New York, in seconds since 1970."""
    start = date_of(day)
    return int(datetime(start.year, start.month, start.day, tzinfo=NEW_YORK).timestamp())


def new_york_day(seconds: float) -> int:
    """The New York day of an instant."""
    return day_of(datetime.fromtimestamp(seconds, NEW_YORK).date())


def utc_text(seconds: int) -> str:
    """An instant as the protocol writes it, like ``2024-11-29T14:30:00Z``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_date(text: str, name: str) -> date:
    """The date of ``YYYY-MM-DD``, or of an instant that begins with one.

    Raises:
        BadRequestError: It is no date.
    """
    found = _DATE.match(text)
    try:
        if found and (len(text) == found.end() or text[found.end()] in "Tt "):
            return date.fromisoformat(found.group())
    except ValueError:
        pass
    raise BadRequestError(f"invalid {name}: {text[:60]!r} is not a date like 2024-11-29")


def parse_start(text: str, name: str = "start") -> int:
    """The first whole second that is not before a time.

    A bare date means its beginning in New York: what zone Alpaca takes is not documented.

    Args:
        text: RFC 3339 with any offset and up to nanoseconds, or ``YYYY-MM-DD``.
        name: The parameter, for the error.

    Raises:
        BadRequestError: It is neither.
    """
    if _DATE.fullmatch(text):
        return midnight(day_of(_in_range(parse_date(text, name))))
    seconds, nanoseconds = _instant(text, name)
    return seconds + (nanoseconds > 0)


def parse_end(text: str, name: str = "end") -> int:
    """The last whole second that is not after a time; a bare date includes its whole day.

    Raises:
        BadRequestError: As :func:`parse_start`.
    """
    if _DATE.fullmatch(text):
        return midnight(day_of(_in_range(parse_date(text, name))) + 1) - 1
    return _instant(text, name)[0]


def _instant(text: str, name: str) -> tuple[int, int]:
    found = _INSTANT.fullmatch(text)
    try:
        if found:
            day, clock, fraction, zone = found.groups()
            naive = datetime.fromisoformat(f"{_in_range(date.fromisoformat(day))}T{clock}")
            moment = naive.replace(tzinfo=_zone(zone))
            return int(moment.timestamp()), int((fraction or "0").ljust(9, "0"))
    except ValueError:
        pass
    raise BadRequestError(
        f"invalid {name}: {text[:60]!r} is neither RFC 3339 (like 2024-11-29T14:30:00Z; write the "
        "plus of an offset as %2B in a URL) nor YYYY-MM-DD"
    )


def _zone(text: str) -> timezone:
    if text in {"Z", "z"}:
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _in_range(day: date) -> date:
    """The day, kept so far from the calendar's ends that zones cannot overflow it."""
    return min(max(day, date(1900, 1, 1)), date(2200, 1, 1))
