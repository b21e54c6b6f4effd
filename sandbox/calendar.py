"""NYSE sessions, 1970 to 2029, as columns."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from sandbox.times import midnight

FIRST_DAY, LAST_DAY = "1970-01-02", "2029-12-31"

HOUR = 3600
PRE_OPEN = 4 * HOUR
POST_CLOSE = 20 * HOUR
HALF_DAY_CLOSE = 13 * HOUR
HALF_DAY_POST_CLOSE = 17 * HOUR

Int64s = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Sessions:
    """Sessions in order; every column has one row a session, times in seconds since 1970 (UTC).

    Extended hours run from ``pre_open`` to ``post_close``, regular ones from ``open`` to ``close``;
    the closing ends are outside.
    """

    days: Int64s
    pre_open: Int64s
    open: Int64s
    close: Int64s
    post_close: Int64s

    def index(self, day: int) -> int | None:
        """The row of a day, None if it is no session."""
        row = int(np.searchsorted(self.days, day))
        return row if row < len(self.days) and self.days[row] == day else None

    def at_or_after(self, day: int) -> int:
        """The row of the first session that is not before a day."""
        return int(np.searchsorted(self.days, day))


def over_at(day: int) -> int:
    """From when on nothing more trades on a day: after its extended hours, or on the day after."""
    sessions = nyse()
    row = sessions.index(day)
    return midnight(day + 1) if row is None else int(sessions.post_close[row])


@cache
def nyse() -> Sessions:
    """The sessions of the New York Stock Exchange, made at the first call (about half a second)."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XNYS", start=FIRST_DAY, end=LAST_DAY)
    days = calendar.sessions.to_numpy().astype("datetime64[D]").astype(np.int64)
    opens = calendar.opens_nanos.astype(np.int64) // 10**9
    closes = calendar.closes_nanos.astype(np.int64) // 10**9
    midnights = np.array([midnight(day) for day in days.tolist()], dtype=np.int64)
    half_days = closes - midnights <= HALF_DAY_CLOSE
    post_close = np.where(half_days, HALF_DAY_POST_CLOSE, POST_CLOSE)
    return Sessions(days, midnights + PRE_OPEN, opens, closes, midnights + post_close)
