"""One rate budget for all processes: what a provider lets an account ask, and what is left of it.

It lies in the journal, so that workers and commands that fetch in their own process obey the same
one, with or without a broker. Each window counts down as requests are sent; what the provider's
answers say of it goes before what was counted here.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection, delete, insert, select

from lake.journal.journal import Journal
from lake.journal.tables import rate_windows

#: Ends of a window closer than this are the same one: providers tell whole seconds.
_SAME_END = 1.5
_SOONEST = 0.01


@dataclass(frozen=True)
class RateWindow:
    """What may be asked in a time: ``most`` requests in ``seconds``."""

    most: int
    seconds: float = 60.0


@dataclass(frozen=True)
class Window:
    """One window as it stands.

    Attributes:
        seconds: How long it is.
        most: Requests it allows.
        remaining: How many are left until it ends.
        ends: When all of them come back, in seconds since 1970 by our clock.
        began: Since when it is counted here.
    """

    seconds: float
    most: int
    remaining: int
    ends: float
    began: float = 0.0

    def at(self, now: float) -> "Window":
        """The window that holds a moment: a new one where this is over."""
        if self.ends > now:
            return self
        return replace(self, remaining=self.most, ends=now + self.seconds, began=now)


class Budget(Protocol):
    """What a client asks before each request, and tells after it."""

    def take(self) -> float:
        """Take one request: 0.0 and it may be sent now, or the seconds after which to ask again."""

    def learn(self, told: Window) -> None:
        """Believe what an answer says of a window."""

    def free(self) -> None:
        """The provider counts nothing: every request may be sent until it tells otherwise."""

    def left(self) -> int | None:
        """Requests that may be sent now; None while nothing is known."""

    def most(self) -> int | None:
        """Requests that a minute allows; None where nothing is known or believed."""


def taken(windows: Sequence[Window], now: float) -> tuple[float, list[Window]]:
    """Take one request out of every window if each has one left; else the seconds to wait."""
    current = [window.at(now) for window in windows]
    closed = [window.ends for window in current if window.remaining < 1]
    if closed:
        return max(max(closed) - now, _SOONEST), [*windows]
    return 0.0, [replace(window, remaining=window.remaining - 1) for window in current]


def learnt(held: Window | None, told: Window, now: float) -> Window | None:
    """A window after an answer: what it says, but never more than is left by our own count.

    Others may have sent requests that the answer does not know of yet. Some providers move the end
    on with every answer, so our count holds for the length of a window and no longer.

    Returns:
        The window to keep; None where the answer is of one that is over, which says nothing.
    """
    if told.ends <= now:
        return None
    if held is None or held.ends <= now or now - held.began >= told.seconds:
        return replace(told, began=now)
    counted = held.remaining + told.most - held.most
    same = abs(held.ends - told.ends) <= _SAME_END
    ends = max(held.ends, told.ends) if same else told.ends
    left = max(min(counted, told.remaining), 0)
    return replace(told, remaining=left, ends=ends, began=held.began)


class SharedBudget:
    """The budget of one account in the journal; safe for threads and processes.

    Args:
        journal: Where it lies.
        account: Provider, host and which key, in a few characters and without a secret.
        believed: What holds until the provider has told.
    """

    def __init__(self, journal: Journal, account: str, believed: Sequence[RateWindow] = ()) -> None:
        self._journal, self._account, self._believed = journal, account, tuple(believed)

    def take(self) -> float:
        """As :meth:`Budget.take`.

        Raises:
            JournalBusyError: The journal cannot be used. Nothing is taken.
        """
        with self._journal.database.writing(alone=True) as connection:
            wait, windows = taken(self._windows(connection), self._now())
            if not wait:
                self._keep(connection, windows)
        return wait

    def learn(self, told: Window) -> None:
        """As :meth:`Budget.learn`."""
        with self._journal.database.reading() as connection:
            held = {window.seconds: window for window in self._windows(connection)}
        known = held.get(told.seconds)
        if known is not None and replace(known, began=told.began) == told:
            return  # nobody else asks, and we count alike
        with self._journal.database.writing(alone=True) as connection:
            held = {window.seconds: window for window in self._windows(connection)}
            window = learnt(held.get(told.seconds), told, self._now())
            if window is not None:
                self._keep(connection, [*(held | {window.seconds: window}).values()])

    def free(self) -> None:
        """As :meth:`Budget.free`."""
        if self._believed:
            self._believed = ()
            with self._journal.database.writing(alone=True) as connection:
                self._keep(connection, [])

    def left(self) -> int | None:
        """As :meth:`Budget.left`."""
        with self._journal.database.reading() as connection:
            windows = self._windows(connection)
        return min((window.at(self._now()).remaining for window in windows), default=None)

    def most(self) -> int | None:
        """As :meth:`Budget.most`."""
        with self._journal.database.reading() as connection:
            return _a_minute(self._windows(connection))

    def _windows(self, connection: Connection) -> list[Window]:
        wanted = select(rate_windows).where(rate_windows.c.account == self._account)
        found = {
            row.seconds: Window(row.seconds, row.most, row.remaining, row.resets_at, row.began_at)
            for row in connection.execute(wanted)
        }
        new = {one.seconds: _unused(one) for one in self._believed if one.seconds not in found}
        return [*found.values(), *new.values()]

    def _keep(self, connection: Connection, windows: Sequence[Window]) -> None:
        connection.execute(delete(rate_windows).where(rate_windows.c.account == self._account))
        rows = [
            {
                "account": self._account,
                "seconds": window.seconds,
                "most": window.most,
                "remaining": window.remaining,
                "began_at": window.began,
                "resets_at": window.ends,
            }
            for window in windows
        ]
        if rows:
            connection.execute(insert(rate_windows), rows)

    def _now(self) -> float:
        return self._journal.now.timestamp()


class OwnBudget:
    """The budget of one process that has no journal; safe for threads."""

    def __init__(
        self, believed: Sequence[RateWindow] = (), now: Callable[[], float] = time.time
    ) -> None:
        self._windows = {one.seconds: _unused(one) for one in believed}
        self._now, self._lock = now, threading.Lock()

    def take(self) -> float:
        """As :meth:`Budget.take`."""
        with self._lock:
            wait, windows = taken([*self._windows.values()], self._now())
            self._windows = {window.seconds: window for window in windows}
            return wait

    def learn(self, told: Window) -> None:
        """As :meth:`Budget.learn`."""
        with self._lock:
            window = learnt(self._windows.get(told.seconds), told, self._now())
            if window is not None:
                self._windows[window.seconds] = window

    def free(self) -> None:
        """As :meth:`Budget.free`."""
        with self._lock:
            self._windows = {}

    def left(self) -> int | None:
        """As :meth:`Budget.left`."""
        windows = [window.at(self._now()) for window in self._windows.values()]
        return min((window.remaining for window in windows), default=None)

    def most(self) -> int | None:
        """As :meth:`Budget.most`."""
        return _a_minute([*self._windows.values()])


def by_headers(
    headers: Mapping[str, str], now: float, *, skew: float = 0.0, seconds: float = 60.0
) -> Window | None:
    """What ``X-RateLimit-Limit``, ``-Remaining`` and ``-Reset`` say; None where they are not there.

    Args:
        headers: Of an answer.
        now: The time by our clock, in seconds since 1970.
        skew: How far our clock is ahead of the provider's, in seconds.
        seconds: How long the window is that they speak of.
    """
    try:
        most, remaining = (int(headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining"))
        ends = float(headers["X-RateLimit-Reset"]) + skew
    except (KeyError, ValueError):
        return None
    return Window(seconds, max(most, 1), max(remaining, 0), min(ends, now + 2 * seconds))


def _unused(window: RateWindow) -> Window:
    return Window(window.seconds, window.most, window.most, 0.0)


def _a_minute(windows: Sequence[Window]) -> int | None:
    rates = [window.most * 60 / window.seconds for window in windows]
    return int(min(rates)) if rates else None
