"""Which feature sets and features there are, and sets of one's own.

Its routes come before those of ``features.py``, which take any symbol.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import House, HouseDep
from app.api.routes.parameters import names
from app.api.security import OPERATE, READ
from feature_service import describing, user_sets
from feature_service.choosing import choose
from lake.errors import LakeMissingError
from lake.opening import open_by

if TYPE_CHECKING:
    from lake import Lake

router = APIRouter(tags=["features"])


class SetLine(BaseModel):
    """One set."""

    name: str = Field(examples=["core"])
    version: str | None = Field(description="Null if it cannot be computed any more")
    columns: int | None
    timeframe: str | None = Field(examples=["1min"])
    hours: str | None
    adjust: str | None
    context: str | None = Field(description="The other symbol whose bars it reads")
    about: str | None
    built_in: bool
    created_at: datetime | None = Field(description="Of a set that was defined here: when")
    definition: dict[str, Any] | None = Field(description="Of a set that was defined here")
    problem: str = Field(description="Why it cannot be computed any more")


class SetsAnswer(BaseModel):
    """The built-in sets, then those that were defined here."""

    sets: list[SetLine]


class SetBody(BaseModel):
    """A set of one's own: features, groups and expressions, one of them at least."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64, examples=["mine"])
    features: list[str] = Field(default=[], examples=[["sma_20", "rsi_14"]])
    groups: list[str] = Field(default=[], examples=[["volatility"]])
    expressions: dict[str, str] = Field(default={}, examples=[{"trend": "sma_20 / sma_50 - 1"}])
    about: str = Field(default="", max_length=500)
    timeframe: str = "1min"
    hours: str = "regular"
    adjust: str = "split"
    context: str | None = None


class SetAnswer(BaseModel):
    """A set that was defined."""

    name: str
    version: str
    timeframe: str
    hours: str
    adjust: str
    context: str | None
    warm_up: int
    about: str
    groups: dict[str, list[str]] = Field(description="Its columns by group")
    news: bool = Field(description="False if it was so already")


class DefinitionsQuery(BaseModel):
    """Which features."""

    model_config = ConfigDict(extra="forbid")

    set: str = Field(default="wide", description="Name of the feature set", max_length=64)
    groups: str | None = Field(
        default=None, description="Only these groups, with commas", examples=["trend,lags"]
    )


class Definition(BaseModel):
    """A feature as it is declared."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["rsi_14"])
    group: str
    unit: str
    warm_up: int = Field(description="Rows at the beginning of a history that are null")
    hash: str
    code_reference: str
    params: dict[str, int]
    parents: list[str]
    inputs: list[str] = Field(description="Columns of bars that it reads itself")
    lowest: float | None
    highest: float | None
    versions: list[dict[str, Any]] = Field(description="Those that were ever built here")


class DefinitionsAnswer(BaseModel):
    """The features of a set."""

    set: str
    version: str
    features: list[Definition]


@router.get(
    "/features/sets",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": SetsAnswer}},
)
def get_sets(house: HouseDep) -> Response:
    """Every feature set there is."""
    return json_response({"sets": describing.all_sets(lake_if_any(house))})


@router.post(
    "/features/sets",
    dependencies=[OPERATE],
    status_code=201,
    response_class=Response,
    responses={201: {"model": SetAnswer}},
)
def post_set(body: SetBody, house: HouseDep) -> Response:
    """Define a set of one's own; defining it again makes a new version, which stands.

    Expressions have a safe list of functions and are never run as code.
    """
    facts = body.model_dump()
    wanted = user_sets.from_facts(facts.pop("name"), facts)
    try:
        lake = house.lake
    except LakeMissingError:
        open_by(house.settings, create=True).close()
        lake = house.lake
    news = user_sets.define(lake, wanted)
    return json_response(describing.set_facts(choose(lake, wanted.name)) | {"news": news}, 201)


@router.delete(
    "/features/sets/{name}",
    dependencies=[OPERATE],
    status_code=204,
    responses=error_responses(404),
)
def delete_set(
    name: Annotated[str, Path(description="A set that was defined here", max_length=64)],
    house: HouseDep,
) -> None:
    """Forget a set of one's own; what was built of it stays readable."""
    try:
        lake = house.lake
    except LakeMissingError:
        raise user_sets.NoSuchUserSetError(name, ()) from None
    user_sets.drop(lake, name)


@router.get(
    "/features/definitions",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": DefinitionsAnswer}},
)
def get_definitions(query: Annotated[DefinitionsQuery, Query()], house: HouseDep) -> Response:
    """The features of a set as they are declared, with the versions that were ever built."""
    lake = lake_if_any(house)
    chosen, versions = choose(lake, query.set), describing.versions(lake)
    groups = names(query.groups)
    wanted = chosen.of_groups(groups) if groups else chosen.columns
    found = [one for one in chosen.features if one.name in wanted]
    facts = {
        "set": chosen.name,
        "version": chosen.version,
        "features": [describing.feature_facts(one, versions) for one in found],
    }
    return json_response(facts)


@router.get(
    "/features/definitions/{name}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": Definition}},
)
def get_definition(
    name: Annotated[str, Path(description="A feature", examples=["rsi_14"], max_length=64)],
    house: HouseDep,
) -> Response:
    """All about one feature, of the catalog or of a set that was defined here."""
    lake = lake_if_any(house)
    feature = describing.find_feature(lake, name)
    return json_response(describing.feature_facts(feature, describing.versions(lake)))


def lake_if_any(house: House) -> "Lake | None":
    """The lake; None before there is one."""
    try:
        return house.lake
    except LakeMissingError:
        return None
