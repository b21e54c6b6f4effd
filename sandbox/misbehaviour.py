"""How an answer goes wrong between the server and the client."""

import asyncio
from collections.abc import Mapping

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import Fault
from sandbox.page_faults import OF_PAGES, OF_TOKENS

PIECES = 20
#: Long enough for the bytes to leave before the connection ends.
FLUSH_SECONDS = 0.05
HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>\r\n"
#: Status, words, and whether as JSON.
STATUSES = {
    "http_500": (500, "internal server error", True),
    "http_500_html": (500, "500 Internal Server Error", False),
    "http_502": (502, "502 Bad Gateway", False),
    "http_503": (503, "503 Service Temporarily Unavailable", False),
    "http_503_json": (503, "service unavailable", True),
    "http_504": (504, "504 Gateway Time-out", False),
    "reject_keys": (401, "forbidden.", True),
}


def applies(name: str, path: str, query: Mapping[str, str]) -> bool:
    """Whether a fault can happen to a request at all."""
    if name in OF_TOKENS and not query.get("page_token"):
        return False
    if name in OF_PAGES:
        return path.startswith("/v2/stocks") and path.endswith("/bars")
    return True


def misbehave(app: ASGIApp, fault: Fault) -> ASGIApp:
    """The application with a fault in its next answer; faults of pages are its own to make."""

    async def serving(scope: Scope, receive: Receive, send: Send) -> None:
        if fault.name in STATUSES:
            await _failure(*STATUSES[fault.name])(scope, receive, send)
        elif fault.name == "reset":
            scope["state"]["reset"]()
            await _gone(receive)
        elif fault.name in OF_PAGES:
            await app(scope, receive, send)
        elif fault.name == "stall":
            await asyncio.sleep(fault.seconds)
            await app(scope, receive, send)
        else:
            await _spoilt(app, fault, scope, receive, send)

    return serving


async def _spoilt(app: ASGIApp, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    start: Message = {}
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, keep)
    body = b"".join(parts)
    if fault.name == "cut_json":
        await _send(send, start, body[: len(body) * 2 // 3])
    elif fault.name == "empty_body":
        await _send(send, start, b"")
    elif fault.name == "slow_drip":
        await send(start)
        size = len(body) // PIECES + 1
        for begin in range(0, len(body), size):
            await asyncio.sleep(fault.seconds / PIECES)
            piece = body[begin : begin + size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
    else:
        await send(start)
        half = body[: len(body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(FLUSH_SECONDS)
        scope["state"]["reset" if fault.name == "reset_inside" else "hang_up"]()
        await _gone(receive)


async def _send(send: Send, start: Message, body: bytes) -> None:
    """An answer of another length."""
    kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
    start["headers"] = [*kept, (b"content-length", str(len(body)).encode())]
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def _gone(receive: Receive) -> None:
    """Wait until the connection is known to have ended."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _failure(status: int, words: str, is_json: bool) -> Response:  # noqa: FBT001 - a row of a table
    if is_json:
        return Response(orjson.dumps({"message": words}), status, media_type="application/json")
    return Response(HTML.format(words), status, media_type="text/html")
