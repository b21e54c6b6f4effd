"""A lake and a plain dictionary that are told the same things, in any order; they must agree."""

import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import polars as pl
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import lake
from lake import BAR_SCHEMA, Covered, Fetched, sessions
from lake.backup import backup, restore
from lake.errors import BarsMissingError
from lake.upkeep import Plan, Rule, delete_symbol, run
from lake.verify import verify

Key = tuple[str, str, datetime]
Bars = dict[Key, float]

SOURCES, SYMBOLS = ("alpaca:iex", "alpaca:sip"), ("SPY", "QQQ")
DAYS = (date(2024, 11, 4), date(2024, 11, 5))
MINUTES = 12
#: A round that counts from here moves all live bars; a rule of one year retires the first day.
RETIRING = datetime(2025, 11, 5, 20, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = ("live", "rewrite", "merge", "expire", "cleanup", "orphans")

sources, symbols = st.sampled_from(SOURCES), st.sampled_from(SYMBOLS)
days = st.sampled_from(DAYS)
closes = st.sampled_from([1.0, 2.0, 3.0, 4.0])
minutes = st.dictionaries(st.integers(0, MINUTES - 1), closes, max_size=8)


def when(day: date, minute: int) -> datetime:
    return sessions.midnight(day) + timedelta(hours=9, minutes=30 + minute)


def frame(symbol: str, day: date, values: dict[int, float], **changed: float) -> pl.DataFrame:
    rows = [
        {
            "symbol": symbol,
            "timestamp": when(day, minute),
            **dict.fromkeys(("open", "high", "low", "close", "vwap"), close),
            "volume": 10.0,
            "trade_count": 1,
            **changed,
        }
        for minute, close in values.items()
    ]
    return pl.DataFrame(rows, schema=BAR_SCHEMA)


class LakeMachine(RuleBasedStateMachine):
    """Everything that can be asked of a lake, beside what a dictionary says of it."""

    empty: ClassVar[Path]  # a home with a new lake, to copy

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.empty.parent))
        self.home = self.folder / "home0"
        shutil.copytree(self.empty, self.home)
        self.store = lake.open(self.home)
        self.now: Bars = {}
        self.then: list[tuple[datetime, Bars]] = []
        self.pinned: dict[str, tuple[int, Bars]] = {}
        self.homes = 0

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            self.readers_agree()
            for moment, known in self.then[-3:]:
                assert self._read(as_of=moment) == known
            assert verify(self.store).findings == ()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    # Writing -----------------------------------------------------------------------------

    @rule(
        source=sources,
        symbol=symbols,
        day=days,
        values=minutes,
        complete=st.booleans(),
        live=st.booleans(),
    )
    def write(
        self,
        source: str,
        symbol: str,
        day: date,
        values: dict[int, float],
        complete: bool,
        live: bool,
    ) -> None:
        """New bars and corrections; a complete answer withdraws what it lacks."""
        midnight = sessions.midnight(day)
        covered = (Covered(symbol, midnight, midnight + timedelta(days=1)),) if complete else ()
        self.store.commit_bars(Fetched(source, frame(symbol, day, values), covered, live=live))
        if complete:
            gone = [key for key in self.now if _lies_in(key, source, symbol, day)]
            for key in gone:
                del self.now[key]
        self.now |= {(source, symbol, when(day, minute)): close for minute, close in values.items()}
        self._remember()

    @rule(source=sources, symbol=symbols, day=days, values=minutes)
    def quarantine(self, source: str, symbol: str, day: date, values: dict[int, float]) -> None:
        """Impossible bars change nothing that can be read."""
        self.store.commit_bars(Fetched(source, frame(symbol, day, values, volume=-1.0)))
        self._remember()

    # Upkeep ------------------------------------------------------------------------------

    @rule(step=st.sampled_from(_STEPS))
    def tidy(self, step: str) -> None:
        """One step of upkeep, without its patience: nothing that can be read changes."""
        none, later = timedelta(0), datetime.now(UTC) + timedelta(days=2)
        run(self.store, Plan(later, none, only=(step,), replaced_kept=none, orphans_kept=none))

    @rule()
    def tidy_all(self) -> None:
        none, later = timedelta(0), datetime.now(UTC) + timedelta(days=2)
        run(self.store, Plan(later, none, replaced_kept=none, orphans_kept=none))

    @rule()
    def retire(self) -> None:
        """The first day is kept no longer, nor what was known of it."""
        run(self.store, Plan(RETIRING, rules=(Rule("bars_1m", 1),), only=("retire",)))
        self._forget(lambda key: key[2] < sessions.midnight(DAYS[1]))

    @rule(symbol=symbols)
    def delete(self, symbol: str) -> None:
        """A symbol goes, with all that was known of it."""
        try:
            delete_symbol(self.store, symbol)
        except BarsMissingError:
            assert not [key for key in self.now if key[1] == symbol]
        self._forget(lambda key: key[1] == symbol)

    # Pins --------------------------------------------------------------------------------

    @rule(name=st.sampled_from(["one", "two", "three"]))
    def pin(self, name: str) -> None:
        snapshot = self.store.pin(name)
        self.pinned.setdefault(name, (snapshot, dict(self.now)))
        assert self.pinned[name][0] == snapshot

    @precondition(lambda self: self.pinned)
    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.pinned)))
        self.store.unpin(name)
        del self.pinned[name]

    @precondition(lambda self: self.pinned)
    @rule(data=st.data())
    def pinned_bars_stay(self, data: st.DataObject) -> None:
        snapshot, known = self.pinned[data.draw(st.sampled_from(sorted(self.pinned)))]
        assert self._read_series(snapshot=snapshot, known=known) == known

    # Reading -----------------------------------------------------------------------------

    @invariant()
    def scans_agree(self) -> None:
        """DuckLake's own scan, after every step."""
        if hasattr(self, "store"):
            with self.store.reading() as connection:
                rows = connection.execute(
                    """SELECT source, symbol, epoch_us(timestamp), close FROM bars_1m UNION ALL
                       SELECT source, symbol, epoch_us(timestamp), close FROM bars_live"""
                ).fetchall()
            assert len(rows) == len(self.now)
            assert {
                (s, n, _EPOCH + timedelta(microseconds=t)): c for s, n, t, c in rows
            } == self.now

    @rule()
    def readers_agree(self) -> None:
        assert self._read() == self.now

    @precondition(lambda self: self.then)
    @rule(data=st.data())
    def what_was_known_stays_known(self, data: st.DataObject) -> None:
        """As-of reads at any moment since the first write, whatever has expired."""
        moment, known = data.draw(st.sampled_from(self.then))
        assert self._read(as_of=moment) == known

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = lake.open(self.home)

    @rule()
    def restore(self) -> None:
        """Save the lake, restore it elsewhere, and go on there."""
        backup(self.store, self.folder / "saved")
        self.homes += 1
        restored = self.folder / f"home{self.homes}"
        restore(self.folder / "saved", restored)
        self.store.close()
        self.home, self.store = restored, lake.open(restored)

    def _read(self, **asked: object) -> Bars:
        return self._read_series(known=self.now, **asked)

    def _read_series(self, *, known: Bars, **asked: object) -> Bars:
        seen: Bars = {}
        for source in SOURCES:
            for symbol in SYMBOLS:
                try:
                    bars = self.store.bars(
                        symbol, source=source, columns=["timestamp", "close"], **asked
                    )
                except BarsMissingError:
                    assert not [key for key in known if key[:2] == (source, symbol)]
                    continue
                for timestamp, close in bars.iter_rows():
                    assert (source, symbol, timestamp) not in seen
                    seen[source, symbol, timestamp] = close
        return seen

    def _remember(self) -> None:
        """What the lake knows from now on, at the moment that its newest transaction was given."""
        clock = self.store.place.clock
        if clock.exists():
            moment = _EPOCH + timedelta(microseconds=int(clock.read_text()))
            self.then = [(then, known) for then, known in self.then if then < moment]
            self.then.append((moment, dict(self.now)))

    def _forget(self, gone: object) -> None:
        self.now = {key: close for key, close in self.now.items() if not gone(key)}
        self.then = [
            (moment, {key: close for key, close in known.items() if not gone(key)})
            for moment, known in self.then
        ]


def _lies_in(key: Key, source: str, symbol: str, day: date) -> bool:
    midnight = sessions.midnight(day)
    return key[:2] == (source, symbol) and midnight <= key[2] < midnight + timedelta(days=1)
