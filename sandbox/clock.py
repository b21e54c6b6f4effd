"""The present of a sandbox: real, standing still, or running from any moment at any speed."""

import asyncio
import time
from collections.abc import Callable

#: A jump of the clock is noticed at the latest after so many real seconds.
LONGEST_NAP = 1.0


class VirtualClock:
    """The present in seconds since 1970 (UTC); call it to read it.

    Args:
        start: Where it begins; None is the real present.
        speed: Virtual seconds a real one; 0 stands still, 1 is the real pace.
        real: The clock that it runs by.
    """

    def __init__(
        self,
        start: float | None = None,
        speed: float = 1.0,
        real: Callable[[], float] = time.time,
    ) -> None:
        self._real = real
        self._begun = real()
        self._start = self._begun if start is None else start
        self._speed = speed
        self._changed = asyncio.Event()

    def __call__(self) -> float:
        """The present."""
        return self._start + self._speed * (self._real() - self._begun)

    @property
    def speed(self) -> float:
        """Virtual seconds a real one."""
        return self._speed

    def set(self, *, now: float | None = None, speed: float | None = None) -> None:
        """Go on from another moment, at another speed, or both; what is None stays."""
        moment = self() if now is None else now
        self._start, self._begun = moment, self._real()
        if speed is not None:
            self._speed = speed
        self._changed.set()
        self._changed = asyncio.Event()

    async def reach(self, moment: float) -> bool:
        """Wait for a moment; False if the clock was set before it came."""
        changed = self._changed
        while not changed.is_set():
            left = moment - self()
            if left <= 0:
                return True
            nap = left / self._speed if self._speed else LONGEST_NAP
            try:
                await asyncio.wait_for(changed.wait(), min(nap, LONGEST_NAP))
            except TimeoutError:
                continue
        return False
