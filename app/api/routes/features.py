"""Features of one symbol, and building them anew."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import Range, SymbolPath, names, ticker
from app.api.security import OPERATE, READ
from feature_service.sets import feature_set
from lake.errors import BarsMissingError, LakeMissingError
from lake.features import read_features

router = APIRouter(tags=["features"])


class SetQuery(BaseModel):
    """Which feature set."""

    model_config = ConfigDict(extra="forbid")

    set: str = Field(default="core", description="Name of the feature set", max_length=64)
    source: str | None = Field(
        default=None, description="Provider and feed; by default the one shown"
    )


class FeaturesQuery(Range):
    """Which features of a symbol, and when."""

    set: str = Field(default="core", description="Name of the feature set", max_length=64)
    source: str | None = Field(
        default=None, description="Provider and feed; by default the one shown"
    )
    columns: str | None = Field(
        default=None, description="Only these features, with commas", examples=["sma_20,rsi_14"]
    )
    limit: int = Field(
        default=100, ge=1, le=50_000, description="The newest so many rows of the range"
    )


class FeaturesAnswer(BaseModel):
    """Rows of a feature set, oldest first: ``timestamp`` and a value for each feature."""

    symbol: str = Field(examples=["SPY"])
    set: str = Field(examples=["core"])
    features: list[dict[str, Any]] = Field(
        examples=[[{"timestamp": "2024-05-01T13:30:00Z", "sma_20": 501.2, "rsi_14": 55.1}]]
    )


@router.get(
    "/features/{symbol:path}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": FeaturesAnswer}, **error_responses(404, 422)},
)
def get_features(
    symbol: SymbolPath, query: Annotated[FeaturesQuery, Query()], house: HouseDep
) -> Response:
    """The newest feature rows of a range, or of all there are; oldest first."""
    wanted = ticker(symbol)
    start, end = query.ends()
    feature_set(query.set)
    try:
        lake = house.lake
    except LakeMissingError:
        raise BarsMissingError(wanted) from None
    frame = read_features(
        lake,
        wanted,
        query.set,
        start=start,
        end=end,
        columns=names(query.columns),
        source=query.source,
        limit=query.limit,
    )
    facts = {"symbol": wanted, "set": query.set, "features": frame.drop("symbol", strict=False)}
    return json_response(facts)


@router.post(
    "/features/{symbol:path}/rebuild",
    dependencies=[OPERATE],
    status_code=202,
    responses=error_responses(404, 503),
)
def post_rebuild(
    symbol: SymbolPath, query: Annotated[SetQuery, Query()], house: HouseDep, response: Response
) -> JobAnswer:
    """Build a feature set of a symbol over its whole history, in the background.

    What is queued or running already is not queued twice: the same job comes back.
    """
    wanted = ticker(symbol)
    feature_set(query.set)
    try:
        source = house.lake.source_of(wanted, query.source)
    except LakeMissingError:
        raise BarsMissingError(wanted) from None
    house.require_broker()
    job, made = house.journal.queue("features", source, wanted, None, None, {"set_name": query.set})
    if made:
        house.send(job)
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)
