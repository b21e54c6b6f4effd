"""The journal as its users see it: jobs, agents and logs."""

import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from os import getpid
from pathlib import Path
from typing import Any, Self

from sqlalchemy import delete

from lake.journal import agents, alerts, events, lines, tallies
from lake.journal.engine import Database, locate
from lake.journal.jobs import Jobs
from lake.journal.processes import identity
from lake.journal.records import Agent
from lake.journal.tables import jobs

#: How long heartbeats may be apart before an agent counts as stalled.
SILENCE = timedelta(seconds=30)


class Journal(Jobs):
    """One journal, safe for the threads of one process and for many processes at once.

    Every method is one short transaction. Any of them may raise JournalBusyError when the database
    is locked for long, full or out of reach; nothing is written then. Open it after a fork.
    """

    @classmethod
    def open(cls, where: str | Path, *, now: Callable[[], datetime] | None = None) -> "Journal":
        """Open the journal of a home or at a URL; make it or bring it up to date where needed.

        Args:
            where: A home (SQLite in ``HOME/duckdb``), or a SQLAlchemy URL.
            now: The clock, giving aware times; UTC's by default.

        Raises:
            JournalBusyError: The database is locked, broken or out of reach.
            JournalVersionError: A newer Barlake wrote it.
        """
        return cls(Database(locate(where)), now or _utc_now)

    @property
    def name(self) -> str:
        """Its URL, without a password."""
        return self._database.name

    @property
    def database(self) -> Database:
        """Where it all lies, for what stands beside jobs: events, switches, the rate budget."""
        return self._database

    @property
    def now(self) -> datetime:
        """The time by its clock (UTC)."""
        return self._now()

    @property
    def file(self) -> Path | None:
        """Where SQLite keeps it; None for a server's."""
        return self._database.file

    def close(self) -> None:
        """Let go of every connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Agents and logs

    def beat(self, agent: str, kind: str, state: str, detail: dict[str, Any] | None = None) -> None:
        """Tell that this process lives: it is the agent of that name, from now on.

        Args:
            state: ``idle``, ``working`` or ``stopped``; a stopped agent is never stalled.
            detail: Plain JSON, like the queue it serves and the job it is on.
        """
        told = {"kind": kind, "state": state, "host": socket.gethostname(), "pid": getpid()}
        told |= {"holder": identity(), "detail": detail or {}, "beat_at": self._now()}
        with self._database.writing(alone=True) as connection:
            if agents.keep(connection, agent, told | {"period": SILENCE.total_seconds()}):
                changed = events.Heartbeat.of(agent, kind, state, detail or {})
                events.tell(connection, changed, at=self._now())

    def agents(self) -> list[Agent]:
        """All agents that beat within the last week, by name."""
        with self._database.reading() as connection:
            return agents.read(connection, self._now())

    def log(self, message: str, *, agent: str, level: str = "info", **facts: Any) -> None:
        """Keep one log line; ``facts`` are symbol, stage, job_id, trace_id and anything JSON."""
        line = {"message": message, "agent": agent, "level": level, **facts}
        self.log_many([{"timestamp": self._now(), **line}])

    def log_many(self, batch: Sequence[dict[str, Any]]) -> None:
        """Keep log lines, each with timestamp (aware), level, agent and message at least."""
        with self._database.writing() as connection:
            lines.keep(connection, batch)

    def logs(
        self,
        limit: int = 100,
        agent: str | None = None,
        job_id: str | None = None,
        level: str | None = None,
    ) -> list[dict[str, Any]]:
        """Log lines, newest first.

        Args:
            level: The least level let through, like ``warning``; None: all.

        Returns:
            timestamp (UTC), level, agent, symbol, stage, message, job_id, trace_id, each None
            where it was not told, and whatever else the line had.
        """
        with self._database.reading() as connection:
            return lines.read(connection, limit, agent=agent, job_id=job_id, level=level)

    def prune(self, *, older_than: timedelta, keep_lines: int = 200_000) -> int:
        """Forget log lines and silent agents that are old, and lines beyond a number.

        Events and alerts that are over, older than 30 days, and tallies older than 90 go too.

        Returns:
            How many log lines are gone. Jobs stay, but for the parts of those that are long over.
        """
        before = self._now() - older_than
        with self._database.writing() as connection:
            old_part = jobs.c.parent.is_not(None) & (jobs.c.finished_at < before)
            connection.execute(delete(jobs).where(old_part))
            agents.forget(connection, before)
            for old in (events, alerts, tallies):
                old.forget(connection, self._now() - old.KEPT)
            return lines.forget(connection, before, keep_lines)


def _utc_now() -> datetime:
    return datetime.now(UTC)
