"""Fetching one request after another into the lake, page by page, and going on where it stopped.

The next pages are fetched while the last ones are committed; pages that come within a second
share a commit. What is answered is committed with the interval that it answers, so whoever is
killed or refused goes on from the ledger.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from queue import Empty, Full, Queue
from typing import Any, Self

import polars as pl

from agents.pages import Answered, Next, answered, next_day, next_minute
from agents.planning import Part
from agents.sources import Log, PlaceLostError, ProviderRefusedError, Source
from lake import Commit, Covered, Fetched, Lake, sessions
from lake.coverage import Interval, subtract
from lake.datasets import check_dataset

#: Told after each commit: steps done of this request, what it is at, and figures.
Tell = Callable[[float, str, dict[str, Any]], None]

#: Pages that come within this many seconds share a commit, up to so many bars.
_TOGETHER_SECONDS, _TOGETHER_BARS = 1.0, 500_000
# Enough for the time that a commit takes.
_PAGES_AHEAD = 16
# So often an answer whose pages come out of order is asked for again; the next one is believed.
_DOUBTS = 2
# How often the place may be lost without a single page in between.
_LOST_IN_A_ROW = 3
# A request that a symbol spoils is refused like this: the others are asked for without it.
_SPOILT = (400, 404, 422)
_LOOK_EVERY = 0.1


@dataclass
class Count:
    """What a fetch did, in bars and pages."""

    new: int = 0
    corrected: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    quarantined: int = 0
    pages: int = 0
    commits: int = 0
    empty: set[str] = field(default_factory=set)  # symbols without a single bar

    @property
    def bars(self) -> int:
        """Bars that were looked at."""
        return self.new + self.corrected + self.unchanged + self.quarantined


class Fetcher:
    """Brings requests of one source and dataset into a lake.

    Args:
        lake: Where to.
        source: Where from.
        dataset: ``bars_1m`` or ``bars_daily``.
        again: Ask for what the ledger holds too.
        log: Takes one structured line a commit.
        job_id: Kept with quarantined bars.
        committed: Told of each commit.
        asof: A ticker means the paper that had it on this day (New York); by default today, by the
            lake's clock.
    """

    def __init__(
        self,
        lake: Lake,
        source: Source,
        dataset: str,
        *,
        again: bool = False,
        log: Log = lambda **_: None,
        job_id: str | None = None,
        committed: Callable[[Fetched, Commit], None] = lambda *_: None,
        asof: date | None = None,
    ) -> None:
        self._lake, self._source, self._dataset = lake, source, dataset
        self._again, self._log, self._job_id = again, log, job_id
        self._committed = committed
        self._asof = asof or sessions.today(lake.now)
        daily = check_dataset(dataset).timeframe == "1d"
        self._after: Next = next_day if daily else next_minute
        self._seen: dict[str, list[Interval]] = {}
        self._doubts = 0
        self.count = Count()

    def fetch(self, part: Part, tell: Tell = lambda *_: None) -> None:
        """Bring what is missing of one request, however often the provider loses the place.

        Raises:
            RefusedError, TransientError: As the source's; what was committed stays.
        """
        lost = self._doubts = 0
        self.count.empty |= {*part.symbols}
        while todo := self._todo(part):
            symbols, start, end = todo[0]
            before, doubts = self.count.pages, self._doubts
            try:
                self._ask(symbols, start, end, part, tell)
                if self._doubts == doubts:
                    self._check_went_on(part, todo[0])
            except PlaceLostError:
                lost = lost + 1 if self.count.pages == before else 1
                if lost > _LOST_IN_A_ROW:
                    raise
            except ProviderRefusedError as error:
                if error.status not in _SPOILT or len(symbols) == 1:
                    raise
                self._halves(part, symbols, tell)

    def _check_went_on(self, part: Part, asked: tuple[list[str], datetime, datetime]) -> None:
        """Return if something was answered, however little; or it would be asked for ever."""
        if self._todo(part)[:1] == [asked]:
            raise PlaceLostError(self._source.name, "the answer ended early")

    def _halves(self, part: Part, symbols: Sequence[str], tell: Tell) -> None:
        """Ask for each half alone, to find the symbol that spoils the request."""
        middle = len(symbols) // 2
        error: ProviderRefusedError | None = None
        for some in (symbols[:middle], symbols[middle:]):
            try:
                self.fetch(Part(tuple(some), part.start, part.end, part.sessions, part.bars), tell)
            except ProviderRefusedError as refused:
                error = refused
        if error is not None:
            raise error

    def _todo(self, part: Part) -> list[tuple[list[str], datetime, datetime]]:
        """What is missing of a request: symbols that lack the same, and what they lack."""
        alike: dict[Interval, list[str]] = {}
        names, source = part.symbols, self._source.name
        stored = (
            {} if self._again else self._lake.covered_many(names, source, dataset=self._dataset)
        )
        for symbol in names:
            held = [*self._seen.get(symbol, []), *stored.get(symbol, [])]
            for hole in subtract((part.start, part.end), held):
                alike.setdefault(hole, []).append(symbol)
        return [(names, start, end) for (start, end), names in alike.items()]

    def _ask(
        self, symbols: Sequence[str], start: datetime, end: datetime, part: Part, tell: Tell
    ) -> None:
        pages = self._source.pages(symbols, start, end, self._dataset, asof=self._asof)
        believe = self._doubts >= _DOUBTS
        judged = answered(pages, symbols, start, end, after=self._after, believe=believe)
        with _Ahead(judged) as parts:
            for together in _together(parts):
                self._commit(together, part, tell)

    def _commit(self, parts: Sequence[Answered], part: Part, tell: Tell) -> None:
        bars = pl.concat([one.bars for one in parts])
        covered = _joined([piece for one in parts for piece in one.covered])
        refused = pl.concat([one.refused for one in parts])
        fetched = Fetched(self._source.name, bars, covered, self._job_id, refused=refused)
        commit = self._lake.commit_bars(fetched, dataset=self._dataset)
        self._committed(fetched, commit)
        self.count.pages += sum(one.pages for one in parts)
        self._doubts += sum(not one.orderly for one in parts)
        self.count.commits += 1
        self.count.empty -= {*bars["symbol"].unique()}
        for name in ("new", "corrected", "withdrawn", "unchanged", "quarantined"):
            setattr(self.count, name, getattr(self.count, name) + getattr(commit, name))
        for piece in covered:
            self._seen.setdefault(piece.symbol, []).append((piece.start, piece.end))
        newest = covered[-1] if covered else None
        symbol = newest.symbol if newest else (bars["symbol"][-1] if bars.height else "")
        facts = asdict(commit)
        self._log(stage="commit", symbol=symbol, bars=bars.height, pages=len(parts), **facts)
        reached = f" up to {sessions.today(newest.end)}" if newest else ""
        tell(self._done(part), f"{symbol}{reached}", {"symbol": symbol, "bars": self.count.bars})

    def _done(self, part: Part) -> float:
        """How much of a request is answered, in its steps."""
        whole = (part.end - part.start).total_seconds()
        left = sum(
            (end - start).total_seconds()
            for symbol in part.symbols
            for start, end in subtract((part.start, part.end), self._seen.get(symbol, []))
        )
        return part.steps * (1 - left / (whole * len(part.symbols)))


def _joined(covered: Sequence[Covered]) -> tuple[Covered, ...]:
    """The same intervals in the fewest: those of one symbol that touch become one."""
    found: dict[str, list[Covered]] = {}
    for piece in covered:
        mine = found.setdefault(piece.symbol, [])
        if mine and mine[-1].end == piece.start:
            mine[-1] = Covered(piece.symbol, mine[-1].start, piece.end)
        else:
            mine.append(piece)
    return tuple(piece for mine in found.values() for piece in mine)


class _Ahead(Iterator[Answered]):
    """What a request answers, fetched by a thread of its own while the caller commits."""

    def __init__(self, parts: Iterable[Answered]) -> None:
        self._parts = parts
        self._queue: Queue[Answered | BaseException | None] = Queue(_PAGES_AHEAD)
        self._stop = threading.Event()
        # Lines of the log that are written there belong to the same job.
        run = copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), daemon=True, name="fetching")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_LOOK_EVERY * 10)

    def soon(self, seconds: float) -> Answered | None:
        """The next part; None if none comes within some seconds.

        Raises:
            StopIteration: There are no more.
        """
        try:
            return self._opened(self._queue.get(timeout=seconds))
        except Empty:
            return None

    def __next__(self) -> Answered:
        return self._opened(self._queue.get())

    @staticmethod
    def _opened(found: Answered | BaseException | None) -> Answered:
        if found is None:
            raise StopIteration
        if isinstance(found, BaseException):
            raise found
        return found

    def _run(self) -> None:
        try:
            for part in self._parts:
                if not self._put(part):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            self._put(error)

    def _put(self, what: Answered | BaseException | None) -> bool:
        while not self._stop.is_set():
            with suppress(Full):
                self._queue.put(what, timeout=_LOOK_EVERY)
                return True
        return False


def _together(parts: _Ahead) -> Iterator[list[Answered]]:
    """What comes within a second of the first, up to a number of bars; what came before an error too."""
    for first in parts:
        held, until = [first], time.monotonic() + _TOGETHER_SECONDS
        failed: Exception | None = None
        try:
            while sum(one.bars.height for one in held) < _TOGETHER_BARS:
                left = until - time.monotonic()
                found = parts.soon(left) if left > 0 else None
                if found is None:
                    break
                held.append(found)
        except StopIteration:
            yield held
            return
        except Exception as error:  # noqa: BLE001 - raised below, once what came is committed
            failed = error
        yield held
        if failed is not None:
            raise failed
