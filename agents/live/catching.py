"""Filling the ledger: what it lacks of the watched symbols is fetched completely, over REST.

After each start and connection, every half hour, and once more when the session is over. The values
of a complete answer go over those of the stream, and what the stream missed comes with it.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from agents import backfill
from agents.backfill import Task
from agents.fetching import Fetcher
from agents.live.clock import MarketClock
from agents.live.rounds import Pauses, Rounds
from agents.planning import Part, pack
from agents.sources import Log, ProviderRefusedError, Source, UnknownSymbolError
from lake import Lake, sessions
from lake.coverage import Interval, subtract

#: By the market's clock.
EVERY = timedelta(minutes=30)
#: Holes that are older are the gap scanner's.
_REACH = timedelta(days=7)
#: What is read again, and how often, by another clock than this machine's.
_AGAIN_REACH, _AGAIN_EVERY = timedelta(hours=6), timedelta(hours=1)
_PAUSES = Pauses(looks=0.2, apart=2.0, failed=10.0, refused=60.0)
_NOT_FOR_US = (401, 403)


class Catcher(Rounds):
    """Fetches what the ledger lacks, again and again.

    Args:
        lake: Where to.
        source: Of this thread alone.
        symbols: All that are watched.
        clock: The market's.
        log: Takes one structured line.

    Attributes:
        regular: It fetches every half hour, not only when it is asked to.
        refused: The provider will not answer us at all.
    """

    def __init__(
        self,
        lake: Lake,
        source: Source,
        symbols: Collection[str],
        clock: MarketClock,
        log: Log = lambda **_: None,
    ) -> None:
        super().__init__(symbols, "catching", _PAUSES, log)
        self._lake, self._source, self._clock = lake, source, clock
        self._asked = threading.Event()
        self._done_at: datetime | None = None
        self._again_at: datetime | None = None
        self._planned: tuple[date, tuple[str, ...]] | None = None
        self._unknown: tuple[str, ...] = ()
        self.regular = self.refused = False

    @property
    def done_at(self) -> datetime | None:
        """When the newest round began, by the market's clock."""
        return self._done_at

    def ask(self) -> None:
        """Begin a round soon."""
        self._asked.set()

    def watch(self, symbols: Collection[str]) -> None:
        """Others are watched: a round for them begins soon."""
        super().watch(symbols)
        self.ask()

    def is_due(self) -> bool:
        """Whether somebody has asked for a round, or it is half an hour since the last."""
        if self._asked.is_set() or self._done_at is None:
            return True
        return self.regular and not timedelta() <= self._clock() - self._done_at < EVERY

    def failed(self, error: Exception) -> None:
        """It is tried again; a provider that knows us not says so."""
        self._asked.set()
        if isinstance(error, ProviderRefusedError):
            self.refused = error.status in _NOT_FOR_US

    def round(self) -> None:
        """Fetch what is missing now.

        Raises:
            LakeError: As the source's; what was committed stays.
        """
        self._asked.clear()
        now = self._clock.surely()
        if self._planned != (planned := (sessions.today(now), self._symbols)):
            self._plan(*planned, now)
            self._planned = planned
        fetcher = Fetcher(self._lake, self._source, "bars_1m", log=self._log)
        for part in self._missing(now):
            fetcher.fetch(part)
        self._read_again(now)
        self._done_at = now
        self.refused = False
        self._well(self._said_unknown())

    def _said_unknown(self) -> str | None:
        if not self._unknown:
            return None
        others = len(self._symbols) - len(self._unknown)
        return str(UnknownSymbolError(self._unknown, self._source.name, others))

    def _plan(self, day: date, symbols: tuple[str, ...], now: datetime) -> None:
        """Once a day: which symbols there are, and their corporate actions."""
        try:
            planned = backfill.plan(self._lake, self._source, Task(symbols, day, day), now)
        except UnknownSymbolError as error:
            self._unknown = tuple(error.symbols)
        else:
            self._unknown = tuple(planned.unknown)

    def _missing(self, now: datetime) -> list[Part]:
        edge = self._source.edge(now)
        symbols = [symbol for symbol in self._symbols if symbol not in self._unknown]
        held = self._lake.covered_many(symbols, self._source.name)
        holes = {
            symbol: subtract((since, edge), held[symbol])
            for symbol in symbols
            if (since := _since(held[symbol], edge)) < edge
        }
        return self._packed(holes)

    def _read_again(self, now: datetime) -> None:
        """Read the last hours again each hour, where the scheduler cannot: by another clock than ours."""
        since, self._again_at = self._again_at, self._again_at or now
        if self._clock.agrees or since is None or timedelta() <= now - since < _AGAIN_EVERY:
            return
        edge = self._source.edge(now)
        span = [(edge - _AGAIN_REACH, edge)]
        known = [symbol for symbol in self._symbols if symbol not in self._unknown]
        fetcher = Fetcher(self._lake, self._source, "bars_1m", again=True, log=self._log)
        for part in self._packed(dict.fromkeys(known, span)):
            fetcher.fetch(part)
        self._again_at = now

    def _packed(self, holes: Mapping[str, Sequence[Interval]]) -> list[Part]:
        ability = self._source.abilities
        return pack(holes, page_bars=ability.page_bars, most_symbols=ability.most_symbols)


def _since(held: list[Interval], edge: datetime) -> datetime:
    """From where on a symbol is missed: its first fetch in the last days, else this day's begin."""
    if not held:
        return sessions.midnight(sessions.today(edge))
    return max(held[0][0], edge - _REACH)
