"""Heartbeats: who works for the lake, and who went silent."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from lake.journal.processes import is_dead
from lake.journal.records import Agent
from lake.journal.tables import heartbeats, jobs

_REMEMBERED = timedelta(days=7)


def keep(connection: Connection, name: str, told: dict[str, Any]) -> bool:
    """Note an agent's newest heartbeat.

    Returns:
        Whether its state is another than before, or the agent is another process.
    """
    mine = heartbeats.c.name == name
    before = connection.execute(select(heartbeats.c.state, heartbeats.c.holder).where(mine)).first()
    if before is None:
        connection.execute(insert(heartbeats).values(name=name, **told))
        return True
    connection.execute(update(heartbeats).where(mine).values(**told))
    return (before.state, before.holder) != (told["state"], told["holder"])


def read(connection: Connection, now: datetime) -> list[Agent]:
    """Agents that beat within the last week, by name."""
    recent = select(heartbeats).where(heartbeats.c.beat_at > now - _REMEMBERED)
    return [_agent(row, now) for row in connection.execute(recent.order_by(heartbeats.c.name))]


def waiting(connection: Connection) -> int:
    """How many jobs wait for a worker; wholes that wait for their parts are none."""
    part = jobs.alias("part")
    parts = select(part.c.id).where(part.c.parent == jobs.c.id).exists()
    queued = select(func.count()).where(jobs.c.state == "queued", ~parts)
    return connection.execute(queued.select_from(jobs)).scalar() or 0


def forget(connection: Connection, before: datetime) -> None:
    """Drop agents whose last heartbeat is older."""
    connection.execute(delete(heartbeats).where(heartbeats.c.beat_at < before))


def _agent(row: Any, now: datetime) -> Agent:
    age = max((now - row.beat_at).total_seconds(), 0.0)
    silent = age > row.period or is_dead(row.holder)
    return Agent(
        name=row.name,
        kind=row.kind,
        state=row.state,
        pid=row.pid,
        host=row.host,
        age=age,
        detail=row.detail,
        stalled=silent and row.state != "stopped",
    )
