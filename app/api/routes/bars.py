"""Bars of one symbol."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.parameters import Range, SymbolPath, names, ticker
from app.api.security import READ
from lake.datasets import DATASETS
from lake.errors import BarsMissingError, LakeMissingError
from lake.timeframes import TIMEFRAMES

router = APIRouter(tags=["bars"])

DEFAULT_LIMIT = 1_000
MAX_LIMIT = 250_000  # a year of minutes with extended hours


class BarsQuery(Range):
    """Which bars of a symbol."""

    timeframe: str | None = Field(
        default=None,
        description="Width of a bar, by default that of the dataset; wider ones never cross two sessions",
        json_schema_extra={"enum": list(TIMEFRAMES)},
    )
    dataset: str = Field(
        default="bars_1m",
        description="Minutes, or the provider's own daily bars",
        json_schema_extra={"enum": list(DATASETS)},
    )
    adjust: Literal["raw", "split", "dividend", "all"] = Field(
        default="raw", description="Prices as traded, or in today's shares"
    )
    as_of: str | None = Field(
        default=None,
        description="As the lake knew them: a New York date (its end) or a time with its zone",
        examples=["2024-05-01T20:00:00Z"],
    )
    limit: int = Field(
        DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="The newest so many bars of the range"
    )
    regular_only: bool = Field(default=False, description="Only regular trading hours")
    source: str | None = Field(
        default=None,
        description="Provider and feed; by default the one shown",
        examples=["alpaca:iex"],
    )
    columns: str | None = Field(
        default=None, description="Only these columns, with commas", examples=["timestamp,close"]
    )


class Bar(BaseModel):
    """One bar; prices in USD per share, volume in shares."""

    timestamp: datetime = Field(description="Opening of the bar (UTC)")
    open: float
    high: float
    low: float
    close: float
    volume: float
    trade_count: int | None
    vwap: float | None
    flags: int = Field(description="Bits that mark odd bars; 0: nothing odd")
    source: str
    session_date: date
    is_regular: bool


class BarsAnswer(BaseModel):
    """Bars of one symbol, oldest first."""

    symbol: str
    bars: list[Bar]


_EXAMPLE = {
    "symbol": "SPY",
    "bars": [
        {
            "timestamp": "2024-05-01T13:30:00Z",
            "open": 501.38,
            "high": 501.7,
            "low": 501.2,
            "close": 501.55,
            "volume": 184512.0,
            "trade_count": 2210,
            "vwap": 501.46,
            "flags": 0,
            "source": "alpaca:iex",
            "session_date": "2024-05-01",
            "is_regular": True,
        }
    ],
}


@router.get(
    "/bars/{symbol:path}",
    dependencies=[READ],
    response_class=Response,
    responses={
        200: {"model": BarsAnswer, "content": {"application/json": {"example": _EXAMPLE}}},
        **error_responses(404),
    },
)
def get_bars(symbol: SymbolPath, query: Annotated[BarsQuery, Query()], house: HouseDep) -> Response:
    """The newest bars of a range, or of all there are; oldest first."""
    wanted = ticker(symbol)
    start, end = query.ends()
    try:
        lake = house.lake
    except LakeMissingError:
        raise BarsMissingError(wanted) from None
    frame = lake.bars(
        wanted,
        start,
        end,
        dataset=query.dataset,
        timeframe=query.timeframe,
        adjust=query.adjust,
        as_of=query.as_of,
        source=query.source,
        columns=names(query.columns),
        regular_only=query.regular_only,
        limit=query.limit,
    )
    return json_response({"symbol": wanted, "bars": frame.drop("symbol", strict=False)})
