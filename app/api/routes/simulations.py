"""The trial ledger: simulations and searches, run and read."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response, parsed_rows
from app.api.errors import error_responses
from app.api.house import HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.queued import queued, said
from app.api.security import OPERATE, READ
from lake import searches as search_ledger
from lake import simulations as ledger
from lake.errors import LakeMissingError
from reporting import html
from simulation_service.asking import check_search, check_simulation, newest
from simulation_service.search_report import report
from simulation_service.tear_sheet import tear_sheet

router = APIRouter(tags=["research"])

SimulationPath = Annotated[str, Path(description="A simulation's id", examples=["8c1d20aa57f3"])]
SearchPath = Annotated[str, Path(description="A search's id", examples=["5d0c7e91ab34"])]


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


class SearchFacts(BaseModel):
    """One search: what was tried, and what the best of it is worth."""

    search_id: str
    strategy: str
    symbol: str
    mode: str
    start: datetime
    end: datetime
    snapshot: int
    params: dict[str, Any] | None
    metrics: dict[str, Any] | None
    state: str
    error: str | None
    created_at: datetime


class SearchesAnswer(BaseModel):
    """Every search."""

    searches: list[SearchFacts]


class RowsAnswer(BaseModel):
    """A table of a simulation or a search."""

    rows: list[dict[str, Any]]


class _TermsBody(BaseModel):
    """What both take."""

    model_config = ConfigDict(extra="forbid")

    strategy: str | None = Field(default=None, max_length=64, examples=["sma_cross"])
    parameters: dict[str, Any] | None = Field(default=None, examples=[{"fast": 10, "slow": 60}])
    plan: dict[str, Any] | str | None = Field(
        default=None, description="Strategy, sizing, risk rules and orders: a table, or its TOML"
    )
    symbols: list[str] | None = Field(default=None, max_length=100, examples=[["SPY"]])
    start: str | None = Field(default=None, examples=["2024-05-01"])
    end: str | None = None
    cash: float | None = Field(default=None, description="USD at the beginning (100,000)")
    costs: dict[str, float | bool] | None = Field(default=None, examples=[{"slippage_bps": 2.0}])
    participation: float | None = Field(
        default=None, description="Share of a bar's volume that one order may take; 0: no cap"
    )
    sources: dict[str, str] | None = None


class SimulateBody(_TermsBody):
    """A model, or a strategy with symbols."""

    model_id: str | None = Field(default=None, max_length=64, description="The newest without one")
    retrain: int | None = Field(
        default=None, ge=1, description="Train its recipe anew so often (sessions)"
    )
    window: Literal["expanding", "rolling"] | None = None
    mode: str | None = Field(default=None, examples=["both"])


class SearchBody(_TermsBody):
    """A strategy with symbols, and what of it is searched."""

    axes: list[str] = Field(
        min_length=1, max_length=20, examples=[["fast=5:50:5", "slow=20:200:20"]]
    )
    method: str | None = Field(default=None, examples=["grid"])
    trials: int | None = None
    seed: int | None = None
    folds: int | None = None
    window: Literal["expanding", "rolling"] | None = None


@router.get(
    "/simulations",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": SimulationsAnswer}},
)
def get_simulations(house: HouseDep) -> Response:
    """Every simulation with its settings and its numbers."""
    try:
        found = parsed_rows(ledger.simulations(house.lake), "params", "metrics")
    except LakeMissingError:
        found = []
    return json_response({"simulations": found})


@router.post(
    "/simulations", dependencies=[OPERATE], status_code=202, responses=error_responses(404, 503)
)
def post_simulation(body: SimulateBody, house: HouseDep, response: Response) -> JobAnswer:
    """Simulate a model, or a strategy on some symbols, in the background; the job's result has the ids.

    What cannot be is refused at once. The same inputs find the runs that are there.
    """
    asked = said(body)
    if body.strategy is None and body.plan is None:
        asked["model_id"] = body.model_id or newest(house.lake)
    symbols = check_simulation(house.lake, asked)
    return queued(house, response, "simulate", symbols[0], asked)


@router.get(
    "/simulations/{simulation_id}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": SimulationFacts}, **error_responses(404)},
)
def get_simulation(simulation_id: SimulationPath, house: HouseDep) -> Response:
    """One simulation, with every figure of its report."""
    return json_response(dict(vars(ledger.simulation(house.lake, simulation_id))))


@router.get(
    "/simulations/{simulation_id}/equity",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": RowsAnswer}, **error_responses(404)},
)
def get_equity(simulation_id: SimulationPath, house: HouseDep) -> Response:
    """What everything was worth at the end of each session (USD), beside buy and hold."""
    ledger.simulation(house.lake, simulation_id)
    return json_response({"rows": ledger.equity(house.lake, simulation_id)})


@router.get(
    "/simulations/{simulation_id}/orders",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": RowsAnswer}, **error_responses(404)},
)
def get_orders(simulation_id: SimulationPath, house: HouseDep) -> Response:
    """Its filled orders, in the order of time."""
    ledger.simulation(house.lake, simulation_id)
    return json_response({"rows": ledger.orders(house.lake, simulation_id)})


@router.get(
    "/simulations/{simulation_id}/report",
    dependencies=[READ],
    response_class=HTMLResponse,
    responses=error_responses(404),
)
def get_simulation_report(simulation_id: SimulationPath, house: HouseDep) -> HTMLResponse:
    """The tear sheet of a simulation as one page of HTML."""
    return HTMLResponse(html(tear_sheet(house.lake, [simulation_id])))


@router.get(
    "/searches",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": SearchesAnswer}},
)
def get_searches(house: HouseDep) -> Response:
    """Every search over parameters, with what the best of it is worth."""
    try:
        found = parsed_rows(search_ledger.searches(house.lake), "params", "metrics")
    except LakeMissingError:
        found = []
    return json_response({"searches": found})


@router.post(
    "/searches", dependencies=[OPERATE], status_code=202, responses=error_responses(404, 503)
)
def post_search(body: SearchBody, house: HouseDep, response: Response) -> JobAnswer:
    """Search the parameters of a strategy in the background; the job's result has the search's id."""
    asked = said(body)
    symbols = check_search(house.lake, asked)
    return queued(house, response, "simulate", symbols[0], {"search": asked})


@router.get(
    "/searches/{search_id}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": SearchFacts}, **error_responses(404)},
)
def get_search(search_id: SearchPath, house: HouseDep) -> Response:
    """One search."""
    return json_response(dict(vars(search_ledger.search(house.lake, search_id))))


@router.get(
    "/searches/{search_id}/trials",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": RowsAnswer}, **error_responses(404)},
)
def get_trials(search_id: SearchPath, house: HouseDep) -> Response:
    """Every trial of a search, in the order in which they were made."""
    search_ledger.search(house.lake, search_id)
    return json_response({"rows": search_ledger.search_trials(house.lake, search_id)})


@router.get(
    "/searches/{search_id}/report",
    dependencies=[READ],
    response_class=HTMLResponse,
    responses=error_responses(404),
)
def get_search_report(search_id: SearchPath, house: HouseDep) -> HTMLResponse:
    """The report of a search as one page of HTML."""
    stored = search_ledger.search(house.lake, search_id)
    return HTMLResponse(html(report(stored, search_ledger.search_trials(house.lake, search_id))))
