"""Whom to listen to: the symbols of a setting, and who is on the lists that it names."""

from datetime import datetime

from lake import Lake, lists, sessions
from lake.settings import Settings


def watched(settings: Settings, lake: Lake | None, now: datetime) -> tuple[str, ...]:
    """The symbols of ``BARLAKE_WATCH``, and today's members of its lists, in order.

    Args:
        settings: Of the door.
        lake: Where lists are; None where there is no lake yet.
        now: Aware.

    Raises:
        ListMissingError: There is no such list.
    """
    today = sessions.today(now)
    named = set(settings.watched)
    if lake is not None:
        for name in settings.watched_lists:
            named |= {*lists.members(lake, name, on=today)}
    return tuple(sorted(named))
