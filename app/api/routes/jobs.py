"""Queued, running and finished work."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, computed_field

from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.parameters import ticker
from app.api.security import READ
from lake.journal import Job
from lake.journal.outlook import outlook
from lake.kinds import Kind, State

router = APIRouter(tags=["jobs"])


class OutlookAnswer(BaseModel):
    """How a job goes; null where nothing is known."""

    model_config = ConfigDict(from_attributes=True)

    percent: float | None = Field(examples=[54.5])
    bars_per_second: float | None = Field(examples=[310000])
    budget_left: int | None = Field(
        description="Requests that the provider allows now", examples=[173]
    )
    seconds_left: float | None = Field(
        description="As told, or from what is done and the time it took", examples=[12.0]
    )
    symbol: str | None = Field(description="On which it is", examples=["SPY"])


class JobLine(BaseModel):
    """One piece of work and how far it is, without what it came to."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(examples=["3f1c9a52e0b14c1e"])
    kind: str = Field(examples=["ingest"])
    state: State
    source: str = Field(examples=["alpaca:iex"])
    symbol: str = Field(
        description="Empty where it is about several: params.symbols", examples=["SPY"]
    )
    label: str = Field(description="Its symbols, in a few characters", examples=["AAPL, MSFT +3"])
    parent: str | None = Field(default=None, description="The job that it is a part of")
    first: date | None = Field(description="First session", examples=["2024-05-01"])
    last: date | None = Field(description="Last session", examples=["2024-05-31"])
    params: dict[str, Any]
    done: int = Field(description="Steps done", examples=[12])
    total: int = Field(description="Steps in all; 0: not known yet", examples=[22])
    message: str = Field(examples=["2024-05-16"])
    error: str | None
    trace_id: str | None
    worker: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rates: dict[str, Any] | None = Field(default=None, exclude=True)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def outlook(self) -> OutlookAnswer:
        """How it goes."""
        return OutlookAnswer.model_validate(outlook(cast("Job", self), datetime.now(UTC)))


class JobAnswer(JobLine):
    """One piece of work, how far it is and what it came to."""

    result: dict[str, Any] | None


class JobsAnswer(BaseModel):
    """Jobs, newest first; ``GET /jobs/{job_id}`` has the result of each."""

    jobs: list[JobLine]


class JobsQuery(BaseModel):
    """Which jobs."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    kind: Kind | None = None
    symbol: str | None = Field(default=None, examples=["SPY"])
    parent: str | None = Field(
        default=None, description="The parts of this job; without it, whole jobs", max_length=64
    )
    limit: int = Field(default=50, ge=1, le=1_000)


@router.get("/jobs", dependencies=[READ])
def get_jobs(query: Annotated[JobsQuery, Query()], house: HouseDep) -> JobsAnswer:
    """Jobs, newest first, without their results; those come with each job alone."""
    symbol = ticker(query.symbol) if query.symbol else None
    found = house.journal.jobs(
        state=query.state, kind=query.kind, symbol=symbol, limit=query.limit, parent=query.parent
    )
    return JobsAnswer(jobs=[JobLine.model_validate(job) for job in found])


@router.get("/jobs/{job_id}", dependencies=[READ], responses=error_responses(404))
def get_job(job_id: Annotated[str, Path(max_length=64)], house: HouseDep) -> JobAnswer:
    """One job and how far it is."""
    return JobAnswer.model_validate(house.journal.job(job_id))
