"""When there is something to hear: the extended hours of each session, by the calendar. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from lake import sessions

#: Connected so long before the first minute, and after the last: its update comes half a minute late.
AHEAD, AFTER = timedelta(minutes=5), timedelta(minutes=4)
_FAR = timedelta(days=15)


@dataclass(frozen=True)
class Hours:
    """What the calendar says of a moment.

    Attributes:
        is_on: Whether to listen.
        trades: Whether bars may come: between the first and the last minute of extended hours.
        until: When ``is_on`` changes (UTC).
    """

    is_on: bool
    trades: bool
    until: datetime


def hours(now: datetime, *, always: bool = False) -> Hours:
    """Whether to listen at a moment, and until when.

    Args:
        now: Aware.
        always: Listen at any hour, whatever the calendar says.

    >>> hours(datetime(2024, 11, 4, 15, 0, tzinfo=UTC)).until.isoformat()
    '2024-11-05T01:04:00+00:00'
    """
    if always:
        return Hours(is_on=True, trades=True, until=now + _FAR)
    for first, last in _spans(sessions.today(now)):
        if now < first - AHEAD:
            return Hours(is_on=False, trades=False, until=first - AHEAD)
        if now < last + AFTER:
            return Hours(is_on=True, trades=first <= now < last, until=last + AFTER)
    return Hours(is_on=False, trades=False, until=now + _FAR)  # the calendar ends


@lru_cache(maxsize=4)
def _spans(day: date) -> list[tuple[datetime, datetime]]:
    """Extended hours of the sessions around a day (UTC)."""
    frame = sessions.schedule(day - timedelta(days=1), day + _FAR)
    return [
        (first.astimezone(UTC), last.astimezone(UTC))
        for first, last in frame.select("pre_open", "post_close").iter_rows()
    ]
