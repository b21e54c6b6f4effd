"""The HTTP door: ``uvicorn app.api.main:app``.

``app`` is made when a server asks for it, so that importing this module does nothing.
"""

import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from types import FrameType

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from app.api.access_log import AccessLog
from app.api.errors import add_error_handlers, error_responses
from app.api.house import House
from app.api.openapi import describe
from app.api.routes import ROUTERS
from app.api.security import authenticators
from lake.errors import SettingsError
from lake.faults import ReadOnlyError
from lake.journal import Job
from lake.logs import configure_logs
from lake.settings import Settings, load_settings

_MAX_BODY = 1 << 20  # bytes
_EXIT_INPUT = 2


def create_app(settings: Settings, send: Callable[[Job], None] | None = None) -> FastAPI:
    """The API over one home.

    Nothing is opened or started before the first request or the lifespan.

    Args:
        settings: The home, the broker, the names the API goes by.
        send: What puts a job on its queue; None: the Celery door, and without ``REDIS_URL`` the
            embedded broker and worker, joined while the app lives.
    """
    app = FastAPI(
        title="Barlake",
        summary="1-minute market bars, features and the work that brings them",
        version=version("barlake"),
        lifespan=_lifespan,
        openapi_url=None,  # the routes of docs.py serve both, for they need a scope too
        docs_url=None,
        redoc_url=None,
    )
    app.state.house = House(settings, send)
    app.state.authenticators = authenticators(settings)
    app.state.joins = send is None and not settings.redis_url
    for router in ROUTERS:
        app.include_router(router, responses=error_responses(401, 403, 422))
    add_error_handlers(app)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=_MAX_BODY)
    app.add_middleware(AccessLog)  # the last one added is the outermost
    describe(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    house: House = app.state.house
    _notice_the_end(house)
    await run_in_threadpool(_begin, house, joins=app.state.joins)
    try:
        yield
    finally:
        await run_in_threadpool(house.joining.leave)
        await run_in_threadpool(house.close)


def _notice_the_end(house: House) -> None:
    """Let requests that wait for something end when the server is told to stop, for it waits for them."""
    if threading.current_thread() is not threading.main_thread():
        return  # signals are the business of whoever runs this

    def chained(before: Callable[[int, FrameType | None], object]) -> Callable[..., None]:
        def leave(number: int, frame: FrameType | None) -> None:
            house.leaving.set()
            before(number, frame)

        return leave

    for number in (signal.SIGINT, signal.SIGTERM):
        if callable(before := signal.getsignal(number)):
            signal.signal(number, chained(before))


def _begin(house: House, *, joins: bool) -> None:
    settings = house.settings
    secrets = (settings.alpaca_key.get_secret_value(), settings.alpaca_secret.get_secret_value())
    try:
        journal = house.journal
    except ReadOnlyError as error:  # what is there can still be read
        sys.stderr.write(f"{error}\n")
        journal = None
    configure_logs("api", home=settings.home, journal=journal, secrets=secrets)
    _adopt_uvicorn()
    if joins and journal is not None:
        house.joining.start()


def _adopt_uvicorn() -> None:
    """Let the server speak in our JSON lines; for its line a request we have a better one."""
    for name, adopted in (("uvicorn", True), ("uvicorn.access", False)):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = adopted


def _app_of_settings() -> FastAPI:
    try:
        settings = load_settings()
        made = create_app(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(_EXIT_INPUT) from None
    for sentence in settings.notes:
        sys.stderr.write(f"{sentence}\n")
    return made


def __getattr__(name: str) -> FastAPI:
    if name != "app":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    globals()["app"] = made = _app_of_settings()
    return made
