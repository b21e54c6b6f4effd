"""The sandbox's own routes, apart from Alpaca's: its clock, its faults, its truth, its log.

They ask for no keys, count in no limit, never misbehave, and answer this machine alone.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.clock import VirtualClock
from sandbox.config import FASTEST
from sandbox.errors import BadRequestError, ConfigError
from sandbox.faults import FAULTS, Faults, describe_plan, merged
from sandbox.names import Names
from sandbox.queries import asof_day
from sandbox.request_log import RequestLog
from sandbox.revisions import Revisions
from sandbox.stream import CHANNELS, StreamServer
from sandbox.times import midnight, new_york_day, parse_end, parse_start, utc_text
from sandbox.truth import truth


class ControlRoutes:
    """The routes under ``/sandbox/``.

    Args:
        revisions: What bars were when.
        clock: The present.
        faults: What goes wrong.
        log: What was asked.
        streams: Who listens.
    """

    def __init__(
        self,
        revisions: Revisions,
        clock: VirtualClock,
        faults: Faults,
        log: RequestLog,
        streams: StreamServer,
    ) -> None:
        self._revisions, self._clock, self._faults = revisions, clock, faults
        self._log, self._streams = log, streams
        self._names = Names(revisions.market.listings)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/sandbox/clock", self.clock, methods=["GET", "PUT"]),
            Route("/sandbox/faults", self.faults, methods=["GET", "PUT", "PATCH"]),
            Route("/sandbox/truth", self.truth),
            Route("/sandbox/requests", self.requests, methods=["GET", "DELETE"]),
            Route("/sandbox/streams", self.streams),
        ]

    async def clock(self, request: Request) -> Response:
        """Read the present, or set it with ``now`` or ``advance`` (seconds) and ``speed``."""
        if request.method == "PUT":
            asked = await _content(request, {"now", "advance", "speed"})
            now = asked.get("now")
            moment = None if now is None else _instant(now, "now")
            if "advance" in asked:
                begin = self._clock() if moment is None else moment
                moment = begin + _number(asked["advance"], "advance")
            speed = _number(asked["speed"], "speed") if "speed" in asked else None
            if speed is not None and not 0 <= speed <= FASTEST:
                raise BadRequestError(f"speed must be 0 to {FASTEST}")
            self._clock.set(now=moment, speed=speed)
        now = self._clock()
        return _reply({"now": utc_text(int(now)), "seconds": now, "speed": self._clock.speed})

    async def faults(self, request: Request) -> Response:
        """Read the plan and what happened of it, replace it (PUT) or change it (PATCH)."""
        if request.method != "GET":
            asked = await _content(request, {*FAULTS, "seed"})
            seed = asked.pop("seed", None)
            if seed is not None and not isinstance(seed, int):
                raise BadRequestError("seed must be a whole number")
            old = () if request.method == "PUT" else self._faults.plan
            try:
                plan = merged(old, asked)
            except ConfigError as error:
                raise BadRequestError(str(error)) from None
            self._faults.set(plan, seed)
        return _reply(
            {
                "seed": self._faults.seed,
                "faults": describe_plan(self._faults.plan),
                "happened": dict(self._faults.happened),
            }
        )

    async def truth(self, request: Request) -> Response:
        """The bars a perfect client holds, now or ``as_of`` a moment of the sandbox's clock."""
        asked = request.query_params
        now = self._clock()
        if "symbol" not in asked:
            raise BadRequestError("symbol is required")
        return Response(
            await truth(
                self._revisions,
                self._names.part(asked["symbol"], asof_day(asked, now)),
                asked.get("feed") or "sip",
                parse_start(asked["start"]) if "start" in asked else midnight(new_york_day(now)),
                parse_end(asked["end"]) if "end" in asked else int(now),
                _instant(asked["as_of"], "as_of") if "as_of" in asked else now,
            ),
            media_type="application/json",
        )

    async def requests(self, request: Request) -> Response:
        """Alpaca's requests after the number ``after``; DELETE forgets them."""
        if request.method == "DELETE":
            self._log.clear()
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            raise BadRequestError("after must be a whole number")
        return _reply({"count": self._log.count, "requests": self._log.after(int(after))})

    async def streams(self, _: Request) -> Response:
        """Who is authenticated and listens to what."""
        told = [
            {
                "feed": one.feed,
                "account": one.account,
                "muted": one.muted > self._clock(),
                "channels": {name: sorted(one.channels[name]) for name in CHANNELS},
            }
            for one in self._streams.connections
        ]
        return _reply({"attempts": self._streams.attempts, "connections": told})


async def _content(request: Request, known: set[str]) -> dict[str, Any]:
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise BadRequestError("the body must be an object")
    if unknown := sorted(set(content) - known):
        raise BadRequestError(f"unknown: {unknown[0][:40]}; known are {', '.join(sorted(known))}")
    return content


def _instant(value: object, name: str) -> float:
    """Seconds since 1970, of a number or a text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return float(parse_start(value, name))
    return _number(value, name)


def _number(value: object, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise BadRequestError(f"{name} must be a number")


def _reply(content: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
