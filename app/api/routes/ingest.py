"""Queueing downloads."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from agents.queueing import ingest_params, queue_ingest, span
from agents.sources import require_keys
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import Range, SymbolPath, ticker
from app.api.security import OPERATE
from lake.datasets import BARS_1M, DATASETS
from lake.errors import RangeError

router = APIRouter(tags=["ingest"])


class IngestQuery(Range):
    """Which bars to fetch."""

    dataset: str | None = Field(
        default=None,
        description="Minutes (bars_1m, the default), or the provider's own daily bars (bars_daily)",
        json_schema_extra={"enum": list(DATASETS)},
    )
    again: bool = Field(
        default=False,
        description="Ask for what was fetched before too: corrections are stored, old values become revisions",
    )


@router.post(
    "/ingest/{symbol:path}",
    dependencies=[OPERATE],
    status_code=202,
    responses=error_responses(503),
)
def post_ingest(
    symbol: SymbolPath,
    query: Annotated[IngestQuery, Query()],
    house: HouseDep,
    response: Response,
    body: IngestQuery | None = None,
) -> JobAnswer:
    """Fetch what is missing of a symbol, in the background.

    Without dates: whatever is missing of the last BARLAKE_HISTORY. Dates are New York session
    dates, both included; all may stand in the query or in a JSON body. What is queued or running
    already is not queued twice: the same job comes back.
    """
    wanted = ticker(symbol)
    start, end, dataset, again = _said_once(query, body or IngestQuery())
    now = datetime.now(UTC)
    # What is wrong with the question is told with or without a broker.
    span(house.settings.history, start, end, now=now)
    ingest_params(dataset, again=again)
    require_keys(house.settings)
    house.require_broker()
    job, _ = queue_ingest(
        house.journal,
        house.settings,
        wanted,
        start,
        end,
        dataset=dataset,
        again=again,
        now=now,
        send=house.send,
    )
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)


def _said_once(query: IngestQuery, body: IngestQuery) -> tuple[str | None, str | None, str, bool]:
    for name in ("start", "end", "dataset"):
        here, there = getattr(query, name), getattr(body, name)
        if here and there and here != there:
            problem = f"The query says {name}={here} and the body says {there}. Say it once."
            raise RangeError(problem)
    dataset = query.dataset or body.dataset or BARS_1M.name
    return query.start or body.start, query.end or body.end, dataset, query.again or body.again
