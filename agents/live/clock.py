"""The market's present: the provider's clock, followed.

A machine whose clock is wrong would look for bars of the wrong minutes; and a provider that plays a
session again, at any speed, has a present of its own. Where the provider does not say, or agrees
with this machine, the machine's clock is used.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from lake.errors import LakeError

#: Clocks that differ by less agree: an answer is some time under way.
_AGREE = timedelta(seconds=2)
#: Paces that differ by less are the same.
_SAME_PACE = 0.1
#: Seconds between two looks: soon after the first, then seldom where the clocks agree.
_SOON, _OFTEN, _SELDOM = 1.0, 5.0, 60.0


class MarketClock:
    """Call it for the present (UTC). It asks the provider from a thread of its own.

    Args:
        ask: The provider's clock; None where it does not say.
        now: This machine's.
        ticks: Seconds that only grow.
    """

    def __init__(
        self,
        ask: Callable[[], datetime | None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._now, self._ticks = ask, now, ticks
        self._known: tuple[datetime, float, float] | None = None  # told, at tick, pace
        self._before: tuple[datetime, float] | None = None
        self._answered = False
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """The present."""
        known = self._known
        if known is None:
            return self._now()
        told, tick, pace = known
        return told + timedelta(seconds=(self._ticks() - tick) * pace)

    @property
    def agrees(self) -> bool:
        """Whether the provider has said the time, and says the same as this machine."""
        return self._answered and self._known is None

    def surely(self) -> datetime:
        """A present that is not ahead of the provider's: what may be asked for by it is there.

        Where the clocks do not agree the provider is asked each time.
        """
        if not self.agrees:
            self.look()
        known = self._known
        return self._now() if known is None else known[0]

    def look(self) -> bool:
        """Ask the provider once; tells whether it agrees with this machine."""
        with self._lock:
            begun = self._ticks()
            told = self._ask()
            tick = (begun + self._ticks()) / 2
            if told is None:
                return not self._known
            self._answered = True
            pace = self._pace(told, tick)
            self._before = told, tick
            agree = abs(told - self._now()) < _AGREE and pace == 1.0
            self._known = None if agree else (told, tick, pace)
            return agree

    def follow(self, stop: threading.Event) -> None:
        """Look again and again until it is stopped; for a thread."""
        pause = _SOON
        while not stop.is_set():
            try:
                agree = self.look()
            except LakeError:
                agree = True
            stop.wait(pause)
            pause = _SELDOM if agree else _OFTEN

    def _pace(self, told: datetime, tick: float) -> float:
        """Provider's seconds a second of ours."""
        if self._before is None or tick <= self._before[1]:
            return 1.0
        pace = (told - self._before[0]).total_seconds() / (tick - self._before[1])
        return 1.0 if abs(pace - 1) < _SAME_PACE or pace < 0 else pace
