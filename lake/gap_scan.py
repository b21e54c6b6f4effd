"""The gap scanner: each regular minute of a series is present, or absent for a reason with a name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lake import absences, gap_memory, presence
from lake.absences import (
    ABSENT,
    CLASSES,
    NOT_FETCHED,
    OUTSIDE,
    PRESENT,
    Array,
    Grid,
    Peers,
    Usual,
    micros,
)
from lake.coverage import Interval, merge
from lake.datasets import check_dataset
from lake.gap_memory import Memory
from lake.halts import halts_of
from lake.instruments import lifespans as known_lifespans
from lake.presence import MINUTE, Days, Lifespan
from lake.schema import UTC_TIME, check_symbol
from lake.sessions import Moment

if TYPE_CHECKING:
    from lake.store import Lake

#: Days on either side that a judgement looks at: 20 sessions and then some.
_CONTEXT = timedelta(days=35)
#: Where few symbols are scanned, the source's largest ones are asked too what they have.
_FELLOWS = 8
_TOGETHER = 25

#: By symbol: sessions that were asked for again just now, and whether the answer was complete.
Answers = Mapping[str, Mapping[date, bool]]


@dataclass(frozen=True)
class Scan:
    """What one series has and lacks, minute by minute.

    Attributes:
        key: Dataset, source and symbol.
        days: The sessions.
        codes: What each minute is, by :mod:`lake.absences`.
        memory: How often each was answered and asked for again.
        stored: What the newest stored scan says.
    """

    key: tuple[str, str, str]
    days: Days
    codes: Array
    memory: Memory
    stored: pl.DataFrame

    @property
    def symbol(self) -> str:
        """Whose."""
        return self.key[2]

    @cached_property
    def counts(self) -> pl.DataFrame:
        """A row a session: ``session_date``, ``expected``, ``present`` and a column for each class."""
        numbered = {"present": PRESENT} | {
            name: ABSENT + place for place, name in enumerate(CLASSES)
        }
        told = {
            name: (self.codes == code).sum(axis=1).astype(np.int64)
            for name, code in numbered.items()
        }
        expected = (self.codes != OUTSIDE).sum(axis=1).astype(np.int64)
        dates = pl.Series(self.days.dates, dtype=pl.Date)
        frame = pl.DataFrame({"session_date": dates, "expected": expected, **told})
        return frame.filter(pl.col("expected") > 0)

    @cached_property
    def holes(self) -> pl.DataFrame:
        """A row a hole: ``session_date start end class fetched asked asked_at``; see ``absences`` in docs."""
        return gap_memory.holes_of(self.days, self.codes, self.memory)

    @property
    def minutes(self) -> dict[str, int]:
        """The sums of :attr:`counts`, by column."""
        return {name: int(self.counts[name].sum()) for name in ("expected", "present", *CLASSES)}

    @property
    def holes_told(self) -> pl.DataFrame:
        """The holes as the view ``absences`` shows them: with ``minutes`` (null for days), never asked as null."""
        minute = (pl.col("end") - pl.col("start")).dt.total_minutes()
        asked_at = pl.col("asked_at")
        return self.holes.select(
            "session_date",
            "start",
            "end",
            minutes=minute if self.key[0] == "bars_1m" else pl.lit(None, pl.Int64),
            **{name: pl.col(name) for name in ("class", "fetched", "asked")},
            asked_at=pl.when(asked_at > pl.lit(0).cast(UTC_TIME)).then(asked_at),
        )

    def due(self, now: datetime, edge: datetime | None = None) -> dict[date, bool]:
        """The sessions that are worth being asked for, in order, and whether they were fetched before.

        Args:
            now: When they would be asked for.
            edge: Up to when the source can answer; sessions that end later wait.
        """
        worth = absences.due(self.codes, self.memory.asked, self.memory.asked_at, now)
        worth &= ~absences.unwanted(self.codes)[:, None]
        again = (worth & (self.codes != NOT_FETCHED)).any(axis=1)
        ends = self.days.opens + self.days.lengths * MINUTE
        final = ends <= (micros(edge) if edge else ends)
        return {
            self.days.dates[row]: bool(again[row])
            for row in np.flatnonzero(worth.any(axis=1) & final)
        }

    def fresh(self, before: datetime) -> pl.DataFrame:
        """Rows for ``gap_scans``: sessions that ended before a moment and are not stored like that."""
        last = self.days.opens + self.days.lengths * MINUTE
        over = [
            day for day, end in zip(self.days.dates, last, strict=True) if end <= micros(before)
        ]
        counts = self.counts.filter(pl.col("session_date").is_in(over))
        holes = self.holes.filter(pl.col("session_date").is_in(over))
        return gap_memory.changed(gap_memory.rows_of(self.key, counts, holes), self.stored)


@dataclass(frozen=True)
class _Series:
    """One series as it was read."""

    grid: Grid
    habit: Usual
    memory: Memory
    stored: pl.DataFrame


def scan(
    lake: "Lake",
    symbols: Sequence[str],
    source: str,
    *,
    dataset: str = "bars_1m",
    start: Moment = None,
    end: Moment = None,
    lifespans: Mapping[str, Lifespan] | None = None,
    answers: Answers | None = None,
    now: datetime | None = None,
) -> Iterator[Scan]:
    """Name every regular minute of some series of one source.

    Args:
        lake: Read only.
        symbols: Tickers in capitals.
        source: Provider and feed.
        dataset: ``bars_1m``, or ``bars_daily``, where a day is one minute.
        start: As for :meth:`lake.Lake.bars`; without one from the first fetched moment of each.
        end: As ``start``; without one to the last fetched moment.
        lifespans: When papers were listed (inside) and delisted (outside), by symbol; None: as the
            lake's instruments tell.
        answers: Sessions that were asked for again just now, for the memory.
        now: When; the lake's clock by default.

    Yields:
        One scan a symbol that was fetched or asked about.
    """
    if lifespans is None:
        lifespans = known_lifespans(lake, source, symbols)
    scanner = _Scanner(lake, source, check_dataset(dataset).name, lifespans)
    yield from scanner.scan([*symbols], (start, end), answers or {}, now or lake.now)


def look(
    lake: "Lake",
    symbol: str,
    source: str | None = None,
    *,
    dataset: str = "bars_1m",
    start: Moment = None,
    end: Moment = None,
    lifespan: Lifespan | None = None,
) -> Scan | None:
    """The scan of one symbol; None where nothing of it was fetched and no range is named.

    Raises:
        BarsMissingError: No source is named and the lake has no bars of the symbol.
    """
    ticker = check_symbol(symbol)
    chosen = source or lake.source_of(ticker, dataset=dataset)
    found = scan(
        lake,
        [ticker],
        chosen,
        dataset=dataset,
        start=start,
        end=end,
        lifespans=None if lifespan is None else {ticker: lifespan},
    )
    return next(found, None)


class _Scanner:
    """Reads series of one source over the same sessions."""

    def __init__(
        self, lake: "Lake", source: str, dataset: str, lifespans: Mapping[str, Lifespan]
    ) -> None:
        self._lake, self._source, self._dataset = lake, source, dataset
        self._lifespans = lifespans
        self._fetches: dict[str, list[tuple[datetime, datetime, datetime]]] = {}
        self._spans: dict[str, list[Interval]] = {}

    def scan(
        self, symbols: list[str], ends: tuple[Moment, Moment], answers: Answers, now: datetime
    ) -> Iterator[Scan]:
        peers = self._peers_of(symbols)
        self._load_coverage([*dict.fromkeys([*symbols, *peers])])
        ranges = {
            name: presence.range_of(self._lake, self._dataset, *ends, self._spans[name])
            for name in symbols
        }
        ranges = {name: (low, high) for name, (low, high) in ranges.items() if low < high}
        if not ranges:
            return
        low = min(low for low, _ in ranges.values()) - _CONTEXT
        high = min(max(high for _, high in ranges.values()) + _CONTEXT, now)
        days = presence.days_of(self._lake, self._dataset, low, high)
        if not days.dates:
            return
        crowd = self._crowd(peers, days, now)
        names = [*ranges]
        for first in range(0, len(names), _TOGETHER):
            some = names[first : first + _TOGETHER]
            for name, series in self._read(some, days, now, answers):
                yield self._named(name, series, days, ranges[name], crowd, name in peers)

    def _named(
        self,
        name: str,
        series: _Series,
        days: Days,
        ends: tuple[datetime, datetime],
        crowd: Peers,
        among: bool,  # noqa: FBT001 - of the peers itself
    ) -> Scan:
        peers = _without(crowd, series) if among else crowd
        codes = absences.classify(series.grid, absences.missing(series.grid, series.habit, peers))
        wanted = presence.expected(days, *ends, lifespan=self._lifespan(name))
        codes[~wanted] = OUTSIDE
        key = (self._dataset, self._source, name)
        return Scan(key, days, codes, series.memory, series.stored)

    def _read(
        self, symbols: Sequence[str], days: Days, now: datetime, answers: Answers
    ) -> Iterator[tuple[str, _Series]]:
        stored = gap_memory.load(self._lake, self._dataset, self._source, symbols, days)
        halts = halts_of(self._lake, self._source, symbols)
        for name in symbols:
            memory = gap_memory.remembered(stored[name], days)
            memory = memory.asking(days, answers.get(name, {}), now)
            covered = days.opening_in(self._spans[name])
            at = np.where(covered, self._answered_at(name, days)[:, None], 0)
            memory = Memory(
                memory.codes,
                np.where(covered, np.maximum(memory.fetched, 1), 0),
                memory.asked,
                np.maximum(memory.asked_at, at),
            )
            held = presence.present(self._lake, name, self._source, self._dataset, days)
            grid = self._grid(name, days, now, held, memory.fetched, halts[name])
            yield name, _Series(grid, absences.usual(grid), memory, stored[name])

    def _grid(
        self,
        name: str,
        days: Days,
        now: datetime,
        held: Array,
        fetched: Array,
        halts: Sequence[tuple[datetime, datetime | None]],
    ) -> Grid:
        first = days.dates[0]
        every = presence.expected(
            days,
            datetime.combine(first, datetime.min.time(), now.tzinfo),
            now,
            lifespan=self._lifespan(name),
        )
        return Grid(every, held & every, fetched, presence.halted(days, halts, held))

    def _crowd(self, peers: Sequence[str], days: Days, now: datetime) -> Peers:
        """How many liquid symbols the source answered about in each minute, and how many lack it."""
        liquid, lacking = (np.zeros(days.minutes.shape, np.int32) for _ in range(2))
        halts = halts_of(self._lake, self._source, peers)
        for name in peers:
            held = presence.present(self._lake, name, self._source, self._dataset, days)
            fetched = days.opening_in(self._spans[name]).astype(np.int64)
            grid = self._grid(name, days, now, held, fetched, halts[name])
            habit = absences.usual(grid)
            liquid += habit.liquid & grid.told
            lacking += habit.liquid & grid.lacking
        return Peers(liquid, lacking)

    def _peers_of(self, symbols: Sequence[str]) -> list[str]:
        """The symbols scanned; where they are few, the source's largest ones as well."""
        if len(symbols) > _FELLOWS:
            return [*symbols]
        listed = self._lake.symbols(dataset=self._dataset)
        largest = listed.filter(pl.col("source") == self._source).sort("bars", descending=True)
        return [*dict.fromkeys([*symbols, *largest["symbol"].head(_FELLOWS)])]

    def _load_coverage(self, symbols: list[str]) -> None:
        with self._lake.reading() as connection:
            rows = connection.execute(
                """SELECT symbol, "start", "end", recorded_at FROM coverage
                   WHERE dataset = ? AND source = ? AND symbol IN (SELECT unnest(?))""",
                [self._dataset, self._source, symbols],
            ).fetchall()
        self._fetches = {name: [] for name in symbols}
        for name, low, high, at in rows:
            self._fetches[name].append((low, high, at))
        self._spans = {
            name: merge((low, high) for low, high, _ in fetches)
            for name, fetches in self._fetches.items()
        }

    def _answered_at(self, name: str, days: Days) -> Array:
        """When the last part of each session was first answered (microseconds since 1970)."""
        found = np.zeros(len(days.dates), np.int64)
        ends = days.opens + days.lengths * MINUTE
        for low, high, at in self._fetches[name]:
            first = np.searchsorted(ends, micros(low), side="right")
            last = np.searchsorted(days.opens, micros(high), side="left")
            found[first:last] = np.maximum(found[first:last], micros(at))
        return found

    def _lifespan(self, name: str) -> Lifespan:
        return self._lifespans.get(name, (None, None))


def _without(crowd: Peers, series: _Series) -> Peers:
    own, lacks = series.habit.liquid & series.grid.told, series.habit.liquid & series.grid.lacking
    return Peers(crowd.liquid - own, crowd.lacking - lacks)
