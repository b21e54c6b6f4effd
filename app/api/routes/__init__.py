"""One file per subject; the order here is the order in the docs."""

from fastapi import APIRouter

from app.api.routes import (
    agents,
    bars,
    coverage,
    docs,
    features,
    gaps,
    health,
    ingest,
    jobs,
    logs,
    models,
    simulations,
    symbols,
)

ROUTERS: tuple[APIRouter, ...] = (
    ingest.router,
    jobs.router,
    symbols.router,
    bars.router,
    coverage.router,
    gaps.router,
    features.router,
    models.router,
    simulations.router,
    agents.router,
    logs.router,
    health.router,
    docs.router,
)
