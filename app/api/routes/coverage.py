"""What was fetched, and what was not."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.parameters import Range, SymbolPath, ticker
from app.api.security import READ
from lake.datasets import DATASETS, check_dataset
from lake.errors import BarsMissingError, LakeMissingError

router = APIRouter(tags=["bars"])


class CoverageQuery(Range):
    """Where to look for gaps; by default everywhere between the first and the last fetch."""

    source: str | None = Field(
        default=None, description="Provider and feed; by default the one shown"
    )
    dataset: str = Field(
        default="bars_1m",
        description="Minutes, or the provider's own daily bars",
        json_schema_extra={"enum": list(DATASETS)},
    )


class Interval(BaseModel):
    """What one or more fetches brought completely."""

    start: datetime = Field(description="First moment (UTC)")
    end: datetime = Field(description="First moment after it (UTC)")


class Gap(BaseModel):
    """Regular minutes of one session, or its daily bar, that no fetch has brought."""

    session_date: date
    start: datetime
    end: datetime
    minutes: int | None = Field(description="How many; null for a daily bar")


class CoverageAnswer(BaseModel):
    """What was fetched of a symbol. Why a fetched minute has no bar is told by `GET /gaps/{symbol}`."""

    symbol: str = Field(examples=["SPY"])
    source: str = Field(examples=["alpaca:iex"])
    dataset: str = Field(examples=["bars_1m"])
    coverage: list[Interval]
    gaps: list[Gap]


@router.get(
    "/coverage/{symbol:path}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": CoverageAnswer}, **error_responses(404)},
)
def get_coverage(
    symbol: SymbolPath, query: Annotated[CoverageQuery, Query()], house: HouseDep
) -> Response:
    """Fetched intervals of a symbol, and the session minutes (or daily bars) in none of them."""
    wanted, dataset = ticker(symbol), check_dataset(query.dataset).name
    start, end = query.ends()
    try:
        lake = house.lake
    except LakeMissingError:
        raise BarsMissingError(wanted, dataset=dataset) from None
    source = lake.source_of(wanted, query.source, dataset=dataset)
    facts = {
        "symbol": wanted,
        "source": source,
        "dataset": dataset,
        "coverage": lake.coverage(wanted, source, dataset=dataset).select("start", "end"),
        "gaps": lake.gaps(wanted, start, end, source, dataset=dataset).select(
            "session_date", "start", "end", "minutes"
        ),
    }
    return json_response(facts)
