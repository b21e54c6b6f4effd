"""The rate limit: so many requests in each window of the real clock, counted per account."""

import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 60
#: A request that was on its way when the end of the budget was told is not early.
GRACE = 0.5


@dataclass(frozen=True)
class Quota:
    """What is left of a window after a request."""

    limit: int
    remaining: int
    reset: int  # seconds since 1970, when the next window begins
    allowed: bool
    blocked: bool = False  # by a fault, whatever the window has left

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The three headers of every 200, 400 and 429."""
        facts = {"limit": self.limit, "remaining": self.remaining, "reset": self.reset}
        return [(f"x-ratelimit-{k}".encode(), str(v).encode()) for k, v in facts.items()]


class RateLimit:
    """A fixed window.

    Args:
        limit: Requests a window of one account.
        seconds: Of a window.
        clock: The real time, also where the market's stands still.
    """

    def __init__(
        self, limit: int, seconds: int = WINDOW, clock: Callable[[], float] = time.time
    ) -> None:
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._window = 0
        self._used: defaultdict[str, int] = defaultdict(int)
        self._blocked: dict[str, int] = {}
        self._told: dict[str, tuple[float, int]] = {}

    def take(self, account: str) -> Quota:
        """Count a request; one that is refused costs nothing."""
        now = self._clock()
        window = int(now) // self._seconds
        if window != self._window:
            self._window = window
            self._used.clear()
        if (until := self._blocked.get(account, 0)) > now:
            return Quota(self._limit, 0, until, allowed=False, blocked=True)
        allowed = self._used[account] < self._limit
        self._used[account] += allowed
        remaining = self._limit - self._used[account]
        return Quota(self._limit, remaining, (window + 1) * self._seconds, allowed)

    def exhaust(self, account: str, seconds: float) -> Quota:
        """Refuse an account's requests for a while, from now on."""
        self._blocked[account] = math.ceil(self._clock() + seconds)
        return self.take(account)

    def tell(self, account: str, quota: Quota) -> None:
        """Remember that an account was told a quota."""
        if not quota.remaining:
            first = self._told.get(account)
            if first is None or first[1] != quota.reset:
                self._told[account] = self._clock(), quota.reset

    def is_early(self, account: str) -> bool:
        """Whether an account asks although it was told to wait until later."""
        told, until = self._told.get(account, (math.inf, 0))
        return told + GRACE < self._clock() < until
