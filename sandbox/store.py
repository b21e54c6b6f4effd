"""Bars of any timeframe and adjustment as ready text, session by session, kept while they fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sandbox.actions import adjustment_factors
from sandbox.bars import EMPTY_BLOCK, Bars, Block, encode_each
from sandbox.calendar import Int64s, over_at
from sandbox.config import Clock
from sandbox.malformed import spoil
from sandbox.market import Action, ByteCache
from sandbox.revisions import NEVER, Revisions
from sandbox.timeframes import (
    ONE_MINUTE,
    Timeframe,
    day_bar,
    first_days,
    roll_days,
    roll_session,
)
from sandbox.times import date_of, new_york_day

CACHE_BYTES = 256 << 20
#: Blocks made in one go; more rows than about a page would be made in vain.
MOST_AT_ONCE = 16
ROWS_A_SESSION = 700

#: Symbol, feed, timeframe, first and last day, factors of price and volume, faults' generation.
Key = tuple[str, str, Timeframe, int, int, tuple[float, float], int]


@dataclass(frozen=True)
class View:
    """Which bars: everything but symbol and range.

    ``adjustments`` is a set of ``split`` and ``dividend``; empty means raw.
    """

    timeframe: Timeframe
    feed: str = "sip"
    adjustments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Slice:
    """Rows ``start`` to ``end`` (outside) of a block; at least one."""

    block: Block
    start: int
    end: int


@dataclass(frozen=True)
class Made:
    """Bars of a unit, the rules they break, and from when to before when they are these."""

    bars: Bars
    broken: dict[int, str]
    since: float
    until: float


@dataclass(frozen=True)
class Held:
    """A block and when it may be served."""

    block: Block
    since: float
    until: float


class BarStore:
    """The bars of a market up to the present.

    Args:
        revisions: What minutes and days are when.
        clock: The present: a minute is served once it is over, the day that runs as its minutes so far.
    """

    def __init__(self, revisions: Revisions, clock: Clock) -> None:
        self.revisions, self.market, self.clock = revisions, revisions.market, clock
        self._blocks: ByteCache[Key, Held] = ByteCache(CACHE_BYTES, lambda held: held.block.size)
        self._actions: dict[str, tuple[Action, ...]] = {}
        for action in self.market.actions:
            self._actions[action.symbol] = (*self._actions.get(action.symbol, ()), action)
        self._close_before = lru_cache(maxsize=10_000)(self._find_close_before)

    def slices(
        self, symbol: str, view: View, first: int, last: int, *, newest_first: bool, rows: int
    ) -> Iterator[Slice]:
        """The bars of a symbol that open from ``first`` to ``last``, both inside.

        Args:
            symbol: Whose; an unknown one has no bars.
            view: Which.
            first: Seconds since 1970.
            last: Seconds since 1970.
            newest_first: The order of the slices; rows within one stay in order of time.
            rows: About how many will be taken, so that as much is prepared at once.
        """
        days, edges = self._units(symbol, view.timeframe, first, last)
        order = range(len(edges) - 1)
        order = order[::-1] if newest_first else order
        at_once = min(MOST_AT_ONCE, rows // ROWS_A_SESSION + 1)
        position = 0
        while position < len(order):
            chunk = order[position : position + at_once]
            units = [days[edges[unit] : edges[unit + 1]] for unit in chunk]
            for block in self._make(symbol, view, units):
                start, end = np.searchsorted(block.time, (first, last + 1)).tolist()
                if end > start:
                    yield Slice(block, start, end)
            position += at_once
            at_once = min(2 * at_once, MOST_AT_ONCE)

    def latest(self, symbol: str, feed: str) -> bytes | None:
        """The text of the newest minute bar, None if there is none."""
        now, view = int(self.clock()), View(ONE_MINUTE, feed)
        for found in self.slices(symbol, view, 0, now, newest_first=True, rows=1):
            return found.block.cut(found.end - 1, found.end)
        return None

    def happened(self, symbol: str) -> tuple[Action, ...]:
        """The corporate actions of a symbol that have gone ex by now."""
        today = date_of(new_york_day(self.clock()))
        return tuple(a for a in self._actions.get(symbol, ()) if a.ex_date <= today)

    def _units(
        self, symbol: str, timeframe: Timeframe, first: int, last: int
    ) -> tuple[Int64s, list[int]]:
        """Days, and where the days of each bar begin (of each session, if it has several bars)."""
        market = self.market
        days = market.days(symbol) if timeframe.is_intraday else market.daily_days(symbol)
        days = days[: np.searchsorted(days, new_york_day(self.clock()), side="right")]
        labels = first_days(days, timeframe)
        low, high = new_york_day(max(first, 0)), new_york_day(max(last, 0))
        begin, end = np.searchsorted(labels, low), np.searchsorted(labels, high, side="right")
        days, labels = days[begin:end], labels[begin:end]
        starts = np.flatnonzero(np.diff(labels, prepend=-1))
        return days, [*starts.tolist(), len(days)]

    def _make(self, symbol: str, view: View, units: list[Int64s]) -> list[Block]:
        """A block for each unit, from the cache or made together."""
        now = self.clock()
        actions = self.happened(symbol) if view.adjustments else ()
        keys = [self._key(symbol, view, unit, actions) for unit in units]
        found = [self._held(key, now) for key in keys]
        missing = [row for row, block in enumerate(found) if block is None]
        if missing:
            made = [self._bars(keys[row], view, units[row], actions, now) for row in missing]
            blocks = encode_each([one.bars for one in made])
            for row, one, block in zip(missing, made, blocks, strict=True):
                ready = spoil(block, one.broken) if one.broken else block
                found[row] = ready
                if one.since <= now < one.until:
                    self._blocks.put(keys[row], Held(ready, one.since, one.until))
        return [block or EMPTY_BLOCK for block in found]

    def _held(self, key: Key, now: float) -> Block | None:
        held = self._blocks.get(key)
        return held.block if held and held.since <= now < held.until else None

    def _key(self, symbol: str, view: View, unit: Int64s, actions: tuple[Action, ...]) -> Key:
        factors = self._factors(view, int(unit[0]), actions)
        ends = int(unit[0]), int(unit[-1])
        generation = self.revisions.faults.generation
        return symbol, view.feed, view.timeframe, *ends, factors, generation

    def _factors(self, view: View, day: int, actions: tuple[Action, ...]) -> tuple[float, float]:
        if not actions:
            return 1.0, 1.0
        return adjustment_factors(actions, date_of(day), view.adjustments, self._close_before)

    def _bars(
        self, key: Key, view: View, unit: Int64s, actions: tuple[Action, ...], now: float
    ) -> Made:
        symbol, feed, timeframe = key[:3]
        first, last = int(unit[0]), int(unit[-1])
        if timeframe.is_intraday:  # whose unit is one day
            seen = self.revisions.at(symbol, feed, first, now)
            bars = seen.bars.adjusted(*self._factors(view, first, actions))
            broken = seen.broken if timeframe.is_raw else {}
            rolled = roll_session(bars, timeframe, first)
            return Made(rolled, broken, seen.since, seen.until)
        days = [
            self._day(symbol, feed, day, now).adjusted(*self._factors(view, day, actions))
            for day in unit.tolist()
        ]
        since = over_at(last)
        whole = roll_days(days, int(first_days(unit[:1], timeframe)[0]))
        return Made(whole, {}, since, NEVER)  # before then it may still grow and is not kept

    def _day(self, symbol: str, feed: str, day: int, now: float) -> Bars:
        """The daily bar; of a day that is not over, what its minutes make so far."""
        if now >= over_at(day):
            return self.market.daily(symbol, feed, day)
        return day_bar(self.revisions.at(symbol, feed, day, now).bars, day)

    def _find_close_before(self, action: Action) -> float | None:
        days = self.market.daily_days(action.symbol)
        ex_day = np.datetime64(action.ex_date, "D").astype(np.int64)
        for day in days[: np.searchsorted(days, ex_day)][::-1].tolist():
            bar = self._day(action.symbol, "sip", day, self.clock())
            if len(bar):
                return float(bar.close[0])
        return None
