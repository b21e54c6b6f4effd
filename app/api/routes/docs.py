"""The description of the API, for programs and for people."""

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

from app.api.answers import json_response
from app.api.security import READ

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json", dependencies=[READ])
def get_openapi(request: Request) -> Response:
    """OpenAPI of every route."""
    return json_response(request.app.openapi())


@router.get("/docs", dependencies=[READ])
def get_docs() -> Response:
    """The same as a page."""
    return get_swagger_ui_html(openapi_url="/openapi.json", title="Barlake")


@router.get("/", dependencies=[READ])
def get_root() -> Response:
    """Where to go from here."""
    return json_response({"name": "barlake", "docs": "/docs", "health": "/health"})
