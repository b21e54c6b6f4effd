"""The door of every request: keys, the rate limit, what goes wrong on purpose, and the log."""

import ipaddress
import math
import time
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.auth import account_of
from sandbox.clock import VirtualClock
from sandbox.config import SandboxConfig
from sandbox.errors import ApiError
from sandbox.faults import Fault, Faults
from sandbox.limits import Quota, RateLimit
from sandbox.misbehaviour import applies, misbehave
from sandbox.request_log import Entry, RequestLog

CONTROL = "/sandbox/"
TRADING_PATHS = ("/v2/calendar", "/v2/clock", "/v2/assets")
#: Replies that do not tell the quota: Alpaca's refusals of a key, and those of gateways.
WITHOUT_QUOTA = {401, 403, 502, 503, 504}
#: Where a request's fault is found in its scope.
FAULT, NUMBER = "sandbox.fault", "sandbox.number"


class Gate:
    """Lets in who has a key and a rest of the window, and tells the rest on the way out.

    Args:
        app: What is behind.
        config: Keys and limits.
        clock: The sandbox's present, for the log.
        faults: What goes wrong.
        log: Where every request is written down.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: SandboxConfig,
        clock: VirtualClock,
        faults: Faults,
        log: RequestLog,
    ) -> None:
        self._app, self._config = app, config
        self._clock, self._faults, self._log = clock, faults, log
        self._data, self._trading = (
            RateLimit(config.rate_limit, config.rate_window) for _ in range(2)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(CONTROL):
            await self._control(scope, receive, send)
        else:
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            entry = self._log.begin(
                time.time(), self._clock(), scope["method"], scope["path"], query
            )
            await self._serve(entry, scope, receive, _noting(entry, send))

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The sandbox's own routes: without keys, from this machine alone."""
        if is_loopback(scope):
            await self._app(scope, receive, send)
        else:
            await respond(ApiError(404, "not found"))(scope, receive, send)

    async def _serve(self, entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            account = account_of(Headers(scope=scope), self._config.key, self._config.secret)
        except ApiError as error:
            await respond(error)(scope, receive, send)
            return
        entry.account = account
        window = self._trading if scope["path"].startswith(TRADING_PATHS) else self._data
        entry.early = window.is_early(account)
        quota = window.take(account)
        fault = self._fault(entry) if quota.allowed else None
        if fault and fault.name == "rate_limit":
            quota = window.exhaust(account, fault.seconds)
        telling = _telling(window, account, quota, send)
        if not quota.allowed:
            entry.over = not quota.blocked
            entry.fault = "rate_limit" if quota.blocked else None
            await respond(ApiError(429, "too many requests."))(scope, receive, telling)
            return
        scope[FAULT], scope[NUMBER] = fault, entry.number
        serving = self._app if fault is None else misbehave(self._app, fault)
        await serving(scope, receive, telling)

    def _fault(self, entry: Entry) -> Fault | None:
        fault = self._faults.request(
            entry.number, entry.path, lambda name: applies(name, entry.path, entry.query)
        )
        if fault is not None:
            self._faults.note(fault)
            entry.fault = fault.name
        return fault


def is_loopback(scope: Scope) -> bool:
    """Whether a request comes from this machine."""
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def respond(error: ApiError) -> Response:
    """A refusal as an answer."""
    return Response(orjson.dumps(error.body()), error.status, media_type="application/json")


def _telling(window: RateLimit, account: str, quota: Quota, send: Send) -> Send:
    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] not in WITHOUT_QUOTA:
            message["headers"] = [*message["headers"], *quota.headers()]
            window.tell(account, quota)
        await send(message)

    return telling


def _noting(entry: Entry, send: Send) -> Send:
    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
        else:
            entry.bytes += len(message.get("body", b""))
            if not message.get("more_body"):
                entry.milliseconds = math.ceil((time.time() - entry.at) * 1e5) / 100
        await send(message)

    return noting
