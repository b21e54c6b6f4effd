"""What OpenAPI says beyond the routes: the scope of each, and what nobody has to repeat."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from starlette.routing import BaseRoute

from app.api.security import Scope, principal

_DESCRIPTION = """
Times are RFC 3339 in UTC; dates are New York session dates, both ends included. A bar's
`timestamp` is its opening. A failure is always `{"error": …, "message": …}` with one sentence
that says what to do.
"""


def every_route(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    """Every route, also those of included routers."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from every_route(included.routes)


def scopes_of(route: BaseRoute) -> list[Scope]:
    """The scopes a route declares; empty if it declares none, which no route may do."""
    dependant: Dependant | None = getattr(route, "dependant", None)
    needs = dependant.dependencies if dependant else []
    return [
        Scope(s) for need in needs if need.call is principal for s in need.own_oauth_scopes or ()
    ]


def describe(app: FastAPI) -> None:
    """Add the scope of each operation to an app's OpenAPI."""
    app.description = _DESCRIPTION.strip()
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            for route in every_route(app.routes):
                _mark(schema, route)
        return plain()

    app.openapi = described  # type: ignore[method-assign]


def _mark(schema: dict[str, Any], route: BaseRoute) -> None:
    path = getattr(route, "path_format", "")
    for method in getattr(route, "methods", None) or ():
        operation = schema["paths"].get(path, {}).get(method.lower())
        if operation is not None:
            operation["x-scopes"] = [str(scope) for scope in scopes_of(route)]
