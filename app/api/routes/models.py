"""Trained models."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.api.answers import json_response, parsed_rows
from app.api.house import HouseDep
from app.api.security import READ
from lake.errors import LakeMissingError
from lake.models import models

router = APIRouter(tags=["research"])


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


class ModelsAnswer(BaseModel):
    """Every model."""

    models: list[ModelFacts]


@router.get(
    "/models",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"model": ModelsAnswer}},
)
def get_models(house: HouseDep) -> Response:
    """Every trained model with its provenance and scores."""
    try:
        found = parsed_rows(models(house.lake), "params", "metrics")
    except LakeMissingError:
        found = []
    return json_response({"models": found})
