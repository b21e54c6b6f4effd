"""Asking REST for the newest minutes: after a connection, beside a stream, or instead of one.

In a thread of its own, so that a stream never waits. What is asked completes nothing: the bars are
committed like a stream's, and the ledger is filled by :mod:`agents.live.catching`.
"""

import queue
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from agents.live.clock import MarketClock
from agents.live.rounds import Pauses, Rounds
from agents.pages import answered
from agents.sources import Log, ProviderRefusedError, Source
from lake import BAR_SCHEMA
from lake.errors import LakeError

#: All symbols are asked for so often, for bars that a stream left out.
SWEEP = timedelta(minutes=5)
#: A minute's bar is there so long after the minute.
_THERE = timedelta(seconds=2)
#: Older minutes are for the ledger to find.
_REACH = timedelta(minutes=45)
_PAUSES = Pauses(looks=0.1, apart=0.5, failed=5.0, refused=30.0)
#: Refused for being too new, on plans that serve history with a delay.
_TOO_NEW = (403, 422)


@dataclass(frozen=True)
class Asked:
    """What one round brought.

    Attributes:
        bars: As ``BAR_SCHEMA``.
        edge: Bars that opened before are final.
        at: When it was asked, by the market's clock.
    """

    bars: pl.DataFrame
    edge: datetime
    at: datetime


def inbox() -> "tuple[queue.SimpleQueue[Asked], Callable[[Asked], None]]":
    """A queue of what was asked, and what puts into it."""
    found: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    return found, found.put


class Asker(Rounds):
    """Asks again and again for what is wanted.

    Args:
        source: Of this thread alone.
        symbols: All that are watched.
        clock: The market's.
        take: Is given what a round brought.
        log: Takes one structured line.

    Attributes:
        wanted: Symbols that are asked for after every minute, for no stream tells them.
    """

    def __init__(
        self,
        source: Source,
        symbols: Collection[str],
        clock: MarketClock,
        take: Callable[[Asked], None],
        log: Log = lambda **_: None,
    ) -> None:
        super().__init__(symbols, "asked", _PAUSES, log)
        self._source, self._clock, self._take = source, clock, take
        self._since: datetime | None = None  # asked for once, from there
        self._swept: datetime | None = None  # the edge of the newest round for all
        self._sweeps: datetime | None = None
        self._polled: datetime | None = None
        self._minute: datetime | None = None
        self._late = False
        self._lock = threading.Lock()
        self.wanted: frozenset[str] = frozenset()

    def ask(self, since: datetime) -> None:
        """Ask for all symbols soon, from a moment on."""
        with self._lock:
            self._since = since if self._since is None else min(since, self._since)

    def is_due(self) -> bool:
        """Always: each round finds out itself what is due."""
        return True

    def round(self) -> None:
        """Ask for what is due now, if anything is.

        Raises:
            LakeError: As the source's.
        """
        now = self._clock()
        with self._lock:
            since, self._since = self._since, None
        if since is not None or self._is_sweep_due(now):
            self._sweep(since)
        elif self.wanted and self._turned(now):
            some = tuple(sorted(self.wanted))
            self._polled = self._bring(some, self._polled, self._clock.surely())
        else:
            return
        self._well()

    def _sweep(self, since: datetime | None) -> None:
        begins = [moment for moment in (since, self._swept) if moment is not None]
        now = self._clock.surely()
        try:
            self._swept = self._bring(self._symbols, min(begins, default=None), now)
        except LakeError:
            if since is not None:
                self.ask(since)
            raise
        self._sweeps, self._polled = now, self._swept

    def _is_sweep_due(self, now: datetime) -> bool:
        return self._sweeps is None or not timedelta() <= now - self._sweeps < SWEEP

    def _turned(self, now: datetime) -> bool:
        """Whether a minute is over that was not asked for."""
        minute = (now - _THERE).replace(second=0, microsecond=0)
        turned, self._minute = minute != self._minute, minute
        return turned

    def _bring(self, symbols: tuple[str, ...], since: datetime | None, now: datetime) -> datetime:
        """Ask from a moment, or from the edge, on; returns the edge."""
        edge = self._source.edge(now)
        start = max(min(since or edge, edge), edge - _REACH).replace(second=0, microsecond=0)
        for end in self._ends(edge, now):
            try:
                bars = self._pages(symbols, start, end) if start < end else _NONE
            except ProviderRefusedError as error:
                if error.status not in _TOO_NEW or end == edge:
                    raise
                self._late = True
                continue
            self._take(Asked(bars, edge, now))
            self._log(stage="asked", symbols=len(symbols), bars=bars.height)
            break
        return edge

    def _ends(self, edge: datetime, now: datetime) -> list[datetime]:
        """Up to now; where that is refused for being too new, up to what is final."""
        minute = now.replace(second=0, microsecond=0)
        return [edge] if self._late or minute <= edge else [minute, edge]

    def _pages(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> pl.DataFrame:
        most = self._source.abilities.most_symbols
        found = [_NONE]
        for first in range(0, len(symbols), most):
            some = symbols[first : first + most]
            pages = self._source.pages(some, start, end)
            found += [one.bars for one in answered(pages, some, start, end)]
        return pl.concat(found)


_NONE = pl.DataFrame(schema=BAR_SCHEMA)
