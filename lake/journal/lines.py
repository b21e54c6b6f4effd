"""Log lines in the journal."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from lake.journal.tables import logs

LEVELS = ("debug", "info", "warning", "error", "critical")

_NAMED = ("timestamp", "level", "agent", "symbol", "stage", "message", "job_id", "trace_id")
_LENGTHS = {"level": 16, "agent": 128, "symbol": 32, "stage": 64, "job_id": 32, "trace_id": 64}


def keep(connection: Connection, batch: Sequence[dict[str, Any]]) -> None:
    """Store lines; names beyond the table's columns go to ``extra``."""
    if batch:
        connection.execute(insert(logs), [_row(line) for line in batch])


def read(
    connection: Connection, limit: int, *, agent: str | None, job_id: str | None, level: str | None
) -> list[dict[str, Any]]:
    """Lines of that agent, job and level or worse, newest first."""
    wanted = select(logs).order_by(logs.c.number.desc()).limit(limit)
    if agent is not None:
        wanted = wanted.where(logs.c.agent == agent)
    if job_id is not None:
        wanted = wanted.where(logs.c.job_id == job_id)
    if level in LEVELS:
        wanted = wanted.where(logs.c.level.in_(LEVELS[LEVELS.index(level) :]))
    return [_line(row) for row in connection.execute(wanted)]


def forget(connection: Connection, before: datetime, keep_lines: int) -> int:
    """Drop lines that are older, and the oldest beyond a number; tells how many went."""
    newest = connection.execute(select(func.max(logs.c.number))).scalar() or 0
    too_old = (logs.c.timestamp < before) | (logs.c.number <= newest - keep_lines)
    return connection.execute(delete(logs).where(too_old)).rowcount


def _row(line: dict[str, Any]) -> dict[str, Any]:
    row = {name: line.get(name) for name in _NAMED}
    for name, length in _LENGTHS.items():
        if row[name] is not None:
            row[name] = str(row[name])[:length]
    row["message"] = str(row["message"])
    return row | {"extra": {name: line[name] for name in line if name not in _NAMED}}


def _line(row: Any) -> dict[str, Any]:
    extra: dict[str, Any] = row.extra
    return {name: getattr(row, name) for name in _NAMED} | extra
