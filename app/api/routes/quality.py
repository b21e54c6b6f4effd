"""How good the stored minutes are."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import ticker
from app.api.security import OPERATE, READ
from lake.journal import quality

router = APIRouter(tags=["bars"])


class QualityAnswer(BaseModel):
    """One series of minutes on one session."""

    model_config = ConfigDict(from_attributes=True)

    symbol: str = Field(examples=["SPY"])
    source: str = Field(examples=["alpaca:iex"])
    day: date = Field(description="The session")
    expected: int = Field(description="Its regular minutes", examples=[390])
    fetched: int = Field(description="How many of them were fetched", examples=[390])
    bars: int
    quarantined: int = Field(description="Minutes whose bar broke a rule")
    requests: int = Field(description="Asked about the symbol on that day (UTC)")
    failures: int
    completeness: float | None = Field(description="fetched / expected; at least 0.95")
    hours_behind: float | None = Field(
        description="Since when the next minute could be here; at most 24. Null but for the newest "
        "session of a series that is kept up to date"
    )
    error_rate: float | None = Field(description="failures / requests; at most 0.01")
    passed: float | None = Field(description="bars / (bars + quarantined); at least 0.99")
    breaches: list[str] = Field(
        description="What is not good enough", examples=[["completeness", "freshness"]]
    )
    computed_at: datetime


class QualitiesAnswer(BaseModel):
    """The newest session of each series; or the sessions of one symbol, oldest first."""

    quality: list[QualityAnswer]


class QualityQuery(BaseModel):
    """Of what."""

    model_config = ConfigDict(extra="forbid")

    symbol: str | None = Field(
        default=None, description="By session; without it the newest of each series"
    )
    source: str | None = None
    start: date | None = Field(default=None, description="First session")
    end: date | None = Field(default=None, description="Last session, included")
    limit: int = Field(default=1_000, ge=1, le=10_000)


@router.get("/quality", dependencies=[READ])
def get_quality(query: Annotated[QualityQuery, Query()], house: HouseDep) -> QualitiesAnswer:
    """Quality as it was computed last: each night, or on demand by POST."""
    if query.symbol is None:
        found = quality.newest(house.journal)
        kept = [one for one in found if query.source in (None, one.source)][: query.limit]
    else:
        kept = quality.of_series(
            house.journal,
            ticker(query.symbol),
            source=query.source,
            first=query.start,
            last=query.end,
            limit=query.limit,
        )
    return QualitiesAnswer(quality=[QualityAnswer.model_validate(one) for one in kept])


@router.post("/quality", dependencies=[OPERATE], status_code=202, responses=error_responses(503))
def post_quality(house: HouseDep, response: Response) -> JobAnswer:
    """Compute quality anew in the background: of what was fetched since, and the newest sessions."""
    house.require_broker()
    job, new = house.journal.queue("quality", "", "")
    if new:
        house.send(job)
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)
