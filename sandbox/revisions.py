"""What a bar was when: the first value, the recomputed one, and what faults make of it.

A bar appears with the end of its minute. With a late trade it is computed anew half a minute later:
before that it lacks the trade. Faults let a bar appear later, correct it later, or break a rule.
REST, stream and truth all read from here, so that they never contradict each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sandbox.bars import Bars, Float64s
from sandbox.calendar import Int64s
from sandbox.faults import MALFORMED, MINUTES_A_DAY, Fault, Faults
from sandbox.levels import stream
from sandbox.market import Market
from sandbox.times import midnight

MINUTE = 60
#: A bar is computed anew so many seconds after its minute.
RECOMPUTED = 30
NEVER = float("inf")
#: Seconds after the minute that a fault lasts if it is not told; the others last for ever.
DELAYS = {"late_bar": 600.0, "late_correction": 86_400.0}
#: Sessions of symbols whose history is kept.
HELD_DAYS = 1024

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Seen(NamedTuple):
    """A session's bars as they are at a moment; the same from ``since`` to before ``until``.

    ``broken`` has the rule that a bar breaks, by its opening; such a bar is in ``bars`` too.
    """

    bars: Bars
    broken: dict[int, str]
    since: float
    until: float


@dataclass(frozen=True)
class History:
    """A session's bars and when each is what; every column has a row for each bar.

    Args:
        final: The values in the end.
        appears: When the bar is first served; infinite for never.
        late_trade: Whether it is another one until half a minute after its minute.
        corrected: Until when it is another one; minus infinity for never.
        rule: Which of :data:`MALFORMED` it breaks; -1 for none.
        mended: Until when it breaks the rule.
    """

    final: Bars
    appears: Float64s
    late_trade: Mask
    corrected: Float64s
    rule: Int64s
    mended: Float64s

    @property
    def recomputed(self) -> Float64s:
        """When a late trade is counted."""
        return self.final.time.astype(np.float64) + (MINUTE + RECOMPUTED)

    def at(self, now: float) -> Seen:
        """What a moment sees."""
        bars = self.final
        bars = before_correction(bars, now < self.corrected)
        bars = before_late_trade(bars, self.late_trade & (now < self.recomputed))
        there = self.appears <= now
        wrong = np.flatnonzero(there & (self.rule >= 0) & (now < self.mended))
        broken = {int(bars.time[row]): MALFORMED[int(self.rule[row])] for row in wrong}
        if not there.all():
            bars = Bars(*(column[there] for column in bars.columns()))  # type: ignore[arg-type]
        return Seen(bars, broken, *self._valid(now))

    def _valid(self, now: float) -> tuple[float, float]:
        moments = np.concatenate(
            (
                self.appears,
                self.recomputed[self.late_trade],
                self.corrected,
                self.mended[self.rule >= 0],
            )
        )
        past, future = moments[moments <= now], moments[moments > now]
        since = float(past.max()) if len(past) else -NEVER
        return since, float(future.min()) if len(future) else NEVER


class Revisions:
    """The bars of a market as moments see them.

    Args:
        market: The final values.
        faults: What goes wrong with them.
        late_trades: Which part of the bars is computed anew for a late trade.
        seed: Chooses them.
    """

    def __init__(self, market: Market, faults: Faults, late_trades: float, seed: int) -> None:
        self.market, self.faults = market, faults
        self._late_trades, self._seed = late_trades, seed
        self._history = lru_cache(maxsize=HELD_DAYS)(self._make)

    def at(self, symbol: str, feed: str, day: int, now: float) -> Seen:
        """A session's bars at a moment; ``day`` is one of the market's days of the symbol."""
        if not self.faults.of_bars and now >= (quiet := midnight(day + 1) + MINUTE + RECOMPUTED):
            return Seen(self.market.minutes(symbol, feed, day), {}, quiet, NEVER)
        return self.history(symbol, feed, day).at(now)

    def history(self, symbol: str, feed: str, day: int) -> History:
        """What a session's bars are when; ``day`` is one of the market's days of the symbol."""
        return self._history(symbol, feed, day, self.faults.generation)

    def _make(self, symbol: str, feed: str, day: int, _: int) -> History:
        final = self.market.minutes(symbol, feed, day)
        dice = stream(self._seed, "late trade", symbol, feed, day).random(MINUTES_A_DAY)
        minute = (final.time - midnight(day)) // MINUTE
        history = History(
            final=final,
            appears=final.time.astype(np.float64) + MINUTE,
            late_trade=(dice[minute] < self._late_trades) & (final.count > 1) & (final.volume > 1),
            corrected=np.full(len(final), -NEVER),
            rule=np.full(len(final), -1, np.int64),
            mended=np.full(len(final), NEVER),
        )
        for fault, hit in self._hits(symbol, feed, day, final.time, minute):
            history = _spoil(history, fault, hit)
        return history

    def _hits(
        self, symbol: str, feed: str, day: int, time: Int64s, minute: Int64s
    ) -> Iterator[tuple[Fault, Mask]]:
        for fault in self.faults.of_bars:
            if fault.is_for(symbol, feed):
                dice = self.faults.minutes_hit(fault, symbol, feed, day)[minute]
                yield fault, (dice < fault.rate) & (time >= fault.start) & (time <= fault.end)


def before_late_trade(bars: Bars, which: Mask) -> Bars:
    """The bars without the last trade counted: it made the high in every second minute, else the low."""
    if not which.any():
        return bars
    share = np.maximum(bars.volume // np.maximum(bars.count, 1), 1)
    even = (bars.time // MINUTE) % 2 == 0
    top, bottom = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    high = np.where(which & even, top, bars.high)
    low = np.where(which & ~even, bottom, bars.low)
    return replace(
        bars,
        high=high,
        low=low,
        volume=np.where(which, np.maximum(bars.volume - share, 1), bars.volume),
        count=np.where(which, bars.count - 1, bars.count),
        vwap=np.where(which, np.round(np.clip(bars.vwap, low, high), 6), bars.vwap),
    )


def before_correction(bars: Bars, which: Mask) -> Bars:
    """The bars with one trade more, that was busted later: it made the high."""
    if not which.any():
        return bars
    return replace(
        bars,
        high=np.where(which, np.round(bars.high * 1.01 + 0.01, 2), bars.high),
        volume=np.where(which, bars.volume + 100, bars.volume),
        count=np.where(which, bars.count + 1, bars.count),
    )


def _spoil(history: History, fault: Fault, hit: Mask) -> History:
    """A history with a fault in the bars that are hit; of two rules broken the first counts."""
    over = history.final.time.astype(np.float64) + MINUTE
    if fault.name in {"hole", "halt"}:
        return replace(history, appears=np.where(hit, NEVER, history.appears))
    if fault.at is not None:
        moment = np.maximum(over, fault.at)
    else:
        usual = DELAYS.get(fault.name, NEVER)
        moment = over + (usual if fault.delay is None else fault.delay)
    if fault.name == "late_bar":
        return replace(
            history, appears=np.where(hit, np.maximum(moment, history.appears), history.appears)
        )
    if fault.name == "late_correction":
        return replace(history, corrected=np.where(hit, moment, history.corrected))
    fresh = hit & (history.rule < 0)
    return replace(
        history,
        rule=np.where(fresh, MALFORMED.index(fault.name), history.rule),
        mended=np.where(fresh, moment, history.mended),
    )
