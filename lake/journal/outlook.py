"""How a job goes, in numbers: what its worker told, and what follows from it.

A worker tells ``facts`` with :meth:`Journal.progress`: ``bars`` (so far), ``bars_per_second``,
``budget_left`` (requests that the provider lets us make in the narrowest window now),
``seconds_left`` and ``symbol`` (on which it is). Any may be absent.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake.journal.records import Job


@dataclass(frozen=True)
class Outlook:
    """How far a job is and how long it takes; None where nothing is known.

    Attributes:
        percent: From 0 to 100.
        bars_per_second: As told last.
        budget_left: Requests that may be made now, as told last.
        seconds_left: As told; else from the share that is done and the time it took.
        symbol: On which it is.
    """

    percent: float | None
    bars_per_second: float | None
    budget_left: int | None
    seconds_left: float | None
    symbol: str | None


def outlook(job: Job, now: datetime) -> Outlook:
    """How a job goes. What was told of a job that does not run is no longer true.

    Args:
        now: The time (aware), for what is left.
    """
    told: dict[str, Any] = (job.rates or {}) if job.state == "running" else {}
    return Outlook(
        percent=_percent(job),
        bars_per_second=told.get("bars_per_second"),
        budget_left=told.get("budget_left"),
        seconds_left=told.get("seconds_left", _seconds_left(job, now)),
        symbol=told.get("symbol") or job.symbol or None,
    )


def _percent(job: Job) -> float | None:
    if job.state == "done":
        return 100.0
    return round(min(job.done / job.total, 1.0) * 100, 1) if job.total else None


def _seconds_left(job: Job, now: datetime) -> float | None:
    if job.state != "running" or job.started_at is None or not job.total or job.done <= 0:
        return None
    took = max((now - job.started_at).total_seconds(), 0.0)
    return round(took * max(job.total - job.done, 0) / job.done, 1)
