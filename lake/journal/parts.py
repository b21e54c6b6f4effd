"""Jobs that are done in parts: one whole that a user asked for, and short pieces of work under it.

A whole waits while its parts are worked on; when the last of them is over it is taken up again, to
sum up. Nobody but the whole's own work knows what a part is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Exists, func, insert, select, update

from lake.journal.records import UNFINISHED, Job
from lake.journal.tables import jobs


@dataclass(frozen=True)
class Piece:
    """What one part is to do.

    Attributes:
        symbol: Shown with it; empty for several.
        params: Plain JSON.
        total: Its steps.
    """

    symbol: str
    params: dict[str, Any]
    total: int


def add(connection: Connection, whole: Job, pieces: Sequence[Piece]) -> list[str]:
    """Queue the parts of a job, in their order; returns their ids."""
    rows = [
        {
            "id": uuid4().hex[:12],
            "kind": whole.kind,
            "source": whole.source,
            "symbol": piece.symbol,
            "first_session": whole.first,
            "last_session": whole.last,
            "params": piece.params,
            "state": "queued",
            "done": 0,
            "total": piece.total,
            "message": "",
            "trace_id": whole.trace_id,
            "crashes": 0,
            "created_at": whole.created_at,
            "parent": whole.id,
        }
        for piece in pieces
    ]
    connection.execute(insert(jobs), rows)
    total = sum(piece.total for piece in pieces)
    waits = {"state": "queued", "holder": None, "lease_until": None, "done": 0, "total": total}
    told = {"message": f"{len(pieces)} parts are queued"}
    connection.execute(update(jobs).where(jobs.c.id == whole.id).values(**waits, **told))
    return [str(row["id"]) for row in rows]


def waiting() -> Exists:
    """SQL: a job has parts that are not over."""
    part = jobs.alias("part")
    return (
        select(part.c.id).where(part.c.parent == jobs.c.id, part.c.state.in_(UNFINISHED)).exists()
    )


def left(connection: Connection, job_id: str) -> int:
    """How many parts of a job are not over."""
    mine = (jobs.c.parent == job_id) & jobs.c.state.in_(UNFINISHED)
    return connection.execute(select(func.count()).where(mine)).scalar() or 0


def sum_up(connection: Connection, job_id: str, message: str) -> bool:
    """Tell a job how far its parts are together; it runs while one of them does.

    Returns:
        Whether its state is another one than before.
    """
    before = select(jobs.c.state).where(jobs.c.id == job_id).with_for_update()
    state = connection.execute(before).scalar()
    mine = jobs.c.parent == job_id
    done = connection.execute(select(func.sum(jobs.c.done)).where(mine)).scalar() or 0
    told: dict[str, Any] = {"done": done, "crashes": 0}
    told |= {"message": message} if message else {}
    at_work = select(jobs.c.rates).where(mine, jobs.c.state == "running")
    running = connection.execute(at_work).all()
    told["state"] = "running" if running else "queued"
    if rates := [row.rates for row in running if row.rates]:
        speed = sum(facts.get("bars_per_second") or 0 for facts in rates)
        told["rates"] = rates[-1] | {"bars_per_second": speed}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(**told))
    return bool(told["state"] != state)
