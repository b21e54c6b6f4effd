"""One JSON log line a request, with an id the client sees too; and the last net for errors."""

import time
from http import HTTPStatus
from uuid import uuid4

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import error_response

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_TOO_LARGE = 413


class AccessLog:
    """Gives each request an id, logs it when it is answered, and answers what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(scope, receive, send)
        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(trace_id=request_id):
            try:
                await self.app(scope, receive, answer)
            except Exception as error:
                _log(scope, 500, began, error)
                if answer.status is not None:  # half sent: only a broken connection tells the truth
                    raise
                await _unexpected(scope)(scope, receive, answer)
            else:
                _log(scope, answer.status or 0, began)


class _Answer:
    """Sends on what a request is answered, with the id and the headers every answer has."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.status: int | None = None
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_plain_refusal(message):
            self._replaced = True
            await _too_large(self.scope)(self.scope, self.receive, self._send)
        elif not self._replaced:
            await self._send(message)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (b"x-request-id", self.scope["state"]["request_id"].encode())
            message = {**message, "headers": [*message["headers"], own, *_HEADERS]}
        await self.send(message)


def _is_plain_refusal(message: Message) -> bool:
    """Whether the framework refuses a body by its size: it says so in plain text, before us."""
    kind = dict(message["headers"]).get(b"content-type", b"")
    return bool(message["status"] == _TOO_LARGE and kind.startswith(b"text/plain"))


def _too_large(scope: Scope) -> ASGIApp:
    message = "The body of the request is too large; no path here needs more than a few lines."
    return error_response(Request(scope), _TOO_LARGE, "TooLargeError", message)


def _log(scope: Scope, status: int, began: float, error: Exception | None = None) -> None:
    client = scope.get("client")
    facts = {
        "stage": "http",
        "method": scope["method"],
        "path": scope["path"][:200],
        "query": scope["query_string"][:400].decode("latin-1"),
        "status": status,
        "milliseconds": round((time.perf_counter() - began) * 1000, 2),
        "client": client[0] if client else None,
    }
    message = f"{scope['method']} {scope['path'][:200]} {status}"
    if error is not None:
        structlog.get_logger().error(message, **facts, exc_info=error)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        structlog.get_logger().warning(message, **facts)
    else:
        structlog.get_logger().info(message, **facts)


def _unexpected(scope: Scope) -> ASGIApp:
    request_id = scope["state"]["request_id"]
    message = f"Something went wrong here that should not. The log has it under {request_id}."
    return error_response(Request(scope), 500, "UnexpectedError", message)
