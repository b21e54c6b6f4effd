"""What the journal hands out, and the errors it raises."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from lake.errors import InvalidError, LakeError, MissingError, TransientError
from lake.kinds import State

_LABELLED = 3

#: States in which somebody still has to work on a job.
UNFINISHED: tuple[State, ...] = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """One piece of work as it stood when it was read. Times are UTC.

    Attributes:
        id: 12 hexadecimal digits.
        kind: One of :data:`lake.kinds.KINDS`.
        source: Provider and feed, like ``alpaca:iex``; empty where the work has none.
        symbol: The ticker; empty where the work has none.
        first: First session (New York date), inclusive; None: from the beginning.
        last: Last session, inclusive; None: to the end.
        params: What else tells this work from other work; plain JSON.
        state: ``queued``, ``running``, ``done`` or ``failed``.
        done: Steps finished so far.
        total: Steps in all; 0 while unknown.
        message: What it is doing, in a few words.
        error: Why it failed, in a sentence; None otherwise.
        result: What it gave, plain JSON; None until it is done.
        trace_id: Found in every log line that this work writes.
        worker: The agent that works or worked on it; None before.
        created_at: When it was queued.
        started_at: When a worker first took it; None before.
        finished_at: When it was done or failed; None before.
        parent: The job that it is a part of; None for whole jobs.
        rates: How fast it goes, as its worker told last (:mod:`lake.journal.outlook`); None: untold.
    """

    id: str
    kind: str
    source: str
    symbol: str
    first: date | None
    last: date | None
    params: dict[str, Any]
    state: State
    done: int
    total: int
    message: str
    error: str | None
    result: dict[str, Any] | None
    trace_id: str
    worker: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    parent: str | None = None
    rates: dict[str, Any] | None = None

    @property
    def symbols(self) -> list[str]:
        """The symbols it is about; none where the work has none."""
        return [*self.params.get("symbols", [self.symbol] if self.symbol else [])]

    @property
    def label(self) -> str:
        """Its symbols in a few characters, like ``AAPL, MSFT, SPY +497``."""
        names = self.symbols
        more = len(names) - _LABELLED
        return ", ".join(names[:_LABELLED]) + (f" +{more}" if more > 0 else "")

    @property
    def is_finished(self) -> bool:
        """Whether it is done or failed, so that nobody will work on it again."""
        return self.state not in UNFINISHED


@dataclass(frozen=True)
class Agent:
    """One process that works for the lake, as its last heartbeat told.

    Attributes:
        name: Unique among all agents of one journal, like ``worker-1@laptop``.
        kind: ``worker``, ``beat``, ``api`` ...
        state: ``idle``, ``working`` or ``stopped``.
        pid: Its process id on its host.
        host: The name of its machine.
        age: Seconds since the last heartbeat.
        detail: What it adds, plain JSON, like its queue and its job.
        stalled: It should beat and does not: silent for too long, or its process is gone.
    """

    name: str
    kind: str
    state: str
    pid: int
    host: str
    age: float
    detail: dict[str, Any] = field(default_factory=dict)
    stalled: bool = False


class JobMissingError(MissingError):
    """The journal has no job of that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"There is no job {self.job_id[:40]!r}. `barlake jobs` lists the jobs there are."


class LeaseLostError(LakeError):
    """A worker reports on a job that is no longer its own."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"Job {self.job_id} is finished or another worker has taken it; this one lets go."


class JournalBusyError(TransientError):
    """The journal's database cannot be used right now."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return (
            f"The journal at {self.url} cannot be used now ({self.reason}). "
            "Nothing was written; ask again."
        )


class JournalVersionError(InvalidError):
    """The journal was written by a newer Barlake."""

    def __init__(self, url: str, revision: str) -> None:
        super().__init__(url, revision)
        self.url, self.revision = url, revision

    def __str__(self) -> str:
        return (
            f"The journal at {self.url} has the layout {self.revision}, which this Barlake does "
            "not know. Install the newer version, or name another home with BARLAKE_HOME."
        )
