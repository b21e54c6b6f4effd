"""Features of one symbol, what they look like, and building them anew."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import House, HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import Range, SymbolPath, names, ticker, unspoiled
from app.api.security import OPERATE, READ
from feature_service.choosing import choose, to_read
from feature_service.preview import preview
from lake.errors import BarsMissingError, LakeMissingError
from lake.features import read_features

if TYPE_CHECKING:
    from lake import Lake

router = APIRouter(tags=["features"])


class RebuildQuery(BaseModel):
    """Which feature set, and how much of it."""

    model_config = ConfigDict(extra="forbid")

    set: str = Field(
        default="core",
        description="Name of the feature set, with its form",
        max_length=64,
        examples=["wide_1h"],
    )
    full: bool = Field(default=False, description="The whole history, whatever has changed")
    source: str | None = Field(
        default=None, description="Provider and feed; by default the one shown"
    )


class ChoiceQuery(Range):
    """Which features of a symbol, and when."""

    set: str = Field(
        default="core", description="Name of the feature set, with its form", max_length=64
    )
    timeframe: str | None = Field(
        default=None, description="Of the bars; by default the set's own", examples=["1h"]
    )
    source: str | None = Field(
        default=None, description="Provider and feed; by default the one shown"
    )
    columns: str | None = Field(
        default=None, description="Only these features, with commas", examples=["sma_20,rsi_14"]
    )
    groups: str | None = Field(
        default=None, description="Only features of these groups, with commas", examples=["trend"]
    )

    def names(self, lake: "Lake") -> tuple[str, list[str] | None]:
        """Under which name, and which columns, to read.

        Raises:
            InvalidError: The set, a group or the form is not there.
        """
        columns, groups = names(self.columns), names(self.groups)
        return to_read(lake, self.set, columns, groups, timeframe=self.timeframe)


class FeaturesQuery(ChoiceQuery):
    """How many of them, and as known when."""

    as_of: str | None = Field(
        default=None,
        description="As they were stored then: a New York date (its end) or a time with its zone",
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


class PreviewQuery(ChoiceQuery):
    """What to compare with."""

    against_start: str | None = Field(
        default=None, description="Second range: first session date, or a time with its zone"
    )
    against_end: str | None = Field(
        default=None, description="Second range: last session date or time, included"
    )

    def against(self) -> tuple[str | None, str | None] | None:
        """The second range; None if neither end was given."""
        ends = unspoiled(self.against_start), unspoiled(self.against_end)
        return ends if any(ends) else None


class Span(BaseModel):
    """A range of rows as it was found."""

    rows: int
    first: str = Field(description="Opening of its first bar (UTC)")
    last: str = Field(description="Opening of its last bar (UTC)")


class PreviewAnswer(BaseModel):
    """Each column described; with a second range ``psi`` and ``drift`` too."""

    symbol: str
    feature_set: str
    span: Span
    against: Span | None
    columns: list[dict[str, Any]] = Field(
        examples=[[{"feature": "rsi_14", "count": 376, "null_share": 0.04, "mean": 51.2}]]
    )


@router.get(
    "/features/{symbol:path}/preview",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": PreviewAnswer}, **error_responses(404, 422)},
)
def get_preview(
    symbol: SymbolPath, query: Annotated[PreviewQuery, Query()], house: HouseDep
) -> Response:
    """Statistics of stored features in a range, and how far they have drifted in another.

    Drift is the population stability index over deciles of the first range: below 0.1 none to
    speak of, from 0.25 on another population.
    """
    wanted = ticker(symbol)
    start, end = query.ends()
    lake = _lake(house, query.set, wanted)
    name, columns = query.names(lake)
    found = preview(
        lake,
        wanted,
        name,
        start,
        end,
        columns=columns,
        against=query.against(),
        source=query.source,
    )
    return json_response({**asdict(found), "columns": found.columns})


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
    lake = _lake(house, query.set, wanted)
    name, columns = query.names(lake)
    frame = read_features(
        lake,
        wanted,
        name,
        start=start,
        end=end,
        columns=columns,
        source=query.source,
        limit=query.limit,
        as_of=unspoiled(query.as_of),
    )
    facts = {"symbol": wanted, "set": name, "features": frame.drop("symbol", strict=False)}
    return json_response(facts)


@router.post(
    "/features/{symbol:path}/rebuild",
    dependencies=[OPERATE],
    status_code=202,
    responses=error_responses(404, 503),
)
def post_rebuild(
    symbol: SymbolPath,
    query: Annotated[RebuildQuery, Query()],
    house: HouseDep,
    response: Response,
) -> JobAnswer:
    """Build what has changed of a feature set of a symbol, or its whole history, in the background.

    What is queued or running already is not queued twice: the same job comes back.
    """
    wanted = ticker(symbol)
    lake = _lake(house, query.set, wanted)
    name, source = choose(lake, query.set).name, lake.source_of(wanted, query.source)
    house.require_broker()
    asked = {"set_name": name} | ({"full": True} if query.full else {})
    job, made = house.journal.queue("features", source, wanted, None, None, asked)
    if made:
        house.send(job)
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobAnswer.model_validate(job)


def _lake(house: House, set_name: str, symbol: str) -> "Lake":
    """The lake.

    Raises:
        FeatureSetError: There is no such set, and no lake that could have it.
        BarsMissingError: There is no lake.
    """
    try:
        return house.lake
    except LakeMissingError:
        choose(None, set_name)
        raise BarsMissingError(symbol) from None
