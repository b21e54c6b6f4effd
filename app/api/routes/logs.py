"""The log lines the journal keeps."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response
from app.api.house import HouseDep
from app.api.security import READ

router = APIRouter(tags=["agents"])


class LogsQuery(BaseModel):
    """Which lines."""

    model_config = ConfigDict(extra="forbid")

    agent: str | None = Field(default=None, examples=["api"])
    job_id: str | None = None
    level: Literal["debug", "info", "warning", "error", "critical"] | None = None
    limit: int = Field(default=100, ge=1, le=1_000)


class LogsAnswer(BaseModel):
    """Log lines, newest first."""

    logs: list[dict[str, Any]] = Field(
        examples=[[{"timestamp": "2024-05-01T13:30:00Z", "level": "info", "message": "committed"}]]
    )


@router.get(
    "/logs", dependencies=[READ], response_class=Response, responses={200: {"model": LogsAnswer}}
)
def get_logs(query: Annotated[LogsQuery, Query()], house: HouseDep) -> Response:
    """What agents said, newest first."""
    found = house.journal.logs(
        query.limit, agent=query.agent, job_id=query.job_id, level=query.level
    )
    return json_response({"logs": found})
