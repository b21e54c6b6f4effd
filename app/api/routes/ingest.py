"""Queueing downloads."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from agents.listed import symbols_of
from agents.queueing import ORDERS, check_symbols, ingest_params, queue_ingest, span
from agents.sources import require_keys
from app.api.errors import error_responses
from app.api.house import House, HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import Range, SymbolPath
from app.api.security import OPERATE
from lake.datasets import BARS_1M, DATASETS
from lake.errors import LakeMissingError, RangeError
from lake.lists import ListMissingError

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
    order: str | None = Field(
        default=None,
        description="Which years come first: newest (the default) or oldest",
        json_schema_extra={"enum": list(ORDERS)},
    )


class IngestBody(IngestQuery):
    """Which bars to fetch, of which symbols."""

    model_config = ConfigDict(populate_by_name=True)

    symbols: list[str] = Field(
        default_factory=list, max_length=20_000, description="Tickers", examples=[["SPY", "QQQ"]]
    )
    list_name: str | None = Field(
        default=None,
        alias="list",
        description="Who is on this list on any day of the range, beside them",
        examples=["sp500"],
    )


@router.post("/ingest", dependencies=[OPERATE], status_code=202, responses=error_responses(503))
def post_ingest_many(body: IngestBody, house: HouseDep, response: Response) -> JobAnswer:
    """Fetch what is missing of many symbols, in the background, as one job.

    The job is done in parts by all workers; ``GET /jobs?parent=ID`` lists them. For the rest as
    ``POST /ingest/{symbol}``.
    """
    return _queued(house, response, [*body.symbols, *_members(house, body)], body)


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
    """Fetch what is missing of a symbol, or of several with commas between, in the background.

    Without dates: whatever is missing of the last BARLAKE_HISTORY. Dates are New York session
    dates, both included; all may stand in the query or in a JSON body. What is queued or running
    already is not queued twice: the same job comes back.
    """
    return _queued(house, response, symbol.split(","), _said_once(query, body or IngestQuery()))


def _members(house: House, asked: IngestBody) -> list[str]:
    if asked.list_name is None:
        return []
    try:
        lake = house.lake
    except LakeMissingError:
        raise ListMissingError(asked.list_name) from None
    ends = asked.start, asked.end
    return symbols_of(lake, house.settings, asked.list_name, *ends, now=datetime.now(UTC))


def _queued(house: House, response: Response, symbols: list[str], asked: IngestQuery) -> JobAnswer:
    wanted = check_symbols(symbols)
    now, dataset = datetime.now(UTC), asked.dataset or BARS_1M.name
    order = asked.order or ORDERS[0]
    # What is wrong with the question is told with or without a broker.
    span(house.settings.history, asked.start, asked.end, now=now)
    ingest_params(dataset, again=asked.again, order=order)
    require_keys(house.settings)
    house.require_broker()
    job, _ = queue_ingest(
        house.journal,
        house.settings,
        wanted,
        asked.start,
        asked.end,
        dataset=dataset,
        again=asked.again,
        order=order,
        now=now,
        send=house.send,
    )
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)


def _said_once(query: IngestQuery, body: IngestQuery) -> IngestQuery:
    """What the query and the body say together."""
    told: dict[str, Any] = {}
    for name in ("start", "end", "dataset", "order"):
        here, there = getattr(query, name), getattr(body, name)
        if here and there and here != there:
            problem = f"The query says {name}={here} and the body says {there}. Say it once."
            raise RangeError(problem)
        told[name] = here or there
    return IngestQuery(**told, again=query.again or body.again)
