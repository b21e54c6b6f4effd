"""Queueing downloads."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from agents.queueing import queue_ingest, span
from agents.sources import require_keys
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import Range, SymbolPath, ticker
from app.api.security import OPERATE
from lake.errors import RangeError

router = APIRouter(tags=["ingest"])


@router.post(
    "/ingest/{symbol:path}",
    dependencies=[OPERATE],
    status_code=202,
    responses=error_responses(503),
)
def post_ingest(
    symbol: SymbolPath,
    query: Annotated[Range, Query()],
    house: HouseDep,
    response: Response,
    body: Range | None = None,
) -> JobAnswer:
    """Fetch what is missing of a symbol, in the background.

    Without dates: whatever is missing of the last BARLAKE_HISTORY. Dates are New York session
    dates, both included, in the query or in a JSON body. What is queued or running already is
    not queued twice: the same job comes back.
    """
    wanted = ticker(symbol)
    start, end = _one_range(query, body or Range())
    now = datetime.now(UTC)
    span(house.settings.history, start, end, now=now)  # bad dates are told with or without a broker
    require_keys(house.settings)
    house.require_broker()
    job, _ = queue_ingest(
        house.journal,
        house.settings,
        wanted,
        start,
        end,
        now=now,
        send=house.send,
    )
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)


def _one_range(query: Range, body: Range) -> tuple[str | None, str | None]:
    for name in ("start", "end"):
        here, there = getattr(query, name), getattr(body, name)
        if here and there and here != there:
            problem = f"The query says {name}={here} and the body says {there}. Say it once."
            raise RangeError(problem)
    return query.start or body.start, query.end or body.end
