"""One file per subject; the order here is the order in the docs."""

from fastapi import APIRouter

from app.api.routes import (
    agents,
    bars,
    coverage,
    docs,
    events,
    feature_sets,
    features,
    gaps,
    health,
    ingest,
    instruments,
    jobs,
    lists,
    logs,
    models,
    quality,
    simulations,
    symbols,
)

ROUTERS: tuple[APIRouter, ...] = (
    ingest.router,
    jobs.router,
    symbols.router,
    bars.router,
    coverage.router,
    quality.router,
    gaps.router,
    instruments.router,
    lists.router,
    feature_sets.router,  # before those of features, which take any symbol
    features.router,
    models.router,
    simulations.router,
    agents.router,
    events.router,
    logs.router,
    health.router,
    docs.router,
)
