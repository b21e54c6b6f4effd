"""Every failure as one JSON body with one sentence: ``{"error": …, "message": …}``."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.answers import json_response
from app.api.security import ForbiddenError, UnauthorizedError
from lake.errors import InvalidError, LakeError, MissingError, RefusedError, TransientError

STATUS: dict[type[LakeError], int] = {
    MissingError: 404,
    InvalidError: 422,
    RefusedError: 502,
    TransientError: 503,
    UnauthorizedError: 401,
    ForbiddenError: 403,
}
_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": 'Loopback realm="Barlake"'},
    503: {"Retry-After": "2"},
}


class ErrorAnswer(BaseModel):
    """What went wrong, where, and what to do."""

    error: str = Field(description="The name of the error", examples=["BarsMissingError"])
    message: str = Field(
        description="One sentence for the one who asked",
        examples=["No bars of SPY are in the lake. Fetch them with `barlake ingest SPY`."],
    )
    request_id: str = Field(
        description="The request, as in the log and in the header X-Request-ID",
        examples=["0191e0c2b8a94b6c8d6f6a1f6f2f9c11"],
    )


def error_responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The entries of OpenAPI for some error codes."""
    meanings = {
        401: "Nobody vouches for the client",
        403: "The client may not do this",
        404: "The lake does not hold what was asked for",
        422: "The input breaks a written rule",
        503: "The world is busy; ask again later",
    }
    return {code: {"model": ErrorAnswer, "description": meanings[code]} for code in codes}


def add_error_handlers(app: FastAPI) -> None:
    """Make every failure of an app an :class:`ErrorAnswer`; none shows a traceback."""
    app.add_exception_handler(LakeError, _explain)
    app.add_exception_handler(RequestValidationError, _explain_input)
    app.add_exception_handler(HTTPException, _explain_route)


def error_response(
    request: Request, code: int, error: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    """One failure as JSON."""
    request_id = request.scope.get("state", {}).get("request_id", "")
    body = {"error": error, "message": message, "request_id": request_id}
    return json_response(body, code, {**_HEADERS.get(code, {}), **(headers or {})})


async def _explain(request: Request, error: Exception) -> Response:
    code = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    return error_response(request, code, type(error).__name__, str(error))


async def _explain_input(request: Request, error: Exception) -> Response:
    problems: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    return error_response(request, 422, "InputError", _sentence(problems[0]))


async def _explain_route(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    path, method = request.url.path[:80], request.method
    name = HTTPStatus(error.status_code).phrase.title().replace(" ", "").replace("-", "") + "Error"
    if error.status_code == HTTPStatus.NOT_FOUND:
        message = f"There is no {path!r} here. GET /docs lists every path."
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"{path!r} does not take {method}; use {headers.get('Allow', 'another method')}."
    else:
        message = f"{str(error.detail).rstrip('.')}. GET /docs shows what each path takes."
    return error_response(request, error.status_code, name, message, headers)


def _sentence(problem: Any) -> str:
    """One pydantic error as a sentence that names the parameter and what to do."""
    place, *names = (str(part) for part in problem["loc"])
    kind, name = problem["type"], ".".join(names)
    if kind == "json_invalid":
        return 'The body is not JSON. Send an object like {"start": "2024-05-01"}, or no body.'
    if place == "body" and (not names or kind == "model_attributes_type"):
        return (
            "The body must be a JSON object sent with the header Content-Type: application/json. "
            "Parameters may also go into the query, like ?start=2024-05-01."
        )
    where = "The body's field" if place == "body" else f"The {place} parameter"
    if kind == "extra_forbidden":
        return f"{where} {name!r} does not exist here. GET /docs lists those that do."
    if kind == "missing":
        return f"{where} {name!r} is missing. GET /docs shows what it takes."
    rule = problem["msg"].removeprefix("Value error, ")
    given = str(problem.get("input"))[:40]
    return f"{where} {name!r} cannot be {given!r}: {rule[:1].lower()}{rule[1:].rstrip('.')}."
