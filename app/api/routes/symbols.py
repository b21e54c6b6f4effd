"""What the lake holds."""

from datetime import datetime
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.answers import json_response
from app.api.house import HouseDep
from app.api.security import READ
from lake.datasets import DATASETS, check_dataset
from lake.errors import LakeMissingError

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
