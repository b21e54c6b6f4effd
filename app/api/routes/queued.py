"""Queueing work of the research agent: the same answer whatever it is."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response

from app.api.house import House
from app.api.routes.jobs import JobAnswer


def queued(
    house: House, response: Response, kind: str, symbol: str, params: Mapping[str, Any]
) -> JobAnswer:
    """Queue a job; what is queued or running already is not queued twice: the same one comes back.

    Raises:
        BrokerMissingError: No broker answers. Nothing was queued.
    """
    house.require_broker()
    job, made = house.journal.queue(kind, "", symbol, None, None, dict(params))
    if made:
        house.send(job)
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)


def said(body: Any) -> dict[str, Any]:
    """What a body says: its fields that are not null, as plain JSON."""
    found: dict[str, Any] = body.model_dump(mode="json", exclude_none=True)
    return found
