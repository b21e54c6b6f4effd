"""What happened, in order: one typed stream that any number of readers follow by a number.

A number is given inside a lock that is held until the commit, so numbers appear in their order: a
reader that has seen number 7 never finds a 6 later. Nobody is told of anything; readers ask for what
came after the number they know. Events are kept for 30 days, and the newest always.
"""

from collections.abc import Collection
from dataclasses import MISSING, Field, asdict, dataclass, fields
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sqlalchemy import Connection, delete, func, insert, select, text

from lake.errors import InvalidError, MissingError
from lake.journal.records import Job
from lake.journal.tables import events

if TYPE_CHECKING:
    from lake.journal.journal import Journal

#: How long events are kept.
KEPT = timedelta(days=30)

#: Under this number all who tell an event on PostgreSQL queue one after another.
_TELLING_LOCK = 0x6576656E7473

_WAITING = "barlake_events"  # told in a transaction that is not at its end

_NAMED = ("source", "symbol", "job_id")
_DATES = ("first", "last")


@dataclass(frozen=True)
class JobChanged:
    """A job was queued, taken, put back or ended.

    Attributes:
        state: As it is from now on.
        says: Why it waits or failed; empty otherwise.
    """

    kind: ClassVar[str] = "job"
    job_id: str
    work: str
    source: str
    symbol: str
    state: str
    worker: str | None = None
    says: str = ""
    parent: str | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """The change to how a job is now."""
        says = job.error or (job.message if job.state == "queued" else "")
        facts = (job.id, job.kind, job.source, job.symbol, job.state)
        return cls(*facts, worker=job.worker, says=says, parent=job.parent)


@dataclass(frozen=True)
class Heartbeat:
    """An agent's state is another than before; not every beat."""

    kind: ClassVar[str] = "heartbeat"
    agent: str
    role: str
    state: str
    job_id: str | None = None
    symbol: str | None = None

    @classmethod
    def of(cls, agent: str, role: str, state: str, detail: dict[str, Any]) -> Self:
        """The change to what an agent tells of itself now."""
        return cls(agent, role, state, detail.get("job_id"), detail.get("symbol"))


@dataclass(frozen=True)
class Switched:
    """A user has started, paused or stopped a kind of agent."""

    kind: ClassVar[str] = "switch"
    agent: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class AlertRaised:
    """Something is wrong; ``alert`` is the alert's number."""

    kind: ClassVar[str] = "alert"
    alert: int
    about: str
    subject: str
    message: str


@dataclass(frozen=True)
class AlertOver:
    """What was wrong is well again."""

    kind: ClassVar[str] = "alert_over"
    alert: int
    about: str
    subject: str
    message: str


@dataclass(frozen=True)
class BarsCommitted:
    """Bars are in the lake; one commit may hold those of several symbols.

    Attributes:
        symbol: Whose they are; empty where ``symbols`` are several.
        symbols: All whose bars or fetched ranges the commit holds.
        first: First session that the commit touched (New York date).
        last: Last one, included.
        new: How many bars were not there before; so for all symbols together are the others.
        snapshot: The lake's snapshot from which on they are seen; None: nothing changed in it.
    """

    kind: ClassVar[str] = "bars"
    source: str
    symbol: str
    symbols: tuple[str, ...]
    dataset: str
    first: date | None
    last: date | None
    new: int
    corrected: int
    withdrawn: int
    quarantined: int
    snapshot: int | None
    job_id: str | None = None


@dataclass(frozen=True)
class Unknown:
    """An event that a newer Barlake has told."""

    name: str
    facts: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.name


What = JobChanged | Heartbeat | Switched | AlertRaised | AlertOver | BarsCommitted | Unknown

_TYPES: dict[str, type[Any]] = {
    one.kind: one
    for one in (JobChanged, Heartbeat, Switched, AlertRaised, AlertOver, BarsCommitted)
}

#: The kinds of events there are.
KINDS: tuple[str, ...] = tuple(_TYPES)


@dataclass(frozen=True)
class Event:
    """One event as it was kept.

    Attributes:
        number: Its place in the stream; later events have higher ones, not always the next.
        at: When it was told (UTC).
        what: What happened.
    """

    number: int
    at: datetime
    what: What


@dataclass(frozen=True)
class Read:
    """Part of the stream.

    Attributes:
        events: Oldest first.
        next: Ask for what comes after this number to go on; also past events of other kinds.
    """

    events: list[Event]
    next: int


class EventsGoneError(MissingError):
    """A reader was away for so long that events it has not seen are forgotten."""

    def __init__(self, after: int, oldest: int) -> None:
        super().__init__(after, oldest)
        self.after, self.oldest = after, oldest

    def __str__(self) -> str:
        return (
            f"Events after number {self.after} are forgotten ({KEPT.days} days are kept); the "
            f"oldest left is {self.oldest}. Look at jobs, agents and alerts as they are now, and go "
            f"on after {self.oldest - 1}."
        )


class EventsAheadError(InvalidError):
    """A reader knows an event that this journal does not."""

    def __init__(self, after: int, newest: int) -> None:
        super().__init__(after, newest)
        self.after, self.newest = after, newest

    def __str__(self) -> str:
        return (
            f"There is no event {self.after}; the newest is {self.newest}. The number is of another "
            "journal, or of this one before it was restored: begin again without it."
        )


def tell(where: "Connection | Journal", *told: What, at: datetime | None = None) -> None:
    """Add events to the stream, in the given order.

    Args:
        where: A journal, for a transaction of its own; or the connection of a block of
            ``Database.writing``, whose commit makes them seen, and only that.
        at: When it happened (aware); needed with a connection.

    Raises:
        JournalBusyError: The journal cannot be used. Nothing was written.
    """
    if not isinstance(where, Connection):
        with where.database.writing() as connection:
            tell(connection, *told, at=at or where.now)
        return
    if at is None:
        message = "tell needs the time with a connection"
        raise ValueError(message)
    where.info.setdefault(_WAITING, []).extend({"at": at, **_row(one)} for one in told)


def begin(connection: Connection) -> None:
    """Forget what an earlier transaction of this connection told and did not commit."""
    connection.info.pop(_WAITING, None)


def flush(connection: Connection) -> None:
    """Give what this transaction told its numbers; the last thing that it does before it commits.

    Told earlier, two transactions could each wait for a row that the other one holds.
    """
    waiting = connection.info.pop(_WAITING, [])
    if waiting and connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _TELLING_LOCK})
    for row in waiting:
        connection.execute(insert(events).values(**row))


def read(
    journal: "Journal",
    after: int | None = None,
    limit: int = 100,
    kinds: Collection[str] = (),
) -> Read:
    """Events that came after a number, oldest first.

    Args:
        after: The number to go on after; 0: from the oldest there is; None: the newest ``limit``.
        limit: At most this many.
        kinds: Only these; all without one.

    Raises:
        EventsGoneError: Some after that number are forgotten.
        EventsAheadError: There is no such number yet.
    """
    with journal.database.reading() as connection:
        oldest, newest = connection.execute(
            select(func.min(events.c.number), func.max(events.c.number))
        ).one()
        if after:
            _check(after, oldest or 1, newest or 0)
        wanted = select(events).limit(limit)
        if kinds:
            wanted = wanted.where(events.c.kind.in_(sorted(kinds)))
        if after is None:
            found = [_event(row) for row in connection.execute(wanted.order_by(_DOWN))][::-1]
            return Read(found, newest or 0)
        later = wanted.where(events.c.number > after).order_by(events.c.number)
        found = [_event(row) for row in connection.execute(later)]
    seen = found[-1].number if found else after
    return Read(found, seen if len(found) == limit else max(seen, newest or 0))


def newest(journal: "Journal") -> int:
    """The number of the newest event; 0 before the first."""
    with journal.database.reading() as connection:
        return connection.execute(select(func.max(events.c.number))).scalar() or 0


def forget(connection: Connection, before: datetime) -> int:
    """Drop events that are older; the newest stays, so that numbers are never given twice."""
    last = select(func.max(events.c.number)).scalar_subquery()
    old = (events.c.at < before) & (events.c.number < last)
    return connection.execute(delete(events).where(old)).rowcount


def plain(event: Event) -> dict[str, Any]:
    """An event as JSON shows it: ``number``, ``at``, ``kind`` and what its kind has."""
    facts = event.what.facts if isinstance(event.what, Unknown) else asdict(event.what)
    return {"number": event.number, "at": event.at, "kind": event.what.kind, **facts}


_DOWN = events.c.number.desc()


def _check(after: int, oldest: int, newest: int) -> None:
    if after < oldest - 1:
        raise EventsGoneError(after, oldest)
    if after > newest:
        raise EventsAheadError(after, newest)


def _row(what: What) -> dict[str, Any]:
    facts = dict(what.facts) if isinstance(what, Unknown) else asdict(what)
    named = {name: facts.pop(name, None) or None for name in _NAMED}
    plain_facts = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in facts.items()
    }
    return {"kind": what.kind, **named, "facts": plain_facts}


def _event(row: Any) -> Event:
    told = {name: value for name in _NAMED if (value := getattr(row, name)) is not None}
    facts = {**row.facts, **told}
    kind = _TYPES.get(row.kind)
    if kind is None:
        return Event(row.number, row.at, Unknown(row.kind, facts))
    return Event(row.number, row.at, kind(**{one.name: _value(one, facts) for one in fields(kind)}))


def _value(field: "Field[Any]", facts: dict[str, Any]) -> Any:
    """What was kept of a field; what a row of an older Barlake lacks is its default."""
    if facts.get(field.name) is not None:
        value = facts[field.name]
        if field.name in _DATES:
            return date.fromisoformat(value)
        return tuple(value) if isinstance(value, list) else value
    if field.default is not MISSING:
        return field.default
    return "" if field.name in _NAMED else None
