"""Whom a named list means over a range of days, by the tickers that a provider knows them by now."""

from datetime import date, datetime

from agents.queueing import asked_span
from lake import Lake, instruments, lists
from lake.settings import Settings


def symbols_of(
    lake: Lake,
    settings: Settings,
    name: str,
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    now: datetime,
) -> list[str]:
    """The symbols to ask for where a list is named.

    Members of any day of the range are meant, not those of its end alone: who left the list or the
    exchange meanwhile belongs to its history, and without them it would be one of survivors. A paper
    that was renamed since is asked for by its newest ticker, under which providers have its history.

    Args:
        lake: Read only.
        settings: For the source and the usual range.
        name: Of the list.
        start: First New York session date; None for ``BARLAKE_HISTORY`` before today.
        end: Last one, included; None for today.
        now: The time (aware).

    Raises:
        ListMissingError, MembersMissingError: There is no such list, or nobody on it in the range.
        RangeError: The range cannot be.
    """
    first, last = asked_span(settings, start, end, now=now)
    members = lists.members_between(lake, name, first, last)
    tickers = instruments.last_tickers(lake, settings.source, members)
    return sorted({ticker for names in tickers.values() for ticker in names})
