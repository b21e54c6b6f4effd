"""The live agent itself: decides each second what to do, commits what came, and tells how it is."""

import queue
import threading
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from agents.live.asking import Asked, Asker
from agents.live.catching import Catcher
from agents.live.clock import MarketClock
from agents.live.halting import Halts
from agents.live.hours import Hours, hours
from agents.live.lease import Lease
from agents.live.pulse import LivePulse
from agents.live.watched import Watched
from agents.live.words import Word, Words
from agents.sources import Heard, Log, Stream, Trouble
from agents.telling import tell_bars
from lake import BAR_SCHEMA, Fetched, Lake
from lake.errors import LakeError
from lake.journal import Journal, alerts, switches

Duty = Literal["paused", "waiting", "resting", "listening"]

#: Bars wait so long for others before they are committed together.
_TOGETHER = 1.0
#: Seconds between two looks at the switch.
_SWITCH_EVERY = 2.0
#: Seconds without a connection, or without its list of symbols, after which REST is asked instead.
_GRACE = 8.0
#: Trouble that lasts so long is an error that people are told of; what is final is one at once.
_PATIENCE = 30.0
#: Minutes (of the market) without a bar after which REST is asked whether there were any.
_SILENT = timedelta(seconds=150)
#: Seconds of silence that are none, however fast the market's clock is: its sender may be busy.
_DEAF = 5.0
#: A bar that REST has is also on the stream so long after its minute.
_SENT = timedelta(seconds=30)
#: What was told while it connected, and a bar that was under way.
_OVERLAP = timedelta(minutes=2)
#: Seconds after which a refused stream is tried again: by kind.
_TRY_AGAIN = {"keys": 60.0, "plan": 3600.0, "symbols": 3600.0}
#: By then every feed's last minutes are final.
_FINAL_AFTER = timedelta(minutes=20)
_LAST_TRIES = 3
_NONE = pl.DataFrame(schema=BAR_SCHEMA)


@dataclass(frozen=True)
class Means:
    """What a live agent works with.

    Attributes:
        lake: Where bars go.
        journal: Where switches are and problems are told.
        source: Name of the series' source.
        watched: Whom to listen to.
        stream: Tells bars; None: REST is asked instead.
        lease: Says whether this is the one that listens.
        clock: The market's.
        asker: Asks REST for the newest minutes.
        catcher: Fills the ledger.
        pulse: The heartbeat.
        always: Listen at any hour.
        log: Takes one structured line.
    """

    lake: Lake
    journal: Journal
    source: str
    watched: Watched
    stream: Stream | None
    lease: Lease
    clock: MarketClock
    asker: Asker
    catcher: Catcher
    pulse: LivePulse
    always: bool
    log: Log


class LiveAgent:
    """Listens while it may. One thread calls :meth:`run`; :meth:`take` is safe from any."""

    def __init__(self, means: Means, asked: "queue.SimpleQueue[Asked]") -> None:
        self._means, self._asked = means, asked
        self._watched = frozenset(means.watched.symbols)
        self._words, self._halts = Words(), Halts(means.lake, means.source)
        self._pending = _NONE
        self._pending_halts: list[pl.DataFrame] = []
        self._due = 0.0
        self._switch, self._switch_read = "running", 0.0
        self._open = False
        self._connects = 0
        self._told: frozenset[str] = frozenset()  # of a connection that was noticed
        self._apart_since = time.monotonic()
        self._try_again = 0.0
        self._heard_at: datetime | None = None  # market's time of the last bar or connection
        self._doubted_at: datetime | None = None
        self._final_at: datetime | None = None
        self._counts = {"bars": 0, "updates": 0, "connects": 0}
        self._store_problem: str | None = None
        self._seen: tuple[str | None, float] = None, 0.0
        self._alarm: str | None = ""  # what an earlier process has raised is settled too

    def run(self, stop: threading.Event) -> None:
        """Work until it is stopped; then commit what came, and leave in good order."""
        self._prefer()
        try:
            while not stop.is_set():
                self.turn(stop)
        finally:
            self._finish()

    def turn(self, stop: threading.Event) -> None:
        """One round of about a second."""
        now = self._means.clock()
        if self._means.watched.have_changed():
            self._watch(now)
        today = hours(now, always=self._means.always)
        duty = self._duty(today)
        self._means.asker.active = duty == "listening"
        self._means.catcher.active = duty in {"listening", "resting"}
        self._means.catcher.regular = duty == "listening"
        if duty == "listening":
            self._listen(now, today)
        else:
            self._rest(duty, now, stop)
        self._flush()
        self._show(duty, today)

    # What to do --------------------------------------------------------------------------------

    def _duty(self, today: Hours) -> Duty:
        if self._switched() != "running":
            return "paused"
        if not self._means.lease.take():
            return "waiting"
        return "listening" if today.is_on else "resting"

    def _switched(self) -> str:
        if time.monotonic() - self._switch_read > _SWITCH_EVERY:
            try:
                self._switch = switches.state(self._means.journal, "live")
            except LakeError as error:
                self._means.log(stage="live", level="warning", problem=str(error))
            self._switch_read = time.monotonic()
        return self._switch

    def _rest(self, duty: Duty, now: datetime, stop: threading.Event) -> None:
        if self._open:
            self._hang_up(now)
            self._final_at = now + _FINAL_AFTER
        if duty == "paused":
            self._means.lease.release()
        if duty == "resting" and self._final_at is not None and now >= self._final_at:
            self._final_at = None
            self._means.catcher.ask()
        self._take_asked()
        stop.wait(_TOGETHER)

    def _watch(self, now: datetime) -> None:
        """Listen to others than before, from the next connection on."""
        self._watched = frozenset(self._means.watched.symbols)
        for rounds in (self._means.asker, self._means.catcher):
            rounds.watch(self._watched)
        self._hang_up(now)

    def _hang_up(self, now: datetime) -> None:
        if self._means.stream is not None and self._open:
            self._means.stream.close()
            self._hear(self._means.stream.hear(0), now)
        self._open = False

    # Listening ---------------------------------------------------------------------------------

    def _listen(self, now: datetime, today: Hours) -> None:
        stream = self._means.stream
        if stream is None:
            self._means.asker.wanted = self._watched
            time.sleep(_TOGETHER / 2)
        else:
            self._keep_open(stream)
            self._hear(stream.hear(_TOGETHER / 2), now)
            self._notice(stream, now)
            self._means.asker.wanted = self._untold(stream)
            if today.trades:
                self._doubt(stream, self._means.clock())
        self._take_asked()

    def _keep_open(self, stream: Stream) -> None:
        trouble = stream.trouble
        if self._open and trouble is not None and trouble.final and not self._try_again:
            self._try_again = time.monotonic() + _TRY_AGAIN.get(trouble.kind, _PATIENCE)
        again = bool(self._try_again) and time.monotonic() >= self._try_again
        if not self._open or again:
            stream.open(self._means.watched.symbols)
            self._open, self._connects, self._try_again = True, 0, 0.0
            self._apart_since = time.monotonic()

    def _hear(self, heard: Heard, now: datetime) -> None:
        for name, bars, word in (
            ("bars", heard.bars, Word.FIRST),
            ("updates", heard.updates, Word.UPDATED),
        ):
            if not bars.is_empty():
                self._heard_at = now
                self._counts[name] += bars.height
                self._admit(bars, word)
        if not heard.halts.is_empty():
            self._pending_halts.append(heard.halts)

    def _notice(self, stream: Stream, now: datetime) -> None:
        """After each connection REST is asked for what may have been told before it."""
        self._told = stream.told  # first: who is told by a connection has it counted
        if self._told:
            self._apart_since = time.monotonic()
        if stream.connects == self._connects:
            return
        self._connects = stream.connects
        self._counts["connects"] += 1
        self._apart_since = time.monotonic()
        since = self._heard_at or now
        self._heard_at = self._doubted_at = now
        self._means.log(stage="connected", since=since.isoformat())
        self._means.asker.ask(since - _OVERLAP)
        self._means.catcher.ask()

    def _untold(self, stream: Stream) -> frozenset[str]:
        """The symbols for which REST is asked after each minute."""
        if stream.told:
            return self._watched - stream.told
        final = stream.trouble is not None and stream.trouble.final
        apart = time.monotonic() - self._apart_since > _GRACE
        return self._watched if final or apart else frozenset()

    def _doubt(self, stream: Stream, now: datetime) -> None:
        """A connection that tells nothing: is it mute, or is there nothing to tell? REST knows."""
        if not stream.is_connected or self._heard_at is None or stream.silence < _DEAF:
            return
        begun = max(self._heard_at, self._doubted_at or self._heard_at)
        if now - begun > _SILENT:
            self._doubted_at = now
            self._means.asker.ask(self._heard_at - _OVERLAP)

    def _is_mute(self, asked: Asked) -> bool:
        """Whether REST has bars that this connection should have told since it told its last."""
        stream, heard_at = self._means.stream, self._heard_at
        if stream is None or not stream.is_connected or heard_at is None:
            return False
        if asked.at - heard_at < _SILENT or stream.silence < _DEAF:
            return False
        minute = timedelta(minutes=1)
        due = (pl.col("timestamp") >= heard_at) & (pl.col("timestamp") + minute + _SENT <= asked.at)
        mine = asked.bars.filter(due & pl.col("symbol").is_in([*stream.told]))
        said = mine.select("symbol", "timestamp").iter_rows()
        return any(
            not self._words.knows(*one) for one in said
        )  # our clock may lag: these were heard

    def _take_asked(self) -> None:
        while not self._asked.empty():
            asked = self._asked.get()
            if self._is_mute(asked) and self._means.stream is not None:
                self._means.log(stage="live", level="warning", problem="the stream is mute")
                self._means.stream.renew()
            final = pl.col("timestamp") < asked.edge
            self._admit(asked.bars.filter(final), Word.SETTLED)
            self._admit(asked.bars.filter(~final), Word.ASKED)

    # Storing -----------------------------------------------------------------------------------

    def _admit(self, bars: pl.DataFrame, word: Word) -> None:
        mine = bars.filter(pl.col("symbol").is_in([*self._watched]))
        if not (better := self._words.admit(mine, word)).is_empty():
            self._pending = pl.concat([self._pending, better])

    def _flush(self, *, at_once: bool = False) -> bool:
        """Commit what waits; tells whether nothing waits any more."""
        if not at_once and time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + _TOGETHER
        try:
            if not self._pending.is_empty():
                self._commit(self._pending)
                self._pending = _NONE
            while self._pending_halts:
                self._halts.keep(self._pending_halts[0])
                self._pending_halts.pop(0)
        except LakeError as error:
            if self._store_problem is None:
                self._means.log(stage="commit", level="warning", problem=str(error))
            self._store_problem = str(error)
            return False
        self._store_problem = None
        return True

    def _commit(self, bars: pl.DataFrame) -> None:
        began = time.monotonic()
        fetched = Fetched(self._means.source, bars, live=True, provisional=True)
        commit = self._means.lake.commit_bars(fetched)
        seconds = round(time.monotonic() - began, 3)
        self._means.log(stage="commit", bars=bars.height, seconds=seconds, **asdict(commit))
        tell_bars(self._means.journal, fetched, commit, "bars_1m")

    def _prefer(self) -> None:
        try:
            self._means.lake.prefer_source(self._means.source)
        except LakeError as error:
            self._means.log(stage="live", level="warning", problem=str(error))

    def _finish(self) -> None:
        self._hang_up(self._means.clock())
        self._take_asked()
        for _ in range(_LAST_TRIES):
            if self._flush(at_once=True):
                break
        self._means.lease.release()

    # Telling -----------------------------------------------------------------------------------

    def _show(self, duty: Duty, today: Hours) -> None:
        state, problem = self._state(duty)
        detail: dict[str, Any] = {
            "source": self._means.source,
            "symbols": len(self._watched),
            "polled": len(self._means.asker.wanted) if duty == "listening" else 0,
            **self._counts,
        }
        if self._heard_at is not None:
            detail["heard_at"] = self._heard_at.isoformat()
        if duty in {"resting", "listening"}:
            detail["until"] = today.until.isoformat()
        if problem:
            detail["problem"] = problem
        if self._means.pulse.tell(state, **detail):
            level = "error" if state == "error" else "warning" if problem else "info"
            self._means.log(stage="live", message=state, level=level, reason=problem)
        if self._is_new(problem) and state == "streaming":
            return  # it may be over in a moment
        if state in {"error", "polling", "streaming"}:
            self._alert(problem)

    def _is_new(self, problem: str | None) -> bool:
        """Whether a problem has come up just now."""
        if self._seen[0] != problem:
            self._seen = problem, time.monotonic()
        return problem is not None and time.monotonic() - self._seen[1] < _PATIENCE

    def _state(self, duty: Duty) -> tuple[str, str | None]:
        catcher = self._means.catcher
        if duty == "resting" and catcher.refused:
            return "error", catcher.problem
        if duty != "listening":
            return duty, self._store_problem or self._why(duty)
        if self._store_problem:
            return "error", self._store_problem
        stream, asker = self._means.stream, self._means.asker
        if stream is None:
            return ("error" if asker.problem else "polling"), asker.problem
        return self._state_of(stream)

    def _state_of(self, stream: Stream) -> tuple[str, str | None]:
        trouble = stream.trouble
        if self._told and stream.told:
            return "streaming", trouble.says if trouble else self._means.catcher.problem
        if trouble is not None and self._is_serious(trouble):
            polls = trouble.kind in {"plan", "symbols"} and not self._means.asker.problem
            return ("polling" if polls else "error"), trouble.says
        if self._alarm:  # one more attempt is under way; it is not well yet
            return "error", self._alarm
        return "connecting", trouble.says if trouble else None

    def _is_serious(self, trouble: Trouble) -> bool:
        return trouble.final or time.monotonic() - self._apart_since > _PATIENCE

    def _why(self, duty: Duty) -> str | None:
        if duty == "waiting":
            return "Another live agent has this account's connection; this one takes over when it ends."
        return None

    def _alert(self, problem: str | None) -> None:
        if problem == self._alarm:
            return
        try:
            if problem is None:
                alerts.settle(self._means.journal, "live", self._means.source)
            else:
                alerts.raise_alert(self._means.journal, "live", self._means.source, problem)
        except LakeError:
            return  # the journal is busy: told at the next round
        self._alarm = problem
