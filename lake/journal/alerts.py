"""What is wrong now, and what was: an alert is raised once and open until it is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from lake.journal import events
from lake.journal.tables import alerts

if TYPE_CHECKING:
    from lake.journal.journal import Journal

#: How long alerts that are over are kept.
KEPT = timedelta(days=30)

#: A webhook that refuses is asked again after 30 s, 1, 2, 4 ... 60 minutes, this often.
TRIES = 30
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
_LONGEST_SUBJECT = 128


@dataclass(frozen=True)
class Alert:
    """One thing that is or was wrong. Times are UTC.

    Attributes:
        number: Which.
        kind: ``stalled``, ``completeness``, ``freshness``, ``checks``, ``missing_at_provider`` ...
        subject: What it is about: an agent's name, or ``source symbol``.
        message: A sentence.
        facts: Plain JSON.
        over_at: When it was well again; None: it is open.
        told_at: When the webhook took it; None: not yet.
    """

    number: int
    kind: str
    subject: str
    message: str
    facts: dict[str, Any]
    raised_at: datetime
    over_at: datetime | None
    told_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it is still wrong."""
        return self.over_at is None


def raise_alert(
    journal: "Journal", kind: str, subject: str, message: str, facts: dict[str, Any] | None = None
) -> Alert | None:
    """Raise an alert, unless one of that kind and subject is open.

    The open one then gets the newer facts and message, and nobody is told again. Safe beside
    other processes that see the same.

    Returns:
        The alert if it is new; None otherwise.
    """
    about = _about(kind, subject)
    newest = {"message": message, "facts": facts or {}}
    with journal.database.reading() as connection:  # most of the time nothing is new: take no lock
        found = connection.execute(select(alerts).where(about)).first()
    if found is not None and (found.message, found.facts) == (message, newest["facts"]):
        return None
    with journal.database.writing(alone=True) as connection:
        if connection.execute(update(alerts).where(about).values(**newest)).rowcount:
            return None
        short = subject[:_LONGEST_SUBJECT]
        row = {"kind": kind, "subject": short, **newest, "tries": 0}
        made = insert(alerts).values(**row, raised_at=journal.now)
        number = connection.execute(made.returning(alerts.c.number)).scalar_one()
        told = events.AlertRaised(number, kind, short, message)
        events.tell(connection, told, at=journal.now)
        return _alert(connection.execute(select(alerts).where(alerts.c.number == number)).one())


def settle(journal: "Journal", kind: str, subject: str) -> Alert | None:
    """End the open alert of a kind and subject, if there is one; returns it as it ended."""
    with journal.database.reading() as connection:  # most of the time there is none: take no lock
        if connection.execute(select(alerts.c.number).where(_about(kind, subject))).first() is None:
            return None
    with journal.database.writing(alone=True) as connection:
        row = connection.execute(select(alerts).where(_about(kind, subject))).first()
        if row is None:
            return None
        mine = alerts.c.number == row.number
        ended = {"over_at": journal.now, "tries": 0, "tried_at": None}
        connection.execute(update(alerts).where(mine).values(**ended))
        told = events.AlertOver(row.number, kind, row.subject, row.message)
        events.tell(connection, told, at=journal.now)
        return _alert(connection.execute(select(alerts).where(mine)).one())


def read(
    journal: "Journal", *, kind: str | None = None, over: bool = False, limit: int = 100
) -> list[Alert]:
    """Open alerts, newest first.

    Args:
        over: Also those that are over.
    """
    wanted = select(alerts).order_by(alerts.c.number.desc()).limit(limit)
    if kind is not None:
        wanted = wanted.where(alerts.c.kind == kind)
    if not over:
        wanted = wanted.where(alerts.c.over_at.is_(None))
    with journal.database.reading() as connection:
        return [_alert(row) for row in connection.execute(wanted)]


def untold(journal: "Journal", most: int = 50) -> list[Alert]:
    """Take alerts that the webhook has not taken, for an attempt: no other process gets them now.

    An attempt that is not followed by :func:`told` is free for another one after a while that
    grows. What was raised and is over before anybody was told is told once, as over.
    """
    now = journal.now
    open_ones = alerts.c.over_at.is_(None) & alerts.c.told_at.is_(None)
    ended = alerts.c.over_at.is_not(None) & alerts.c.over_told_at.is_(None)
    wanted = select(alerts).where(or_(open_ones, ended), alerts.c.tries < TRIES)
    with journal.database.reading() as connection:
        if connection.execute(wanted.limit(1)).first() is None:
            return []
    with journal.database.writing(alone=True) as connection:
        rows = connection.execute(wanted.order_by(alerts.c.number)).all()
        due = [row for row in rows if _is_due(row, now)][:most]
        tried = {"tries": alerts.c.tries + 1, "tried_at": now}
        mine = alerts.c.number.in_([row.number for row in due])
        connection.execute(update(alerts).where(mine).values(**tried))
    return [_alert(row) for row in due]


def told(journal: "Journal", taken: Sequence[Alert]) -> None:
    """Note that the webhook took alerts, as they were."""
    now = journal.now
    with journal.database.writing() as connection:
        for alert in taken:
            mine = update(alerts).where(alerts.c.number == alert.number)
            connection.execute(mine.values(told_at=alert.told_at or now, tries=0, tried_at=None))
            if not alert.is_open:
                connection.execute(mine.values(over_told_at=now))


def forget(connection: Connection, before: datetime) -> None:
    """Drop alerts that were over before."""
    connection.execute(delete(alerts).where(alerts.c.over_at < before))


def _about(kind: str, subject: str) -> Any:
    same = (alerts.c.kind == kind) & (alerts.c.subject == subject[:_LONGEST_SUBJECT])
    return same & alerts.c.over_at.is_(None)


def _is_due(row: Row[Any], now: datetime) -> bool:
    if row.tried_at is None:
        return True
    pause: timedelta = _FIRST_PAUSE * 2 ** min(max(row.tries - 1, 0), 10)
    return bool(now >= row.tried_at + min(pause, _LONGEST_PAUSE))


def _alert(row: Row[Any]) -> Alert:
    names = ("number", "kind", "subject", "message", "facts", "raised_at", "over_at", "told_at")
    return Alert(*(getattr(row, name) for name in names))
