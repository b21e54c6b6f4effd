"""Jobs in the journal: queue work, take it, tell how it goes, do it in parts."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, Select, Text, cast, delete, insert, select, update

from lake.journal import events, parts, switches
from lake.journal.engine import Database
from lake.journal.processes import identity, is_dead
from lake.journal.records import UNFINISHED, Job, JobMissingError, LeaseLostError
from lake.journal.tables import claims, jobs
from lake.kinds import State

#: How long a worker may be silent before another takes its job. Heartbeats renew it.
LEASE = timedelta(seconds=45)

#: A job whose worker died this often without any progress in between is given up.
CRASHES = 5

_SHOWN = [
    column
    for column in jobs.columns
    if column.name not in {"number", "holder", "lease_until", "crashes"}
]


class Jobs:
    """The jobs of one journal. Every method is one short transaction."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    def queue(
        self,
        kind: str,
        source: str,
        symbol: str,
        first: date | None = None,
        last: date | None = None,
        params: dict[str, Any] | None = None,
    ) -> tuple[Job, bool]:
        """Queue work, or find the unfinished job that covers it.

        Work is keyed by (kind, source, symbol, session) and by its params. If one unfinished job
        covers every session asked for, it comes back. A request that overlaps only in part becomes
        a job for the whole of it: so its ``done`` means that all of it is there, whatever becomes
        of the other job, and what the other has fetched by then is not fetched again. Safe beside
        other processes: equal requests at the same moment give one job.

        Args:
            first: First session (New York date), inclusive; None: from the beginning.
            last: Last session, inclusive; None: to the end.
            params: What else tells this work from other work; plain JSON.

        Returns:
            The job, and whether it is new.
        """
        asked = {
            "kind": kind,
            "source": source,
            "symbol": symbol,
            "variant": json.dumps(params or {}, sort_keys=True),
            "first_session": first or date.min,
            "last_session": last or date.max,
        }
        with self._database.writing(alone=True) as connection:
            found = connection.execute(_covering(asked)).first()
            if found is not None:
                return _job(found), False
            job = Job(
                id=uuid4().hex[:12],
                kind=kind,
                source=source,
                symbol=symbol,
                first=first,
                last=last,
                params=params or {},
                state="queued",
                done=0,
                total=0,
                message="",
                error=None,
                result=None,
                trace_id=uuid4().hex,
                worker=None,
                created_at=self._now(),
                started_at=None,
                finished_at=None,
                parent=None,
            )
            connection.execute(insert(jobs).values(**_row(job), crashes=0))
            connection.execute(insert(claims).values(job_id=job.id, **asked))
            self._tell(connection, job)
            return job, True

    def job(self, job_id: str) -> Job:
        """One job as it stands.

        Raises:
            JobMissingError: There is none of that id.
        """
        with self._database.reading() as connection:
            return _job(_find(connection, job_id))

    def jobs(
        self,
        state: str | None = None,
        kind: str | None = None,
        symbol: str | None = None,
        limit: int = 50,
        *,
        parent: str | None = None,
    ) -> list[Job]:
        """Jobs, newest first; None for a filter lets all through.

        Args:
            symbol: Jobs of this one, alone or among others.
            parent: The parts of this job, and no others; None: whole jobs, and no parts.
        """
        wanted = select(*_SHOWN).order_by(jobs.c.number.desc()).limit(limit)
        wanted = wanted.where(
            jobs.c.parent.is_(None) if parent is None else jobs.c.parent == parent
        )
        for column, value in ((jobs.c.state, state), (jobs.c.kind, kind)):
            if value is not None:
                wanted = wanted.where(column == value)
        if symbol is not None:
            among = cast(jobs.c.params, Text).contains(json.dumps(symbol), autoescape=True)
            wanted = wanted.where((jobs.c.symbol == symbol) | ((jobs.c.symbol == "") & among))
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(wanted)]

    def unfinished(self) -> list[Job]:
        """Every queued or running job, oldest first."""
        wanted = select(*_SHOWN).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.number)
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(wanted)]

    def orphans(self) -> list[Job]:
        """Unfinished jobs that no live worker holds, oldest first: a broker must know of each.

        A job whose parts are not over is none of them: it is taken up again when they are.
        """
        idle = jobs.c.state.in_(UNFINISHED) & ~parts.waiting()
        wanted = select(jobs).where(idle).order_by(jobs.c.number)
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(wanted) if not self._is_held(row)]

    # The lease on a job

    def claim(self, job_id: str, worker: str) -> Job | None:
        """Take a job to work on it, for this process, until the lease of 45 s runs out.

        ``progress`` and ``renew`` make the lease longer. A job whose worker died is free at once
        on the same machine, and when the lease has run out from another. A job that killed its
        worker again and again without progress is failed.

        Args:
            worker: The agent's name, as in its heartbeats.

        Returns:
            The job, now running; None if it is finished or a live worker has it.

        Raises:
            JobMissingError: There is none of that id.
        """
        with self._database.writing() as connection:
            row = _find(connection, job_id, lock=True)
            if row.state not in UNFINISHED or self._is_held(row) or parts.left(connection, job_id):
                return None
            crashes = row.crashes + (row.state == "running" and row.holder is not None)
            if crashes >= CRASHES:
                self._end(connection, job_id, "failed", error=_worn_out(crashes))
                return None
            taken = {"state": "running", "worker": worker, "crashes": crashes}
            taken |= {"started_at": row.started_at or self._now(), **self._lease()}
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(**taken))
            job = _job(_find(connection, job_id))
            self._tell(connection, job)
            if job.parent is not None:
                self._sum_up(connection, job.parent, "")
            return job

    def progress(
        self,
        job_id: str,
        done: int,
        total: int,
        message: str = "",
        *,
        facts: dict[str, Any] | None = None,
    ) -> None:
        """Tell how far a job is; renews the lease.

        Args:
            done: Steps finished.
            total: Steps in all, 0 while unknown.
            message: What it is doing, in a few words.
            facts: How fast it goes and what is left, plain JSON (:mod:`lake.journal.outlook`);
                None leaves what was told before.

        Raises:
            LeaseLostError: It is finished or another process has it: stop working on it.
            AgentStoppedError: A user has stopped this kind of agent: put the job back.
        """
        told: dict[str, Any] = {"done": done, "total": total, "message": message}
        told |= {} if facts is None else {"rates": facts}
        with self._database.writing() as connection:
            row = self._mine(connection, job_id)
            switches.check(connection, row.kind)
            if done > row.done:
                told["crashes"] = 0
            if row.state == "running":
                told |= self._lease()
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(**told))
            if row.parent is not None:
                self._sum_up(connection, row.parent, message)

    def split(self, job_id: str, pieces: Sequence[parts.Piece]) -> list[Job]:
        """Queue the parts of a job that is being worked on, and let go of it until they are over.

        Raises:
            LeaseLostError: It is finished or another process has it.
        """
        with self._database.writing(alone=True) as connection:
            whole = _job(self._mine(connection, job_id))
            names = parts.add(connection, whole, pieces)
            found = [_job(_find(connection, name)) for name in names]
            for job in (_job(_find(connection, job_id)), *found):
                self._tell(connection, job)
            return found

    def parts_of(self, job_id: str) -> list[Job]:
        """The parts of a job, oldest first; none where it has none."""
        wanted = select(*_SHOWN).where(jobs.c.parent == job_id).order_by(jobs.c.number)
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(wanted)]

    def give_up_parts(self, job_id: str, reason: str) -> int:
        """Fail the parts of a job that nobody has begun; tells how many."""
        with self._database.writing(alone=True) as connection:
            idle = (jobs.c.parent == job_id) & (jobs.c.state == "queued")
            names = [row.id for row in connection.execute(select(jobs.c.id).where(idle))]
            for name in names:
                self._end(connection, name, "failed", error=reason)
            return len(names)

    def renew(self, job_id: str) -> None:
        """Make the lease of a running job longer: its worker lives, though it tells no progress.

        Raises:
            LeaseLostError: It is finished or another process has it.
        """
        with self._database.writing() as connection:
            self._mine(connection, job_id)
            running = (jobs.c.id == job_id) & (jobs.c.state == "running")
            connection.execute(update(jobs).where(running).values(**self._lease()))

    def release(self, job_id: str, message: str = "") -> None:
        """Put a job back into the queue, to be tried again; harmless if it is not ours."""
        mine = (jobs.c.id == job_id) & (jobs.c.state == "running") & (jobs.c.holder == identity())
        free = {"state": "queued", "holder": None, "lease_until": None, "message": message}
        with self._database.writing() as connection:
            if connection.execute(update(jobs).where(mine).values(**free)).rowcount:
                job = _job(_find(connection, job_id))
                self._tell(connection, job)
                if job.parent is not None:
                    self._sum_up(connection, job.parent, message)

    def finish(self, job_id: str, result: dict[str, Any] | None = None) -> None:
        """A job is done; ``result`` is plain JSON.

        Raises:
            LeaseLostError: It is finished or another process has it.
        """
        with self._database.writing() as connection:
            self._mine(connection, job_id)
            self._end(connection, job_id, "done", result=result or {})

    def fail(self, job_id: str, error_text: str) -> None:
        """A job failed for good, for a reason told in a sentence.

        Raises:
            LeaseLostError: It is finished or another process has it.
        """
        with self._database.writing() as connection:
            self._mine(connection, job_id)
            self._end(connection, job_id, "failed", error=error_text)

    def _mine(self, connection: Connection, job_id: str) -> Row[Any]:
        """The job's row if this process may report on it: nobody holds it, or it does."""
        row = _find(connection, job_id, lock=True)
        free = row.state == "queued" and row.holder is None
        if not free and (row.state != "running" or row.holder != identity()):
            raise LeaseLostError(job_id)
        return row

    def _is_held(self, row: Row[Any]) -> bool:
        if row.state != "running" or row.lease_until is None:
            return False
        return bool(row.lease_until > self._now()) and not is_dead(row.holder)

    def _lease(self) -> dict[str, Any]:
        return {"holder": identity(), "lease_until": self._now() + LEASE}

    def _end(self, connection: Connection, job_id: str, state: State, **facts: Any) -> None:
        ended = {"state": state, "finished_at": self._now(), "holder": None, "lease_until": None}
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(**ended, **facts))
        connection.execute(delete(claims).where(claims.c.job_id == job_id))
        job = _job(_find(connection, job_id))
        self._tell(connection, job)
        if job.parent is not None:
            if state == "done":
                done = {"done": job.total}
                connection.execute(update(jobs).where(jobs.c.id == job_id).values(**done))
            self._sum_up(connection, job.parent, "")

    def _sum_up(self, connection: Connection, job_id: str, message: str) -> None:
        if parts.sum_up(connection, job_id, message):
            self._tell(connection, _job(_find(connection, job_id)))

    def _tell(self, connection: Connection, job: Job) -> None:
        events.tell(connection, events.JobChanged.of(job), at=self._now())


def _covering(asked: dict[str, Any]) -> Select[Any]:
    """The oldest unfinished job that covers every session asked for."""
    same = [claims.c[name] == asked[name] for name in ("kind", "source", "symbol", "variant")]
    return (
        select(*_SHOWN)
        .join(claims, claims.c.job_id == jobs.c.id)
        .where(*same)
        .where(claims.c.first_session <= asked["first_session"])
        .where(claims.c.last_session >= asked["last_session"])
        .order_by(jobs.c.number)
        .limit(1)
    )


def _find(connection: Connection, job_id: str, *, lock: bool = False) -> Row[Any]:
    wanted = select(jobs).where(jobs.c.id == job_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise JobMissingError(job_id)
    return row


def _job(row: Row[Any]) -> Job:
    facts = {column.name: getattr(row, column.name) for column in _SHOWN}
    return Job(first=facts.pop("first_session"), last=facts.pop("last_session"), **facts)


def _row(job: Job) -> dict[str, Any]:
    facts = dict(vars(job))
    return {"first_session": facts.pop("first"), "last_session": facts.pop("last"), **facts}


def _worn_out(crashes: int) -> str:
    return (
        f"Its worker died {crashes} times in a row while working on it, so it was given up. "
        "The logs of the workers may say why (often: too little memory). Queue it again to retry."
    )
