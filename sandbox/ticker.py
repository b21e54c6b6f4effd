"""What the stream sends when: bars after each minute, recomputed ones half a minute later.

One task follows the sandbox's clock. A bar is sent one second after its minute, an updated one 30
seconds after it if a late trade changed it, the day so far with each minute, a status where a halt
begins or ends. If the clock is set forward by up to an hour everything in between is sent in order;
after a longer jump, and after one backwards, the stream goes on from there.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypedDict

from sandbox.bars import EMPTY_BARS, Bars
from sandbox.calendar import Int64s, nyse
from sandbox.clock import VirtualClock
from sandbox.faults import Faults
from sandbox.malformed import malformed
from sandbox.names import Names
from sandbox.revisions import MINUTE, RECOMPUTED, Revisions
from sandbox.stream import STREAM_FEEDS, Connection, StreamServer
from sandbox.timeframes import day_bar
from sandbox.times import new_york_day
from sandbox.wire import Frame, utc

#: Seconds after its minute that a bar is sent.
COMPUTED = 1
LONGEST_JUMP = 3600
#: How much later the delayed feed shows everything.
DELAYS = {"delayed_sip": 15 * MINUTE}
FAKE = "FAKEPACA"
#: Bars made before others get their turn: a first one makes its symbol's whole session.
SYMBOLS_AT_ONCE = 10
#: Bars in one array at most.
MOST_TOGETHER = 100


class Whose(TypedDict):
    """What tells whether a fault is for a message."""

    symbol: str
    feed: str
    moment: float


@dataclass(frozen=True)
class Told:
    """A message and the channel it belongs to."""

    channel: str
    frame: Frame

    @property
    def symbol(self) -> str:
        """Whose it is."""
        return str(self.frame["S"])


class Ticker:
    """Sends what is due.

    Args:
        revisions: The bars.
        server: Who listens.
        clock: The present.
        faults: What goes wrong on the way.
    """

    def __init__(
        self, revisions: Revisions, server: StreamServer, clock: VirtualClock, faults: Faults
    ) -> None:
        self._revisions, self._server = revisions, server
        self._clock, self._faults = clock, faults
        self._names = Names(revisions.market.listings)
        self._entities: dict[str, str] = {}
        self._late: dict[tuple[int, str], Told] = {}
        self._held: dict[str, tuple[int, Int64s]] = {}
        self._daily = False

    async def run(self) -> None:
        """Follow the clock for ever."""
        done = self._clock()
        while True:
            moment = next_event(done)
            if not await self._clock.reach(moment):
                now = self._clock()
                if now < done or now - done > LONGEST_JUMP:
                    done = now
                continue
            if self._clock() - moment > LONGEST_JUMP:
                done = self._clock()
                continue
            await self.send(moment)
            done = moment
            await asyncio.sleep(0)

    async def send(self, moment: float) -> None:
        """Send what is due at a moment, without keeping others waiting for long."""
        for feed in STREAM_FEEDS:
            listeners = [one for one in self._server.connections if one.feed == feed]
            if not listeners:
                continue
            shown = int(moment) - DELAYS.get(feed, 0)
            self._daily = any(one.channels["dailyBars"] for one in listeners)
            self._entities = {FAKE: FAKE} if feed == "test" else self._names.today(shown)
            told: list[Told] = []
            for number, symbol in enumerate(_wanted(listeners, self._entities), 1):
                told += self._messages(feed, symbol, shown)
                if number % SYMBOLS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            if told:
                self._hand_over(feed, listeners, told, moment)

    def _messages(self, feed: str, symbol: str, moment: int) -> Iterator[Told]:
        second = moment % MINUTE
        if second == COMPUTED:
            yield from self._statuses(feed, symbol, moment - COMPUTED)
            yield from self._after_minute(symbol, feed, moment - COMPUTED - MINUTE, moment)
        elif second == RECOMPUTED:
            yield from self._updated(symbol, feed, moment - RECOMPUTED - MINUTE, moment)

    def _after_minute(self, symbol: str, feed: str, start: int, now: int) -> Iterator[Told]:
        if symbol == FAKE:
            yield Told("bars", fake_bar(start))
            return
        bars, broken = self._seen(symbol, feed, start, now)
        row = _row(bars, start)
        if row is None:
            return
        yield Told("bars", frame("b", symbol, bars, row, broken.get(start)))
        daily = day_bar(bars, new_york_day(start)) if self._daily else EMPTY_BARS
        if len(daily):
            yield Told("dailyBars", frame("d", symbol, daily, 0, None))

    def _updated(self, symbol: str, feed: str, start: int, now: int) -> Iterator[Told]:
        if symbol == FAKE or not self._trades(symbol, start):
            return
        day, market_feed = new_york_day(start), STREAM_FEEDS[feed]
        history = self._revisions.history(self._entities[symbol], market_feed, day)
        row = _row(history.final, start)
        if row is None or not history.late_trade[row] or history.appears[row] > now:
            return
        bars, broken = self._seen(symbol, feed, start, now)
        row = _row(bars, start)
        if row is not None:
            yield Told("updatedBars", frame("u", symbol, bars, row, broken.get(start)))

    def _seen(self, symbol: str, feed: str, start: int, now: int) -> tuple[Bars, dict[int, str]]:
        day = new_york_day(start)
        if not self._trades(symbol, start):
            return EMPTY_BARS, {}
        seen = self._revisions.at(self._entities[symbol], STREAM_FEEDS[feed], day, now)
        return seen.bars, seen.broken

    def _trades(self, symbol: str, start: int) -> bool:
        """Whether a minute lies in a session of a symbol."""
        day = new_york_day(start)
        row = nyse().index(day)
        if row is None or not nyse().pre_open[row] <= start < nyse().post_close[row]:
            return False
        known = self._held.get(symbol)
        if known is None or known[0] != day:
            known = day, self._revisions.market.days(self._entities[symbol])
            self._held[symbol] = known
        days = known[1]
        place = int(days.searchsorted(day))
        return place < len(days) and int(days[place]) == day

    def _statuses(self, feed: str, symbol: str, over: int) -> Iterator[Told]:
        halt = self._faults.get("halt")
        if halt is None or not halt.is_for(symbol, STREAM_FEEDS[feed]):
            return
        begins, ends = int(halt.start) // MINUTE * MINUTE, int(halt.end) // MINUTE * MINUTE + MINUTE
        if over in {begins, ends}:
            yield Told("statuses", status(symbol, over, halted=over == begins))

    def _hand_over(
        self, feed: str, listeners: list[Connection], told: list[Told], moment: float
    ) -> None:
        """Give every listener its messages, less or more than they should be where a fault says so."""
        minute = int(moment) // MINUTE
        if int(moment) % MINUTE == COMPUTED:
            if self._faults.strikes("stream_drop", minute, feed=feed, moment=moment):
                for listener in listeners:
                    listener.abort()
                return
            mute = self._faults.strikes("stream_mute", minute, feed=feed, moment=moment)
            for listener in listeners if mute else ():
                listener.muted = moment + (mute.seconds if mute else 0)
        sent = self._disturbed(feed, told, moment)
        for listener in listeners:
            if moment < listener.muted:
                continue
            mine = [one.frame for one in sent if listener.wants(one.channel, one.symbol)]
            for begin in range(0, len(mine), MOST_TOGETHER):
                listener.offer(mine[begin : begin + MOST_TOGETHER])

    def _disturbed(self, feed: str, told: list[Told], moment: float) -> list[Told]:
        """Messages as they are sent: some twice, some not, some with the next minute's."""
        strikes, minute = self._faults.strikes, int(moment) // MINUTE
        sent: list[Told] = []
        for one in told:
            bar = one.channel in {"bars", "updatedBars"}
            what = one.channel, minute
            whose: Whose = {"symbol": one.symbol, "feed": feed, "moment": moment}
            if bar and strikes("stream_skip", *what, **whose):
                continue
            if one.channel == "bars" and strikes("stream_disorder", *what, **whose):
                self._late[minute, f"{feed} {one.symbol}"] = one
                continue
            sent.append(one)
            if bar and strikes("stream_duplicate", *what, **whose):
                sent.append(one)
        due = [key for key in self._late if key[0] < minute and key[1].startswith(f"{feed} ")]
        return sent + [self._late.pop(key) for key in due]


def next_event(done: float) -> int:
    """The first moment after another at which something may be due."""
    minute = int(done // MINUTE) * MINUTE
    return next(
        at
        for at in (minute + COMPUTED, minute + RECOMPUTED, minute + MINUTE + COMPUTED)
        if at > done
    )


def frame(kind: str, symbol: str, bars: Bars, row: int, rule: str | None) -> Frame:
    """A bar in the protocol, spoilt if it breaks a rule."""
    bar = {
        "T": kind,
        "S": symbol,
        "o": float(bars.open[row]),
        "h": float(bars.high[row]),
        "l": float(bars.low[row]),
        "c": float(bars.close[row]),
        "v": bars.volume[row].item(),
        "t": utc(int(bars.time[row])),
        "n": int(bars.count[row]),
        "vw": float(bars.vwap[row]),
    }
    if rule == "misaligned":
        return bar | {"t": utc(int(bars.time[row]) + MINUTE // 2)}
    return bar if rule is None else malformed(bar, rule)


def status(symbol: str, moment: int, *, halted: bool) -> Frame:
    """A halt's begin or end in the protocol."""
    names = (
        ("H", "Trading Halt", "T1", "News Pending")
        if halted
        else ("T", "Trading Resumption", "", "")
    )
    code, text, reason, why = names
    return {
        "T": "s", "S": symbol, "sc": code, "sm": text, "rc": reason, "rm": why,
        "t": utc(moment), "z": "C",
    }  # fmt: skip


def fake_bar(start: int) -> Frame:
    """The bar of the symbol that trades at any hour."""
    price = 100 + start // MINUTE % 60 / 100
    return {
        "T": "b", "S": FAKE, "o": price, "h": price + 0.02, "l": price - 0.02, "c": price + 0.01,
        "v": 1000, "t": utc(start), "n": 10, "vw": price,
    }  # fmt: skip


def _row(bars: Bars, start: int) -> int | None:
    place = int(bars.time.searchsorted(start))
    return place if place < len(bars) and int(bars.time[place]) == start else None


def _wanted(listeners: list[Connection], known: Iterable[str]) -> list[str]:
    """The symbols somebody listens to, those of the market only."""
    asked: set[str] = set()
    for listener in listeners:
        asked = asked.union(*listener.channels.values())
    return [symbol for symbol in known if "*" in asked or symbol in asked]
