"""Whom to listen to: the symbols of a setting, and who is on the lists that it names."""

import time
from collections.abc import Callable
from datetime import datetime

from agents.sources import Log
from lake import Lake, lists, sessions
from lake.errors import LakeError
from lake.settings import Settings

#: Seconds between two looks at who is on the lists.
_LOOK_EVERY = 1800.0


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


class Watched:
    """Whom a live agent listens to, looked up again every half hour.

    Args:
        look: Gives them.
        log: Takes one structured line.

    Attributes:
        symbols: As of the newest look that found any.

    Raises:
        LakeError: As ``look``'s, at the first.
    """

    def __init__(self, look: Callable[[], tuple[str, ...]], log: Log) -> None:
        self._look, self._log = look, log
        self._looked = time.monotonic()
        self.symbols = look()

    def have_changed(self) -> bool:
        """Look again, if it is time; tells whether others are to be listened to.

        A list that is empty or gone changes nothing: what was watched is watched on.
        """
        if time.monotonic() - self._looked < _LOOK_EVERY:
            return False
        self._looked = time.monotonic()
        try:
            symbols = self._look()
        except LakeError as error:
            self._log(stage="watching", level="warning", problem=str(error))
            return False
        if not symbols or symbols == self.symbols:
            return False
        self.symbols = symbols
        self._log(stage="watching", symbols=len(symbols))
        return True
