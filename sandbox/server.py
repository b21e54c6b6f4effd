"""The sandbox as an ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.auth import account_of
from sandbox.config import SandboxConfig
from sandbox.data_routes import DataRoutes
from sandbox.errors import ApiError, SandboxError
from sandbox.faults import Faults, parse_plan
from sandbox.folder import FolderMarket
from sandbox.generator import GeneratedMarket
from sandbox.limits import Quota, RateLimit
from sandbox.market import Market
from sandbox.revisions import Revisions
from sandbox.store import BarStore
from sandbox.stream import StreamServer
from sandbox.ticker import Ticker
from sandbox.trading_routes import TradingRoutes

TRADING_PATHS = ("/v2/calendar", "/v2/clock", "/v2/assets")
#: Replies that tell the quota; Alpaca's 401 and 403 do not.
WITHOUT_QUOTA = {401, 403}


def create_app(config: SandboxConfig, on_ready: Callable[[], None] = lambda: None) -> Starlette:
    """The application.

    Args:
        config: What to serve and to whom.
        on_ready: Called once it is about to answer.

    Raises:
        SandboxError: The folder cannot be served, or lacks a symbol.
    """
    market = open_market(config)
    clock = config.make_clock()
    seed = config.seed if config.fault_seed is None else config.fault_seed
    faults = Faults(seed, parse_plan(config.faults) if config.faults else ())
    revisions = Revisions(market, faults, config.late_trades, config.seed)
    data = DataRoutes(BarStore(revisions, clock), free_plan=config.free_plan)
    trading = TradingRoutes(market, clock)
    streams = StreamServer(config, faults)
    ticker = Ticker(revisions, streams, clock, faults)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(ticker.run())
        on_ready()
        yield
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking

    return Starlette(
        routes=[
            WebSocketRoute("/v2/{feed}", streams.serve),
            *data.routes(),
            *trading.routes(),
        ],
        middleware=[Middleware(Gate, config=config)],
        exception_handlers={
            ApiError: _explain,
            HTTPException: _explain_http,
            SandboxError: _explain_failure,
        },
        lifespan=lifespan,
    )


def open_market(config: SandboxConfig) -> Market:
    """The folder's market, or the generated one."""
    if config.data is not None:
        return FolderMarket(config.data, config.symbols)
    return GeneratedMarket(config.seed, config.symbols)


class Gate:
    """Lets in who has a key and a rest of the minute, and tells the rest on the way out."""

    def __init__(self, app: ASGIApp, config: SandboxConfig) -> None:
        self._app, self._config = app, config
        self._data, self._trading = (
            RateLimit(config.rate_limit, config.rate_window) for _ in range(2)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            account = account_of(Headers(scope=scope), self._config.key, self._config.secret)
        except ApiError as error:
            await _response(error)(scope, receive, send)
            return
        window = self._trading if scope["path"].startswith(TRADING_PATHS) else self._data
        quota = window.take(account)
        telling = _tell(quota, send)
        if quota.allowed:
            await self._app(scope, receive, telling)
        else:
            await _response(ApiError(429, "too many requests."))(scope, receive, telling)


def _tell(quota: Quota, send: Send) -> Send:
    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] not in WITHOUT_QUOTA:
            message["headers"] = [*message["headers"], *quota.headers()]
        await send(message)

    return telling


def _response(error: ApiError) -> Response:
    return Response(orjson.dumps(error.body()), error.status, media_type="application/json")


async def _explain(_: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return _response(error)
    raise error


async def _explain_http(_: Request, error: Exception) -> Response:
    """Unknown paths and methods."""
    if isinstance(error, HTTPException):
        return _response(ApiError(error.status_code, error.detail.lower()))
    raise error


async def _explain_failure(_: Request, error: Exception) -> Response:
    """A file went bad after the start."""
    return _response(ApiError(500, str(error)))
