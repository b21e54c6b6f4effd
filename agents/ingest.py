"""Ingest as a job: planned whole, done in parts, summed up at the end."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from agents import backfill
from agents.backfill import Task
from agents.fetching import Fetcher
from agents.planning import Part
from agents.queueing import span
from agents.sources import Log, ProviderRefusedError, Source
from agents.telling import tell_bars
from lake import Commit, Fetched, Lake, sessions
from lake.errors import LakeError
from lake.journal import Job, Journal
from lake.journal.parts import Piece

_COUNTS = ("new", "corrected", "withdrawn", "unchanged", "quarantined", "pages", "commits")
#: Refused for whoever asks: no other part would be answered.
_REFUSED_ALL = (401, 403)
_TOLD = 3
_CLOCKS_AGREE = timedelta(minutes=1)


class PartsFailedError(LakeError):
    """Some parts of an ingest failed; what the others brought is stored."""

    def __init__(self, failed: int, of: int, reasons: Sequence[str]) -> None:
        super().__init__(failed, of, list(reasons))
        self.failed, self.of, self.reasons = failed, of, list(reasons)

    def __str__(self) -> str:
        said = " ".join(self.reasons[:_TOLD])
        if self.failed == self.of:
            return said
        return f"{self.failed:,} of {self.of:,} parts failed; the others are stored. {said}"


@dataclass(frozen=True)
class Ingest:
    """Works on ingest jobs: on whole ones, and on the parts of others."""

    lake: Lake
    source: Source
    journal: Journal
    log: Log

    def work(self, job: Job, *, history: str, now: datetime) -> dict[str, Any] | list[Piece]:
        """Do a job or a part; plan what is long into parts; sum up when they are over.

        Raises:
            PartsFailedError, UnknownSymbolError: What it brought is stored.
            RefusedError, TransientError: As the source's; what was committed stays.
        """
        if job.parent is not None:
            return self._part(job)
        if parts := self.journal.parts_of(job.id):
            return self._sum_up(job, parts)
        return self._whole(job, _task(job, history, now), self._present(now))

    def _present(self, now: datetime) -> datetime:
        """Now, or the provider's own clock where it is behind: what comes after is not final there."""
        there = self.source.present()
        return there if there is not None and there < now - _CLOCKS_AGREE else now

    def _whole(self, job: Job, task: Task, now: datetime) -> dict[str, Any] | list[Piece]:
        planned = backfill.plan(self.lake, self.source, task, now)
        asof = sessions.today(now)  # of all parts, whenever they are done
        if len(planned.parts) > 1:
            pieces = [_piece(part, task, asof) for part in planned.parts]
            pieces[0].params.update(actions=planned.actions, unknown=planned.unknown)
            return pieces
        counts = self._fetch(job, task, planned.parts, asof)
        self.journal.progress(job.id, 1, 1, backfill.said(planned, counts))
        self._check_unknown(planned.unknown, len(task.symbols))
        return counts | {"actions": planned.actions, "asof": asof.isoformat()}

    def _part(self, job: Job) -> dict[str, Any]:
        part, task = _read(job)
        asof = date.fromisoformat(job.params.get("asof") or job.created_at.date().isoformat())
        try:
            return self._fetch(job, task, [part], asof)
        except ProviderRefusedError as error:
            if error.status in _REFUSED_ALL and job.parent is not None:
                self.journal.give_up_parts(job.parent, str(error))
            raise

    def _fetch(self, job: Job, task: Task, parts: Sequence[Part], asof: date) -> dict[str, Any]:

        def committed(fetched: Fetched, commit: Commit) -> None:
            tell_bars(self.journal, fetched, commit, task.dataset)

        fetcher = Fetcher(
            self.lake,
            self.source,
            task.dataset,
            again=task.again,
            log=self.log,
            job_id=job.id,
            committed=committed,
            asof=asof,
        )
        began = time.monotonic()

        def tell(done: int, total: int, message: str, facts: dict[str, Any]) -> None:
            speed = round(facts.get("bars", 0) / max(time.monotonic() - began, 0.001))
            told = {"bars_per_second": speed, "budget_left": self.source.budget.left()}
            self.journal.progress(job.id, done, total, message, facts=facts | told)

        backfill.fetch(fetcher, parts, tell)
        return backfill.counted(fetcher.count)

    def _sum_up(self, job: Job, parts: Sequence[Job]) -> dict[str, Any]:
        results = [part.result or {} for part in parts]
        counts: dict[str, Any] = {
            name: sum(int(result.get(name, 0)) for result in results) for name in _COUNTS
        }
        counts |= {"parts": len(parts), "actions": parts[0].params.get("actions", 0)}
        counts |= {"asof": parts[0].params.get("asof")}
        failed = [part.error or "" for part in parts if part.state == "failed"]
        if failed:
            raise PartsFailedError(len(failed), len(parts), list(dict.fromkeys(failed)))
        asked = {symbol for part in parts for symbol in part.symbols}
        self.journal.progress(job.id, job.total, job.total, f"{counts['new']:,} new bars")
        unknown = parts[0].params.get("unknown", [])
        self._check_unknown(unknown, len(asked) + len(unknown))
        return counts

    def _check_unknown(self, unknown: Sequence[str], asked: int) -> None:
        if unknown:
            raise backfill.no_such(self.lake, self.source.name, unknown, asked - len(unknown))


def _task(job: Job, history: str, now: datetime) -> Task:
    first, last = span(history, job.first, job.last, now=now)
    asked = {name: value for name, value in job.params.items() if name != "symbols"}
    return Task(tuple(job.symbols), first, last, **asked)


def _piece(part: Part, task: Task, asof: date) -> Piece:
    """A part as its job keeps it."""
    params = {
        "symbols": [*part.symbols],
        "start": part.start.isoformat(),
        "end": part.end.isoformat(),
        "sessions": part.sessions,
        "bars": part.bars,
        "dataset": task.dataset,
        "again": task.again,
        "asof": asof.isoformat(),
    }
    return Piece(part.symbols[0] if len(part.symbols) == 1 else "", params, part.steps)


def _read(job: Job) -> tuple[Part, Task]:
    facts = job.params
    start, end = (datetime.fromisoformat(facts[name]) for name in ("start", "end"))
    part = Part(tuple(facts["symbols"]), start, end, facts["sessions"], facts["bars"])
    task = Task(part.symbols, start.date(), end.date(), facts["dataset"], facts["again"])
    return part, task
