"""What the lake holds."""

from datetime import date, datetime
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.answers import json_response
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.parameters import Range, SymbolPath, ticker
from app.api.security import READ
from lake.datasets import DATASETS, check_dataset
from lake.errors import BarsMissingError, LakeMissingError
from simulation_service.statistics import statistics

router = APIRouter(tags=["bars"])


class SymbolFacts(BaseModel):
    """One series: the bars of a symbol from one source."""

    symbol: str = Field(examples=["SPY"])
    source: str = Field(description="Provider and feed", examples=["alpaca:iex"])
    first: datetime | None = Field(description="Opening of its first bar (UTC)")
    last: datetime | None = Field(description="Opening of its last bar (UTC)")
    bars: int = Field(description="How many bars", examples=[98280])
    is_default: bool = Field(description="Whether reads without a source show this one")


class SymbolsAnswer(BaseModel):
    """Every symbol and source the lake has."""

    symbols: list[SymbolFacts]


@router.get(
    "/symbols",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": SymbolsAnswer}},
)
def get_symbols(
    house: HouseDep,
    dataset: Annotated[
        str, Query(description=f"One of {', '.join(DATASETS)}", examples=["bars_daily"])
    ] = "bars_1m",
) -> Response:
    """Every symbol with its sources, first and last bar; an empty list before the first ingest."""
    wanted = check_dataset(dataset).name
    try:
        frame = house.lake.symbols(dataset=wanted)
    except LakeMissingError:
        frame = pl.DataFrame()
    return json_response({"symbols": frame})


class StatisticsQuery(Range):
    """Over which range, and against what."""

    index: str | None = Field(
        default=None, description="Against which alpha and beta are told", examples=["SPY"]
    )
    adjust: str = Field(
        default="all", description="all counts dividends as returns, split leaves them out"
    )
    source: str | None = Field(default=None, description="Provider and feed")


class StatisticsAnswer(BaseModel):
    """Figures of a bare symbol, from close to close; docs/metrics.md has the formulas."""

    symbol: str = Field(examples=["AAPL"])
    start: date = Field(description="Whose close is the value before everything")
    end: date
    sessions: int
    total_return: float
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    drawdown_start: date | None
    drawdown_trough: date | None
    drawdown_recovery: date | None
    drawdown_sessions: int
    alpha: float | None
    beta: float | None
    correlation: float | None


@router.get(
    "/symbols/{symbol:path}/statistics",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": StatisticsAnswer}, **error_responses(404)},
)
def get_statistics(
    symbol: SymbolPath, query: Annotated[StatisticsQuery, Query()], house: HouseDep
) -> Response:
    """Return, volatility, Sharpe ratio, drawdown and beta of a symbol in a range."""
    wanted = ticker(symbol)
    start, end = query.ends()
    try:
        lake = house.lake
    except LakeMissingError:
        raise BarsMissingError(wanted) from None
    found = statistics(
        lake,
        [wanted],
        index=query.index,
        start=start,
        end=end,
        adjust=query.adjust,
        source=query.source,
    )
    return json_response({"symbol": wanted, **found[wanted].facts})
