"""The sandbox as an ASGI application."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from sandbox.config import SandboxConfig
from sandbox.control_routes import ControlRoutes
from sandbox.data_routes import DataRoutes
from sandbox.errors import ApiError, SandboxError
from sandbox.faults import Faults, parse_plan
from sandbox.folder import FolderMarket
from sandbox.gate import Gate, respond
from sandbox.generator import GeneratedMarket
from sandbox.market import Market
from sandbox.page_faults import Pages
from sandbox.request_log import RequestLog
from sandbox.revisions import Revisions
from sandbox.store import BarStore
from sandbox.stream import StreamServer
from sandbox.ticker import Ticker
from sandbox.trading_routes import TradingRoutes


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
    store, log = BarStore(revisions, clock), RequestLog()
    pages = Pages(store, lambda: faults.seed)
    data = DataRoutes(store, pages, free_plan=config.free_plan)
    trading = TradingRoutes(market, clock)
    streams = StreamServer(config, faults)
    ticker = Ticker(revisions, streams, clock, faults)
    control = ControlRoutes(revisions, clock, faults, log, streams)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(ticker.run())
        ticking.add_done_callback(_say_why)
        on_ready()
        yield
        ticking.cancel()
        await asyncio.wait([ticking])

    return Starlette(
        routes=[
            WebSocketRoute("/v2/{feed}", streams.serve),
            *data.routes(),
            *trading.routes(),
            *control.routes(),
        ],
        middleware=[Middleware(Gate, config=config, clock=clock, faults=faults, log=log)],
        exception_handlers={
            ApiError: _explain,
            HTTPException: _explain_http,
            SandboxError: _explain_failure,
        },
        lifespan=lifespan,
    )


def _say_why(ticking: "asyncio.Task[None]") -> None:
    """A stream that ends while the server runs is a mistake of the sandbox: say so."""
    if not ticking.cancelled() and (error := ticking.exception()):
        logging.getLogger("uvicorn.error").error("The stream ended.", exc_info=error)


def open_market(config: SandboxConfig) -> Market:
    """The folder's market, or the generated one."""
    if config.data is not None:
        return FolderMarket(config.data, config.symbols)
    return GeneratedMarket(config.seed, config.symbols)


async def _explain(_: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return respond(error)
    raise error


async def _explain_http(_: Request, error: Exception) -> Response:
    """Unknown paths and methods."""
    if isinstance(error, HTTPException):
        return respond(ApiError(error.status_code, error.detail.lower()))
    raise error


async def _explain_failure(_: Request, error: Exception) -> Response:
    """A file went bad after the start."""
    return respond(ApiError(500, str(error)))
