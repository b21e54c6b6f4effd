"""The trial ledger: every simulation ever run."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.api.answers import json_response, parsed_rows
from app.api.house import HouseDep
from app.api.security import READ
from lake.errors import LakeMissingError
from lake.simulations import simulations

router = APIRouter(tags=["research"])


class SimulationFacts(BaseModel):
    """One run: what was simulated, how, and what came out."""

    simulation_id: str
    strategy: str
    model_id: str | None
    symbol: str = Field(examples=["SPY"])
    mode: str = Field(examples=["realistic"])
    start: datetime
    end: datetime
    snapshot: int
    params: dict[str, Any] | None
    metrics: dict[str, Any] | None
    orders_hash: str
    state: str = Field(examples=["done"])
    error: str | None
    created_at: datetime


class SimulationsAnswer(BaseModel):
    """Every simulation."""

    simulations: list[SimulationFacts]


@router.get(
    "/simulations",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": SimulationsAnswer}},
)
def get_simulations(house: HouseDep) -> Response:
    """Every simulation with its settings and its numbers."""
    try:
        found = parsed_rows(simulations(house.lake), "params", "metrics")
    except LakeMissingError:
        found = []
    return json_response({"simulations": found})
