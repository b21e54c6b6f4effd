"""The market data stream: connections, and what each may be told.

A connection is told ``connected``, authenticates, subscribes, and then gets the bars of its symbols.
There may be one of a key on an endpoint; what else is refused has Alpaca's numbers.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.auth import KEY_HEADER, SECRET_HEADER, account_of
from sandbox.config import TICKER, SandboxConfig
from sandbox.errors import ApiError
from sandbox.faults import Faults
from sandbox.wire import Frame, SyntaxProblemError, Wire

#: The feeds of the stream, and the feed of the market that each shows.
STREAM_FEEDS = {"sip": "sip", "iex": "iex", "delayed_sip": "sip", "test": "test"}
CHANNELS = (
    "trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds",
    "corrections", "cancelErrors",
)  # fmt: skip
#: Messages that may wait for a slow client.
MOST_WAITING = 2000
LAST_WORDS_SECONDS = 1.0
CLEAN_CODES = {1000, 1001}
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
}


@dataclass(eq=False)
class Connection:
    """One client of the stream.

    ``channels`` are its symbols by channel, ``muted`` the moment of the sandbox's clock until which
    it gets no data, ``outgoing`` the arrays that are not sent yet.
    """

    feed: str
    wire: Wire
    abort: Callable[[], None]
    account: str = ""
    channels: dict[str, set[str]] = field(
        default_factory=lambda: {name: set() for name in CHANNELS}
    )
    muted: float = 0.0
    outgoing: "asyncio.Queue[Sequence[Frame]]" = field(
        default_factory=lambda: asyncio.Queue(MOST_WAITING)
    )
    too_slow: bool = False

    def wants(self, channel: str, symbol: str) -> bool:
        """Whether a symbol's messages of a channel are subscribed to."""
        symbols = self.channels[channel]
        return symbol in symbols or "*" in symbols

    def offer(self, frames: Sequence[Frame]) -> None:
        """Have some messages sent as one array, as soon as the client takes them.

        A client that is too slow gets a 407 instead of what waits, if it comes to it, and is cut off.
        """
        if self.too_slow:
            return
        try:
            self.outgoing.put_nowait(frames)
        except asyncio.QueueFull:
            self.too_slow = True
            while not self.outgoing.empty():
                self.outgoing.get_nowait()
            self.outgoing.put_nowait([problem(407)])
            asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self.abort)

    def subscription(self) -> Frame:
        """What is subscribed to now."""
        return {"T": "subscription"} | {name: sorted(s) for name, s in self.channels.items()}

    def symbols(self) -> int:
        """How many symbols it has."""
        return len(set().union(*self.channels.values()))


class StreamServer:
    """All connections.

    Args:
        config: Keys and plan.
        faults: What goes wrong.
        real: The real clock, by which clients are waited for.
    """

    def __init__(
        self, config: SandboxConfig, faults: Faults, real: Callable[[], float] = time.monotonic
    ) -> None:
        self._config, self._faults, self._real = config, faults, real
        self.connections: set[Connection] = set()
        self._lingering: dict[tuple[str, str], float] = {}
        self.attempts = 0
        self._limit = config.stream_symbols or (30 if config.free_plan else None)

    async def serve(self, socket: WebSocket) -> None:
        """One connection from its handshake to its end."""
        feed = socket.path_params["feed"]
        if feed not in STREAM_FEEDS:
            await socket.send_denial_response(Response("404 page not found", 404))
            return
        await socket.accept()
        reset = socket.scope.get("state", {}).get("reset", lambda: None)
        connection = Connection(feed, Wire(socket), reset)
        sending = asyncio.create_task(self._send(connection))
        code = 1006
        try:
            code = await self._talk(connection, socket)
        except WebSocketDisconnect as error:
            code = error.code
        except RuntimeError:  # sent after the end
            code = 1006
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sending
            self._leave(connection, clean=code in CLEAN_CODES)

    async def _talk(self, connection: Connection, socket: WebSocket) -> int:
        """Answer a client until it ends, or is ended; returns the code of the close."""
        await connection.wire.send([{"T": "success", "msg": "connected"}])
        if KEY_HEADER in socket.headers:
            key, secret = socket.headers[KEY_HEADER], socket.headers.get(SECRET_HEADER, "")
            await connection.wire.send([self._authenticate(connection, key, secret)])
        deadline = self._real() + self._config.auth_seconds
        while True:
            left = None if connection.account else max(deadline - self._real(), 0)
            try:
                message = await asyncio.wait_for(connection.wire.receive(), left)
            except SyntaxProblemError:
                await connection.wire.send([problem(400)])
                continue
            except TimeoutError:
                await connection.wire.send([problem(404)])
                await socket.close()
                return 1000
            answer = self._answer(connection, message)
            if answer.get("code") == 406:  # noqa: PLR2004 - it may try again on the same socket
                deadline = self._real() + self._config.auth_seconds
            connection.offer([answer])

    async def _send(self, connection: Connection) -> None:
        while True:
            await connection.wire.send(await connection.outgoing.get())

    def _answer(self, connection: Connection, message: Frame) -> Frame:
        action = message.get("action")
        if action == "auth":
            return self._authenticate(connection, message.get("key"), message.get("secret"))
        if action not in {"subscribe", "unsubscribe"}:
            return problem(400)
        if not connection.account:
            return problem(401)
        return self._subscribe(connection, message, add=action == "subscribe")

    def _authenticate(self, connection: Connection, key: Any, secret: Any) -> Frame:
        if connection.account:
            return problem(403)
        self.attempts += 1
        headers = {KEY_HEADER: str(key or ""), SECRET_HEADER: str(secret or "")}
        try:
            account = account_of(headers, self._config.key, self._config.secret)
        except ApiError:
            return problem(402)
        if self._faults.strikes("stream_refuse", self.attempts):
            return problem(402)
        if self._config.free_plan and connection.feed == "sip":
            return problem(409)
        if self._faults.strikes("stream_busy", self.attempts) or self._taken(
            account, connection.feed
        ):
            return problem(406)
        connection.account = account
        self.connections.add(connection)
        return {"T": "success", "msg": "authenticated"}

    def _taken(self, account: str, feed: str) -> bool:
        if any(one.account == account and one.feed == feed for one in self.connections):
            return True
        if self._faults.get("stream_linger") is None:
            return False
        return self._lingering.get((account, feed), 0.0) > self._real()

    def _subscribe(self, connection: Connection, message: Frame, *, add: bool) -> Frame:
        asked = {name: symbols for name, symbols in message.items() if name != "action"}
        if set(asked) - set(CHANNELS):
            return problem(410)
        changed = {name: set(symbols) for name, symbols in connection.channels.items()}
        for name, symbols in asked.items():
            if not isinstance(symbols, list) or not all(map(_is_symbol, symbols)):
                return problem(400)
            changed[name] = changed[name] | set(symbols) if add else changed[name] - set(symbols)
        trades = changed["trades"]
        changed |= {"corrections": set(trades), "cancelErrors": set(trades)}
        if add and self._limit is not None and len(set().union(*changed.values())) > self._limit:
            return problem(405)
        connection.channels = changed
        return connection.subscription()

    def _leave(self, connection: Connection, *, clean: bool) -> None:
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        linger = self._faults.get("stream_linger")
        if linger is not None and not clean:
            place = connection.account, connection.feed
            self._lingering[place] = self._real() + linger.seconds
            self._faults.note(linger)


def problem(code: int) -> Frame:
    """An error in the protocol."""
    return {"T": "error", "code": code, "msg": ERRORS[code]}


def _is_symbol(symbol: object) -> bool:
    return isinstance(symbol, str) and (symbol == "*" or bool(TICKER.fullmatch(symbol)))
