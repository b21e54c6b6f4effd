"""Named lists of symbols, dated, with what was known when."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import House, HouseDep
from app.api.routes.parameters import unspoiled
from app.api.security import OPERATE, READ
from lake import lists, sessions
from lake.errors import LakeMissingError
from lake.opening import open_by

if TYPE_CHECKING:
    from lake import Lake

router = APIRouter(tags=["lists"])

Name = Annotated[str, Path(description="A list", examples=["sp500"], max_length=100)]


class ListsQuery(BaseModel):
    """Which knowledge."""

    model_config = ConfigDict(extra="forbid")

    as_of: str | None = Field(
        default=None, description="As the lake knew it then: a New York date (its end) or a time"
    )


class ListQuery(ListsQuery):
    """Which day."""

    on: date | None = Field(default=None, description="Members of this day; by default today")


class ListLine(BaseModel):
    """One list."""

    name: str = Field(examples=["sp500"])
    members: int = Field(description="In its newest state", examples=[503])
    begins: date = Field(description="The first day that it was set from")
    valid_from: date = Field(description="The first day of its newest state")
    states: int = Field(description="How many days it was set from")
    recorded_at: datetime


class ListsAnswer(BaseModel):
    """All lists, by name."""

    lists: list[ListLine]


class State(BaseModel):
    """A list from a day on."""

    valid_from: date = Field(description="First day")
    valid_to: date | None = Field(description="First day of the next state; null: none")
    symbols: list[str]
    recorded_at: datetime


class ListAnswer(BaseModel):
    """A list on a day, and all it was and will be."""

    name: str = Field(examples=["sp500"])
    on: date
    symbols: list[str] = Field(examples=[["QQQ", "SPY"]])
    states: list[State]


class ListBody(BaseModel):
    """Who is on a list from a day on."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    symbols: list[str] = Field(
        min_length=1, max_length=20_000, description="Tickers", examples=[["SPY", "QQQ"]]
    )
    start: date | None = Field(
        default=None,
        alias="from",
        description="First day; by default today",
        examples=["2024-05-01"],
    )


@router.get(
    "/lists",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": ListsAnswer}},
)
def get_lists(query: Annotated[ListsQuery, Query()], house: HouseDep) -> Response:
    """Named lists of symbols."""
    try:
        found = lists.lists(house.lake, as_of=unspoiled(query.as_of))
    except LakeMissingError:
        return json_response({"lists": []})
    return json_response({"lists": found})


@router.get(
    "/lists/{name}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": ListAnswer}, **error_responses(404)},
)
def get_list(name: Name, query: Annotated[ListQuery, Query()], house: HouseDep) -> Response:
    """Who is on a list on a day, as known now or then, and its states."""
    wanted = lists.check_list(name)
    try:
        lake = house.lake
    except LakeMissingError:
        raise lists.ListMissingError(wanted) from None
    return _answer(lake, wanted, query.on, unspoiled(query.as_of))


@router.put(
    "/lists/{name}",
    dependencies=[OPERATE],
    response_class=Response,
    responses={200: {"model": ListAnswer}},
)
def put_list(name: Name, body: ListBody, house: HouseDep) -> Response:
    """Say who is on a list from a day on, until the next day that it is set from.

    Nothing is overwritten: setting a day anew is a correction, which ``as_of`` before it does not know.
    """
    wanted = lists.check_list(name)
    day = body.start or sessions.today(datetime.now(UTC))
    lake = _made(house)
    lists.set_list(lake, wanted, body.symbols, day)
    return _answer(lake, wanted, day, None)


def _made(house: House) -> "Lake":
    """The lake of the home, made if it is not there."""
    try:
        return house.lake
    except LakeMissingError:
        open_by(house.settings, create=True).close()
        return house.lake


def _answer(lake: "Lake", name: str, on: date | None, as_of: str | None) -> Response:
    day = on or sessions.today(datetime.now(UTC))
    facts = {
        "name": name,
        "on": day,
        "symbols": lists.members(lake, name, on=day, as_of=as_of),
        "states": lists.states(lake, name, as_of=as_of),
    }
    return json_response(facts)
