"""Whether the API and what it stands on are well. Public, so it says states and no more."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.house import House, HouseDep
from app.api.security import PUBLIC
from lake.errors import LakeError, LakeMissingError

router = APIRouter(tags=["health"])


class Part(BaseModel):
    """One thing the API stands on."""

    state: Literal["ready", "empty", "starting", "missing"]
    message: str


class HealthAnswer(BaseModel):
    """``degraded``: reading works, and something else does not."""

    status: Literal["ok", "degraded"] = Field(examples=["ok"])
    lake: Part
    journal: Part
    broker: Part


@router.get("/health", dependencies=[PUBLIC])
def get_health(house: HouseDep) -> HealthAnswer:
    """How lake, journal and broker are. An empty home is healthy."""
    parts = {"lake": _lake(house), "journal": _journal(house), "broker": _broker(house)}
    well = all(part.state != "missing" for part in parts.values())
    return HealthAnswer(status="ok" if well else "degraded", **parts)


def _lake(house: House) -> Part:
    try:
        with house.lake.reading() as connection:
            connection.execute("SELECT 1")
    except LakeMissingError:
        return Part(state="empty", message="No lake yet; the first ingest makes it.")
    except Exception:  # noqa: BLE001 - a door: the answer is that it does not open
        return Part(state="missing", message="The lake does not open; the log says why.")
    return Part(state="ready", message="The lake answers.")


def _journal(house: House) -> Part:
    try:
        house.journal.jobs(limit=1)
    except Exception:  # noqa: BLE001 - a door: the answer is that it does not open
        return Part(state="missing", message="The journal does not open; the log says why.")
    return Part(state="ready", message="The journal answers.")


def _broker(house: House) -> Part:
    if house.joining.pending:
        return Part(state="starting", message="The embedded broker is starting.")
    try:
        house.require_broker(0.0)
    except LakeError:
        return Part(
            state="missing",
            message="No broker answers: nothing can be queued. `barlake up` starts one.",
        )
    return Part(state="ready", message="The broker answers.")
