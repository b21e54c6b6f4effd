"""Papers with the tickers they had, the provider's calendar beside ours, and reading them anew."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response, parsed_rows
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import names, ticker, unspoiled
from app.api.security import OPERATE, READ
from lake import calendars, instruments
from lake.actions import provider_of
from lake.errors import LakeMissingError
from lake.known import newest_read

router = APIRouter(tags=["instruments"])


class CalendarQuery(BaseModel):
    """Which knowledge."""

    model_config = ConfigDict(extra="forbid")

    as_of: str | None = Field(
        default=None, description="As the lake knew it then: a New York date (its end) or a time"
    )
    source: str | None = Field(
        default=None, description="Whose; by default that of the settings", examples=["alpaca:iex"]
    )


class InstrumentsQuery(CalendarQuery):
    """Which papers."""

    symbols: str | None = Field(
        default=None,
        description="Tickers with commas between: papers that ever had one, with all of theirs",
        examples=["META,FB"],
    )
    on: date | None = Field(default=None, description="Only tickers of that day")
    limit: int = Field(default=1000, ge=1, le=100_000, description="The first this many rows")


class InstrumentAnswer(BaseModel):
    """A paper under one of its tickers."""

    instrument_id: str = Field(description="The provider's own, which outlives a change of names")
    symbol: str = Field(examples=["META"])
    valid_from: date | None = Field(description="First day under it; null: as far as is known")
    valid_to: date | None = Field(description="First day no longer under it; null: it still has it")
    asset_class: str | None = Field(examples=["us_equity"])
    exchange: str | None = Field(examples=["NASDAQ"])
    calendar: str | None = Field(description="As exchange_calendars names it", examples=["XNYS"])
    name: str | None
    status: str | None = Field(examples=["active"])
    listed: date | None = Field(description="First day of the paper; null: not known")
    delisted: date | None = Field(description="First day without it; null: traded, or not known")
    first_seen: date | None = Field(
        description="When a list first had it so; null: told by an action"
    )
    last_seen: date | None = Field(description="When a list last had it so; null: the newest has")


class InstrumentsAnswer(BaseModel):
    """Papers and their tickers, by ticker and day."""

    instruments: list[InstrumentAnswer]
    more: bool = Field(description="Whether rows were left out by the limit")


class DifferenceAnswer(BaseModel):
    """One day on which two calendars are not the same, in New York time."""

    session_date: date
    field: str = Field(description="session, open or close")
    ours: str | None = Field(description="Null: no session", examples=["09:30-16:00"])
    theirs: str | None


class CalendarAnswer(BaseModel):
    """What the newest comparison found; nothing is changed by it."""

    compared_to: date | None = Field(description="Up to which day; null: never compared")
    differences: list[DifferenceAnswer]


class ActionsQuery(CalendarQuery):
    """Which actions."""

    symbols: str | None = Field(
        default=None, description="Tickers with commas between", examples=["AAPL"]
    )
    kind: str | None = Field(default=None, examples=["forward_split"], max_length=64)
    limit: int = Field(default=1000, ge=1, le=100_000, description="The newest this many")


class ActionAnswer(BaseModel):
    """One corporate action."""

    action_id: str = Field(description="The provider's own")
    symbol: str = Field(examples=["AAPL"])
    kind: str = Field(examples=["forward_split"])
    ex_date: date
    process_date: date | None = Field(description="When the provider books it")
    ratio: float | None = Field(description="New shares per old")
    amount: float | None = Field(description="USD per share")
    details: dict[str, Any] | None = Field(description="The provider's own record")


class ActionsAnswer(BaseModel):
    """Corporate actions, newest ex date first."""

    actions: list[ActionAnswer]
    more: bool = Field(description="Whether older ones were left out by the limit")


class ActionsBody(BaseModel):
    """How much to read."""

    model_config = ConfigDict(extra="forbid")

    whole: bool = Field(
        default=False,
        description="The whole history, not only the last 90 days and 30 ahead (once a week it is anyway)",
    )


@router.get(
    "/instruments",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": InstrumentsAnswer}},
)
def get_instruments(query: Annotated[InstrumentsQuery, Query()], house: HouseDep) -> Response:
    """Papers and the tickers they had: ``valid_from`` is inside, ``valid_to`` is outside."""
    symbols = [ticker(symbol) for symbol in names(query.symbols) or []] or None
    as_of, source = unspoiled(query.as_of), query.source or house.settings.source
    try:
        lake = house.lake
    except LakeMissingError:
        return json_response({"instruments": [], "more": False})
    found = instruments.instruments(lake, source, symbols, on=query.on, as_of=as_of)
    more = found.height > query.limit
    return json_response({"instruments": found.head(query.limit), "more": more})


@router.post(
    "/instruments", dependencies=[OPERATE], status_code=202, responses=error_responses(503)
)
def post_instruments(house: HouseDep, response: Response) -> JobAnswer:
    """Read the provider's list of papers and its calendar in the background."""
    return _queued(house, response, "instruments", {})


@router.get(
    "/instruments/calendar",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": CalendarAnswer}},
)
def get_calendar(query: Annotated[CalendarQuery, Query()], house: HouseDep) -> Response:
    """Where the provider's calendar is not ours, over the days that are stored."""
    source = query.source or house.settings.source
    try:
        lake = house.lake
    except LakeMissingError:
        return json_response({"compared_to": None, "differences": []})
    read = newest_read(lake, provider_of(source), "calendar")
    found = calendars.told_differences(lake, source, as_of=unspoiled(query.as_of))
    return json_response({"compared_to": read, "differences": found})


@router.get(
    "/actions",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": ActionsAnswer}},
)
def get_actions(query: Annotated[ActionsQuery, Query()], house: HouseDep) -> Response:
    """Corporate actions, newest ex date first, as known now or then."""
    symbols = [ticker(symbol) for symbol in names(query.symbols) or []] or None
    as_of, source = unspoiled(query.as_of), query.source or house.settings.source
    try:
        lake = house.lake
    except LakeMissingError:
        return json_response({"actions": [], "more": False})
    found = instruments.actions(lake, source, symbols, kind=query.kind, as_of=as_of)
    more = found.height > query.limit
    rows = parsed_rows(found.head(query.limit), "details")
    return json_response({"actions": rows, "more": more})


@router.post("/actions", dependencies=[OPERATE], status_code=202, responses=error_responses(503))
def post_actions(house: HouseDep, response: Response, body: ActionsBody | None = None) -> JobAnswer:
    """Read corporate actions of all series in the background."""
    return _queued(house, response, "actions", {"whole": True} if body and body.whole else {})


def _queued(house: HouseDep, response: Response, kind: str, params: dict[str, bool]) -> JobAnswer:
    house.require_broker()
    job, new = house.journal.queue(kind, house.settings.source, "", params=params)
    if new:
        house.send(job)
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)
