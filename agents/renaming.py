"""Bringing the bars of a renamed paper together under its new ticker, counted once.

A provider answers for the paper that has a ticker on the day of the request (``asof``), with all of its
history under earlier tickers; it knows a new ticker on the day after the change. So what was fetched
under the new ticker before then lacks the history, and what was fetched under the old one would be in
the lake twice. Once the history is here under the new ticker, the old ticker's copies are
withdrawn: they are revisions then, and as-of reads still have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from agents import backfill
from agents.sources import Log, Source
from lake import BAR_SCHEMA, Covered, Fetched, Lake, instruments, sessions
from lake.carrying import carry
from lake.coverage import Interval, merge, subtract
from lake.datasets import DATASETS
from lake.errors import BarsMissingError, RefusedError
from lake.instruments import Rename
from lake.journal import Journal, alerts

#: An answer is surely about the paper with its new ticker so many days after the change: the mapping
#: is a day late, and a request that began before midnight may be stored after it.
_MAPPED = timedelta(days=2)
#: Of the bars of two tickers so many have the same close where they are of one paper; the others may
#: have been corrected meanwhile.
_ALIKE = 0.99


@dataclass(frozen=True)
class Renames:
    """Follows changes of tickers that the lake knows of.

    Attributes:
        lake: To read and to write.
        source: Whom to ask.
        now: The time (aware).
        journal: For alerts.
        log: Takes structured lines (``stage=renames``).
        job_id: Kept with quarantined bars.
    """

    lake: Lake
    source: Source
    now: datetime
    journal: Journal
    log: Log = lambda **_: None
    job_id: str | None = None

    def follow(self) -> dict[str, int]:
        """Fetch what new tickers lack of their papers' history, and withdraw old tickers' copies.

        Returns:
            ``renamed`` papers of which something was done, ``moved`` bars (withdrawn under the old
            ticker, here under the new one), bars ``kept`` under the old one because the new
            one lacks them, and ``carried`` corporate actions.
        """
        told = dict.fromkeys(("renamed", "moved", "kept"), 0)
        mine = instruments.fetched(self.lake, self.source.name)
        changes = instruments.renames(self.lake, self.source.name, mine)
        told["carried"] = carry(self.lake, self.source.name, changes)
        for change in changes:
            old, new = change.old, change.new
            if sessions.today(self.now) < change.since + _MAPPED:
                continue  # the provider may not know it yet
            done = [self._follow(change, dataset) for dataset in DATASETS]
            told["renamed"] += any(did for did, _, _ in done)
            told["moved"] += sum(moved for _, moved, _ in done)
            kept = sum(kept for _, _, kept in done)
            told["kept"] += kept
            self._judge(old, new, kept)
        return told

    def _follow(self, change: Rename, dataset: str) -> tuple[bool, int, int]:
        old, new, end = change.old, change.new, sessions.midnight(change.until)
        held = self.lake.covered_many([old, new], self.source.name, dataset=dataset)
        was = _before(held[old], end)
        wanted = merge([*was, *_before(held[new], end)])
        lacking = _without(wanted, self._mapped(new, change.since, dataset))
        if lacking:
            self._fetch(new, lacking, dataset)
        if not was:
            return bool(lacking), 0, 0
        moved, kept = self._withdraw(old, new, was, dataset)
        if lacking or moved or kept:
            facts = {"old": old, "new": new, "until": change.until.isoformat(), "dataset": dataset}
            self.log(stage="renames", symbol=new, moved=moved, kept=kept, **facts)
        return bool(lacking or moved), moved, kept

    def _mapped(self, symbol: str, day: date, dataset: str) -> list[Interval]:
        """What was fetched once the provider surely knew the ticker."""
        with self.lake.reading() as connection:
            rows = connection.execute(
                """SELECT "start", "end" FROM coverage WHERE dataset = ? AND source = ? AND symbol = ?
                   AND recorded_at >= ?""",
                [dataset, self.source.name, symbol, sessions.midnight(day + _MAPPED)],
            ).fetchall()
        return merge(rows)

    def _fetch(self, symbol: str, lacking: Sequence[Interval], dataset: str) -> None:
        first = sessions.today(lacking[0][0])
        last = sessions.today(lacking[-1][1] - timedelta(microseconds=1))
        try:
            backfill.run(
                self.lake,
                self.source,
                symbol,
                (first, last),
                now=self.now,
                dataset=dataset,
                again=True,
                log=self.log,
                job_id=self.job_id,
            )
        except RefusedError as error:
            self.log(stage="renames", level="warning", symbol=symbol, reason=str(error))

    def _withdraw(
        self, old: str, new: str, spans: Sequence[Interval], dataset: str
    ) -> tuple[int, int]:
        """Withdraw bars of the old ticker that are here under the new one."""
        moved = kept = 0
        for low, high in spans:
            mine = self._bars(old, low, high, dataset)
            if mine.is_empty():
                continue
            both = mine.join(self._bars(new, low, high, dataset), on="timestamp")
            alike = both.filter(pl.col("close") == pl.col("close_right")).height
            if both.height < mine.height or alike < _ALIKE * mine.height:
                kept += mine.height
                continue
            gone = Fetched(
                self.source.name,
                BAR_SCHEMA.to_frame(),
                (Covered(old, low, high),),
                self.job_id,
            )
            moved += self.lake.commit_bars(gone, dataset=dataset).withdrawn
        return moved, kept

    def _bars(self, symbol: str, low: datetime, high: datetime, dataset: str) -> pl.DataFrame:
        try:
            return self.lake.bars(
                symbol,
                low,
                high - timedelta(microseconds=1),
                dataset=dataset,
                source=self.source.name,
                columns=["timestamp", "close"],
            )
        except BarsMissingError:
            return BAR_SCHEMA.to_frame().select("timestamp", "close")

    def _judge(self, old: str, new: str, kept: int) -> None:
        subject = f"{self.source.name} {old}"
        if not kept:
            alerts.settle(self.journal, "renames", subject)
            return
        message = (
            f"{old} is called {new} now, and {self.source.name} lacks bars of it under {new} that are "
            f"here under {old}: {kept:,} bars stay under the old ticker, in sessions that {new} may have too."
        )
        alerts.raise_alert(self.journal, "renames", subject, message, {"old": old, "new": new})


def _before(intervals: Sequence[Interval], end: datetime) -> list[Interval]:
    return [(low, min(high, end)) for low, high in intervals if low < end]


def _without(intervals: Sequence[Interval], held: Sequence[Interval]) -> list[Interval]:
    return [piece for interval in intervals for piece in subtract(interval, [*held])]
