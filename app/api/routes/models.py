"""Trained models: training them, where they come from, and which are in use."""

from datetime import datetime
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import json_response, parsed_rows
from app.api.errors import error_responses
from app.api.house import House, HouseDep
from app.api.routes.jobs import JobAnswer
from app.api.routes.parameters import names
from app.api.routes.queued import queued, said
from app.api.security import ADMIN, OPERATE, READ
from feature_service.choosing import choose
from lake import models as registry
from lake.errors import InvalidError, LakeMissingError
from lake.schema import check_symbol
from lake.sessions import window
from reporting import html
from training_service.asking import recipe_of
from training_service.comparing import compare
from training_service.report import report
from training_service.training import check

router = APIRouter(tags=["research"])

ModelPath = Annotated[str, Path(description="A model's id", examples=["3f2a9c01d4e5"])]
TagPath = Annotated[Literal["candidate", "champion"], Path(description="A tag")]


class ModelFacts(BaseModel):
    """One trained model and where it comes from."""

    model_id: str
    name: str = Field(examples=["logistic"])
    primary_symbol: str = Field(examples=["SPY"])
    context_symbols: list[str] = Field(examples=[["QQQ"]])
    label: str = Field(examples=["direction_15"])
    feature_set: str = Field(examples=["core"])
    set_version: str
    snapshot: int = Field(description="The lake as the model saw it")
    params: dict[str, Any] | None
    metrics: dict[str, Any] | None
    path: str = Field(description="Relative to the home")
    file_hash: str
    created_at: datetime
    tags: list[str] = Field(examples=[["champion"]])


class ModelsAnswer(BaseModel):
    """Every model."""

    models: list[ModelFacts]


class ComparisonAnswer(BaseModel):
    """A row a model: where the recipes differ, and the scores."""

    models: list[dict[str, Any]]


class TagsAnswer(BaseModel):
    """What a model is tagged."""

    model_id: str
    tags: list[str]


class ImportPathError(InvalidError):
    """An estimator by import path, asked for over HTTP."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return (
            f"{self.model[:60]!r} names code to import, which nobody may do from afar. "
            "Train it with `barlake train --model`, or name a preset."
        )


class TrainBody(BaseModel):
    """What to train; docs/training.md says what each means."""

    model_config = ConfigDict(extra="forbid")

    symbols: list[str] = Field(
        min_length=1,
        max_length=1_000,
        description="The primary one first",
        examples=[["SPY", "QQQ"]],
    )
    set: str = Field(default="core", max_length=64)
    label: str = Field(default="direction_15", max_length=64)
    model: str = Field(default="logistic", max_length=64, description="One of the presets")
    split: str | None = Field(default=None, max_length=200, examples=["walk-forward:folds=5"])
    test_share: float | None = Field(default=None, description="Of a holdout", examples=[0.3])
    selector: str = Field(default="none", max_length=64)
    weights: str = "none"
    calibration: str = "none"
    search: int = 0
    parameters: dict[str, Any] = Field(default={}, examples=[{"C": 0.1}])
    join: str = Field(default="strict", max_length=32)
    panel: bool = False
    sources: dict[str, str] | None = Field(default=None, examples=[{"VIX": "file:cboe"}])
    seed: int = 0
    start: str | None = Field(default=None, examples=["2024-05-01"])
    end: str | None = None


@router.get(
    "/models",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": ModelsAnswer}},
)
def get_models(house: HouseDep) -> Response:
    """Every trained model with its provenance, scores and tags."""
    try:
        found = parsed_rows(registry.models(house.lake), "params", "metrics")
        held = registry.tags(house.lake)
    except LakeMissingError:
        return json_response({"models": []})
    worn: dict[str, list[str]] = {}
    for model_id, tag in held.select("model_id", "tag").iter_rows():
        worn.setdefault(model_id, []).append(tag)
    return json_response(
        {"models": [one | {"tags": sorted(worn.get(one["model_id"], []))} for one in found]}
    )


@router.post(
    "/models", dependencies=[OPERATE], status_code=202, responses=error_responses(404, 503)
)
def post_model(body: TrainBody, house: HouseDep, response: Response) -> JobAnswer:
    """Train a model in the background. The job's result has its id and its scores.

    What cannot be is refused at once; the same rows and the same recipe find the model that is there.
    """
    asked = said(body) | {"symbols": [check_symbol(one) for one in body.symbols]}
    if ":" in body.model:
        raise ImportPathError(body.model)
    check(recipe_of(asked))
    window(body.start, body.end)
    choose(house.lake, body.set)
    for symbol in asked["symbols"]:
        house.lake.source_of(symbol, (body.sources or {}).get(symbol))
    return queued(house, response, "train", asked["symbols"][0], asked)


@router.get(
    "/models/compare",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": ComparisonAnswer}, **error_responses(404, 422)},
)
def get_comparison(
    house: HouseDep,
    ids: Annotated[str, Query(description="Two ids or more, with commas", max_length=2_000)],
) -> Response:
    """Models side by side: where their recipes differ, and their scores."""
    return json_response({"models": compare(house.lake, names(ids) or [])})


@router.get(
    "/models/{model_id}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": ModelFacts}, **error_responses(404)},
)
def get_model(model_id: ModelPath, house: HouseDep) -> Response:
    """One model: its birth certificate, its scores and what its report says."""
    stored = registry.model(house.lake, model_id)
    held = registry.tags(house.lake)
    own = held.filter(pl.col("model_id") == model_id)["tag"].sort().to_list()
    return json_response(dict(vars(stored)) | {"tags": own})


@router.get(
    "/models/{model_id}/report",
    dependencies=[READ],
    response_class=HTMLResponse,
    responses=error_responses(404),
)
def get_model_report(model_id: ModelPath, house: HouseDep) -> HTMLResponse:
    """The report of a model as one page of HTML."""
    return HTMLResponse(html(report(registry.model(house.lake, model_id))))


@router.put(
    "/models/{model_id}/tags/{tag}", dependencies=[OPERATE], responses=error_responses(404, 503)
)
def put_tag(model_id: ModelPath, tag: TagPath, house: HouseDep) -> TagsAnswer:
    """Tag a model. A new champion unseats the one before it of the same label, symbol and set."""
    registry.tag_model(house.lake, model_id, tag)
    return _tags(house, model_id)


@router.delete(
    "/models/{model_id}/tags/{tag}", dependencies=[OPERATE], responses=error_responses(404, 503)
)
def delete_tag(model_id: ModelPath, tag: TagPath, house: HouseDep) -> TagsAnswer:
    """Take a tag off a model."""
    registry.untag(house.lake, model_id, tag)
    return _tags(house, model_id)


@router.delete(
    "/models/{model_id}",
    dependencies=[ADMIN],
    status_code=204,
    responses=error_responses(404, 503),
)
def delete_model(model_id: ModelPath, house: HouseDep) -> None:
    """Delete a model: its row, tags, pin and files. Simulations of it stay."""
    registry.delete_model(house.lake, model_id)


def _tags(house: House, model_id: str) -> TagsAnswer:
    held = registry.tags(house.lake).filter(pl.col("model_id") == model_id)
    return TagsAnswer(model_id=model_id, tags=held["tag"].sort().to_list())
