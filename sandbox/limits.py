"""The rate limit: so many requests in each window of the real clock, counted per account."""

import time
from collections import defaultdict
from dataclasses import dataclass

from sandbox.config import Clock

WINDOW = 60


@dataclass(frozen=True)
class Quota:
    """What is left of a window after a request."""

    limit: int
    remaining: int
    reset: int  # seconds since 1970, when the next window begins
    allowed: bool

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

    def __init__(self, limit: int, seconds: int = WINDOW, clock: Clock = time.time) -> None:
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._window = 0
        self._used: defaultdict[str, int] = defaultdict(int)

    def take(self, account: str) -> Quota:
        """Count a request; one that is refused costs nothing."""
        window = int(self._clock()) // self._seconds
        if window != self._window:
            self._window = window
            self._used.clear()
        allowed = self._used[account] < self._limit
        self._used[account] += allowed
        remaining = self._limit - self._used[account]
        return Quota(self._limit, remaining, (window + 1) * self._seconds, allowed)
