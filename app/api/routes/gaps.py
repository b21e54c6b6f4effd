"""Every regular minute without a bar, and why it has none."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.coverage import CoverageQuery
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import SymbolPath, names, ticker
from app.api.security import OPERATE, READ
from lake.datasets import check_dataset
from lake.errors import BarsMissingError, LakeMissingError

router = APIRouter(tags=["bars"])

Class = Literal["not_fetched", "halted", "missing_at_provider", "no_trade", "unconfirmed"]


class GapsQuery(CoverageQuery):
    """Where to look; by default everywhere between the first and the last fetch."""

    kind: Class | None = Field(default=None, alias="class", description="Only holes of this class")
    limit: int = Field(default=1000, ge=1, le=100_000, description="The newest this many holes")


class RoundQuery(BaseModel):
    """Whose gaps a round is about."""

    model_config = ConfigDict(extra="forbid")

    symbols: str | None = Field(
        default=None, description="Tickers with commas between; all without", examples=["SPY,QQQ"]
    )


class Minutes(BaseModel):
    """Regular minutes (of daily bars: sessions) by what they are; expected is the sum of the others."""

    expected: int
    present: int
    not_fetched: int = Field(description="No fetch has brought them")
    halted: int = Field(description="Trading was halted")
    missing_at_provider: int = Field(description="Too liquid a symbol for nobody to have traded")
    no_trade: int = Field(description="Asked for twice, minutes apart, and still absent")
    unconfirmed: int = Field(description="Asked for once and absent")


class SessionMinutes(Minutes):
    """The same of one session."""

    session_date: date


class Hole(BaseModel):
    """A run of absent minutes of one session that are alike."""

    model_config = ConfigDict(populate_by_name=True)

    session_date: date
    start: datetime = Field(description="First moment (UTC)")
    end: datetime = Field(description="First moment after it (UTC)")
    minutes: int | None = Field(description="How many; null for a daily bar")
    kind: Class = Field(alias="class")
    fetched: int = Field(description="Complete answers that lack it")
    asked: int = Field(description="How often it was asked for again")
    asked_at: datetime | None = Field(description="When it was last asked for")


class GapsAnswer(BaseModel):
    """What is absent of a symbol, and why."""

    symbol: str = Field(examples=["SPY"])
    source: str = Field(examples=["alpaca:iex"])
    dataset: str = Field(examples=["bars_1m"])
    minutes: Minutes
    sessions: list[SessionMinutes]
    holes: list[Hole] = Field(description="The newest ones, oldest first")
    more: bool = Field(description="Whether older holes were left out by the limit")


@router.post("/gaps", dependencies=[OPERATE], status_code=202, responses=error_responses(503))
def post_gaps(
    query: Annotated[RoundQuery, Query()], house: HouseDep, response: Response
) -> JobAnswer:
    """Scan for gaps in the background, and ask the provider for what may still come."""
    wanted = [ticker(symbol) for symbol in names(query.symbols) or []]
    house.require_broker()
    params = {"symbols": sorted(set(wanted))} if wanted else None
    job, new = house.journal.queue("gaps", "", "", params=params)
    if new:
        house.send(job)
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)


@router.get(
    "/gaps/{symbol:path}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": GapsAnswer}, **error_responses(404)},
)
def get_gaps(symbol: SymbolPath, query: Annotated[GapsQuery, Query()], house: HouseDep) -> Response:
    """Regular minutes by what they are, by session, and the holes with their class."""
    from lake.gap_scan import look

    wanted, dataset = ticker(symbol), check_dataset(query.dataset).name
    start, end = query.ends()
    try:
        lake = house.lake
    except LakeMissingError:
        raise BarsMissingError(wanted, dataset=dataset) from None
    source = lake.source_of(wanted, query.source, dataset=dataset)
    found = look(lake, wanted, source, dataset=dataset, start=start, end=end)
    if found is None:
        raise BarsMissingError(wanted, query.source, dataset)
    holes = found.holes_told
    if query.kind is not None:
        holes = holes.filter(holes["class"] == query.kind)
    facts = {
        "symbol": wanted,
        "source": source,
        "dataset": dataset,
        "minutes": found.minutes,
        "sessions": found.counts,
        "holes": holes.tail(query.limit),
        "more": holes.height > query.limit,
    }
    return json_response(facts)
