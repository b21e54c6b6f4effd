"""What happened, in order: a stream that a client follows by a number."""

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import House, HouseDep
from app.api.security import READ
from lake.journal import events

router = APIRouter(tags=["agents"])

#: Seconds a request may wait for something to happen, and how often it looks.
LONGEST_WAIT = 30.0
_LOOK_EVERY = 0.25

_Kind = Literal["job", "heartbeat", "switch", "alert", "alert_over", "bars"]


class EventsQuery(BaseModel):
    """Which events."""

    model_config = ConfigDict(extra="forbid")

    after: int | None = Field(
        default=None,
        ge=0,
        description="What came after this number; 0: from the oldest; none: the newest `limit`",
        examples=[1200],
    )
    kind: list[_Kind] = Field(default=[], description="Only these; repeat it for several")
    limit: int = Field(default=100, ge=1, le=1_000)
    wait: float = Field(
        default=0,
        ge=0,
        le=LONGEST_WAIT,
        description="Seconds to wait for an event if there is none yet; with `after`",
    )


class EventAnswer(BaseModel):
    """One event; each kind has fields of its own besides."""

    model_config = ConfigDict(extra="allow")

    number: int
    at: datetime
    kind: str = Field(examples=["job"])


class EventsAnswer(BaseModel):
    """Events, oldest first."""

    events: list[EventAnswer]
    next: int = Field(description="Ask for what comes `after` this to go on", examples=[1204])


@router.get(
    "/events",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": EventsAnswer}, **error_responses(404)},
)
async def get_events(
    query: Annotated[EventsQuery, Query()], house: HouseDep, request: Request
) -> Response:
    """Events in their order, from a number on; waits for the next one where it is asked to.

    Go on with `after` = `next` of the last answer: nothing is missed and nothing comes twice. 404
    tells a client that was away for more than 30 days that events it has not seen are forgotten.
    """
    end = time.monotonic() + (query.wait if query.after is not None else 0)
    while True:
        found = await run_in_threadpool(_read, house, query)
        left = end - time.monotonic()
        if found.events or left <= 0 or house.leaving.is_set() or await request.is_disconnected():
            return json_response(_plain(found))
        await asyncio.sleep(min(_LOOK_EVERY, left))


def _read(house: House, query: EventsQuery) -> events.Read:
    return events.read(house.journal, query.after, query.limit, query.kind)


def _plain(found: events.Read) -> dict[str, Any]:
    return {"events": [events.plain(event) for event in found.events], "next": found.next}
