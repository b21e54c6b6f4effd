"""Alpaca's market data stream, through alpaca-py's ``StockDataStream``, observed from outside.

alpaca-py connects again for ever and tells nobody: not that it did, not that bars of the meantime are
lost, not that the keys are refused, not that fewer symbols were taken than asked for. So each of
these is noted here. What each field becomes: docs/live.md.
"""

import asyncio
import hashlib
import logging
import queue
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import msgpack  # type: ignore[import-untyped]
import polars as pl

from agents.sources import Heard, Trouble
from lake import BAR_SCHEMA

with warnings.catch_warnings():  # alpaca-py imports the deprecated half of websockets
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.live import StockDataStream

#: ``halts`` of what is heard.
HALTS = pl.Schema(
    {
        "symbol": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "halted": pl.Boolean(),
        "reason": pl.String(),
    }
)
_FIELDS = {
    "symbol": "S",
    "open": "o",
    "high": "h",
    "low": "l",
    "close": "c",
    "volume": "v",
    "trade_count": "n",
    "vwap": "vw",
}
#: Status codes of the tapes: halts and pauses, and what ends them.
_HALTED, _RESUMED = {"2", "H", "P"}, {"3", "T", "Q"}

_NO_SUCH_FEED = 404
#: A list of symbols and channels is refused as a whole.
_REFUSED_LISTS = (400, 405, 409, 410)
_SHOWN = 5
#: Feeds whose stream is not of version 2.
_VERSIONS = {"boats": "v1beta1"}

#: Seconds for connection and login together, and for a farewell.
_CONNECT_SECONDS, _FAREWELL_SECONDS = 20.0, 2.0
_SOCKET = {
    "ping_interval": 10,
    "ping_timeout": 30,
    "max_queue": 1024,
    "close_timeout": 1,
}
# What it logs of its own is told here, without a traceback at every attempt.
logging.getLogger("alpaca.data.live.websocket").setLevel(logging.CRITICAL + 1)


class AlpacaStream:
    """Minute bars, their updates and trading halts of some symbols.

    Args:
        source: As users know it, for sentences.
        url: With its path, like ``wss://stream.data.alpaca.markets/v2/iex``.
        key: Of the account.
        secret: Of the account.
    """

    def __init__(self, source: str, url: str, key: str, secret: str) -> None:
        self._source, self._url, self._key, self._secret = source, url, key, secret
        self._line: _Line | None = None

    @property
    def endpoint(self) -> str:
        """What there may be one connection of: the address and the account."""
        account = hashlib.sha256(self._key.encode()).hexdigest()[:8]
        where = urlsplit(self._url)
        return f"{where.netloc}{where.path} {account}"

    @property
    def connects(self) -> int:
        """How often it has connected since it was opened."""
        return self._line.connects if self._line else 0

    @property
    def is_connected(self) -> bool:
        """Whether it is connected now."""
        return self._line is not None and self._line.is_connected

    @property
    def told(self) -> frozenset[str]:
        """The symbols of which bars and updates come, as Alpaca has said."""
        return self._line.told if self.is_connected and self._line else frozenset()

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong now."""
        return self._line.trouble if self._line else None

    @property
    def silence(self) -> float:
        """Seconds since the last bar, or since it connected."""
        return time.monotonic() - self._line.heard_at if self._line else 0.0

    def open(self, symbols: Sequence[str]) -> None:
        """Connect, and stay so until it is closed or refused."""
        self.close()
        self._line = _Line(self._source, self._url, (self._key, self._secret), symbols)
        self._line.start()

    def hear(self, seconds: float) -> Heard:
        """What has come; waits so long for the first."""
        return _heard(self._line.take(seconds) if self._line else [])

    def renew(self) -> None:
        """End this connection; alpaca-py makes another one."""
        if self._line is not None:
            self._line.renew()

    def close(self) -> None:
        """End the connection in good order; what has come can still be heard."""
        if self._line is not None:
            self._line.end()


Kind = Literal["keys", "plan", "symbols", "taken", "lost"]


class _SaidNoError(ValueError):
    """Alpaca refused; ``trouble`` has it already."""


class _Line(StockDataStream):
    """One stream from its opening to its end, in a thread of its own."""

    _loop: asyncio.AbstractEventLoop | None  # type: ignore[assignment] # alpaca-py says None only
    _ws: Any

    def __init__(
        self, source: str, url: str, keys: tuple[str, str], symbols: Sequence[str]
    ) -> None:
        super().__init__(*keys, raw_data=True, url_override=url, websocket_params=dict(_SOCKET))
        self._source, self._asked = source, frozenset(symbols)
        self._came: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._live, daemon=True, name="stream")
        self._ending = threading.Event()
        self.connects, self.heard_at = 0, time.monotonic()
        self.is_connected = False
        self.told: frozenset[str] = frozenset()
        self.trouble: Trouble | None = None
        self.subscribe_bars(self._take, *symbols)
        self.subscribe_updated_bars(self._take, *symbols)
        self.subscribe_trading_statuses(self._take, *symbols)

    # From other threads ------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def take(self, seconds: float) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        with suppress(queue.Empty):
            found.append(self._came.get(timeout=seconds))
            while True:
                found.append(self._came.get_nowait())
        return found

    def renew(self) -> None:
        self._call(self._hang_up)

    def end(self) -> None:
        self._ending.set()
        self._call(self._end)
        self._thread.join(_FAREWELL_SECONDS * 2)

    def _call(self, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = self._loop
        if loop is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # it has just ended
                asyncio.run_coroutine_threadsafe(what(), loop)

    # In the stream's own thread ----------------------------------------------------------------

    def _live(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._run())
        self.is_connected = False

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        if not self._ending.is_set():
            await self._run_forever()

    async def _hang_up(self) -> None:
        if self._ws is not None:
            await self._ws.close()

    async def _end(self) -> None:
        await self.stop_ws()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS / 2):
                await self._hang_up()
        await asyncio.sleep(_FAREWELL_SECONDS / 2)
        if self._task is not None:  # it hangs in a connection that is none yet
            self._task.cancel()

    async def _take(self, message: Any) -> None:
        """Alpaca-py's handler: nothing here may raise or take long."""
        self.heard_at = time.monotonic()
        self._came.put(message)

    async def _start_ws(self) -> None:
        self.told = frozenset()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await super()._start_ws()
        except _SaidNoError:
            raise
        except Exception as error:
            status = getattr(error, "status_code", None)
            problem = f"HTTP {status}" if status else type(error).__name__
            if status == _NO_SUCH_FEED:
                self._refuse("plan", f"There is no such stream ({problem}).", final=True)
                await self.stop_ws()
            else:
                self._refuse("lost", f"No connection was made ({problem}).")
            raise

    async def _auth(self) -> None:
        await self._ws.send(
            msgpack.packb({"action": "auth", "key": self._api_key, "secret": self._secret_key})
        )
        answer = msgpack.unpackb(await self._ws.recv())[0]
        if answer.get("T") == "error":
            await self._judge(answer)
            raise _SaidNoError
        if answer.get("msg") != "authenticated":
            raise ValueError("no answer to the keys")

    async def _consume(self) -> bool:
        self.connects += 1  # after a message that could not be read too: its bars are lost as well
        self.heard_at, self.trouble = time.monotonic(), None
        self.is_connected = True
        try:
            return bool(await super()._consume())
        finally:
            self.is_connected = False
            if self.trouble is None and not self._ending.is_set():
                self._refuse("lost", "The connection broke.")

    async def _dispatch(self, msg: dict[str, Any]) -> None:
        kind = msg.get("T")
        if kind == "subscription":
            self.told = frozenset(msg.get("bars") or ()) & frozenset(msg.get("updatedBars") or ())
            self._check_told()
        elif kind == "error":
            await self._judge(msg)
        else:
            await super()._dispatch(msg)

    def _check_told(self) -> None:
        if missing := sorted(self._asked - self.told):
            some = ", ".join(missing[:_SHOWN]) + (" and more" if len(missing) > _SHOWN else "")
            self._refuse("symbols", f"It does not tell {some}, which are asked for by REST.")
        elif self.trouble is not None and self.trouble.kind == "symbols":
            self.trouble = None

    async def _judge(self, answer: Mapping[str, Any]) -> None:
        """Note what a refusal means, and end where it stays."""
        code, said = answer.get("code"), f"{answer.get('code')}: {answer.get('msg')}"
        if self.is_connected and code in _REFUSED_LISTS and self._handlers["statuses"]:
            self._handlers["statuses"].clear()  # bars are worth more than halts
            await self._send_subscribe_msg()
            return
        kind, advice = _REFUSALS.get(code, ("lost", "It is tried again."))
        final = kind in {"keys", "plan", "symbols"}
        self._refuse(kind, f"{_WORDS.get(kind, 'It failed')} ({said}). {advice}", final=final)
        if final:
            await self.stop_ws()

    def _refuse(self, kind: Kind, says: str, *, final: bool = False) -> None:
        self.trouble = Trouble(kind, f"The stream of {self._source}: {says}", final=final)


_WORDS = {
    "keys": "the keys were refused",
    "plan": "the plan does not allow it",
    "symbols": "these symbols were refused",
    "taken": "another connection of this account is there",
}
_REFUSALS: dict[Any, tuple[Kind, str]] = {
    401: ("keys", "Check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY in .env."),
    402: ("keys", "Check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY in .env."),
    411: ("keys", "The key may not read market data: make another one."),
    409: ("plan", "Set ALPACA_FEED=iex, or change the plan; REST is asked until then."),
    410: ("plan", "REST is asked instead."),
    400: ("symbols", "Check BARLAKE_WATCH; REST is asked instead."),
    405: ("symbols", "Name fewer symbols in BARLAKE_WATCH; REST is asked for all until then."),
    406: ("taken", "It is tried again until that one has ended."),
}


def stream_address(url: str, feed: str) -> str:
    """The address of a feed's stream on a host; one with a path of its own is taken as it is.

    >>> stream_address("wss://stream.data.alpaca.markets", "sip")
    'wss://stream.data.alpaca.markets/v2/sip'
    """
    if urlsplit(url).path.strip("/"):
        return url
    return f"{url.rstrip('/')}/{_VERSIONS.get(feed, 'v2')}/{feed}"


def _heard(messages: Sequence[Mapping[str, Any]]) -> Heard:
    bars, updates, halts = ([m for m in messages if m.get("T") == kind] for kind in "bus")
    return Heard(_bars(bars), _bars(updates), _halts(halts))


def _bars(messages: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Columns from messages. What cannot be read becomes null, for the checks to judge."""
    times = [_microseconds(message.get("t")) for message in messages]
    columns = {"timestamp": pl.Series(times, dtype=pl.Int64).cast(BAR_SCHEMA["timestamp"])}
    for name, field in _FIELDS.items():
        found = pl.Series([message.get(field) for message in messages], strict=False)
        columns[name] = found.cast(BAR_SCHEMA[name], strict=False)
    return pl.DataFrame({name: columns[name] for name in BAR_SCHEMA}, schema=BAR_SCHEMA)


def _halts(messages: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    rows = []
    for message in messages:
        code, at = str(message.get("sc")), _microseconds(message.get("t"))
        if code in _HALTED | _RESUMED and at is not None:
            said = [message.get(name) for name in ("rc", "rm", "sm")]
            reason = " ".join(str(word) for word in said if word)
            rows.append((message.get("S"), at, code in _HALTED, reason))
    frame = pl.DataFrame(rows, schema={**HALTS, "at": pl.Int64()}, orient="row")
    return frame.with_columns(pl.col("at").cast(HALTS["at"]))


def _microseconds(value: object) -> int | None:
    if isinstance(value, msgpack.Timestamp):
        return int(value.seconds) * 1_000_000 + int(value.nanoseconds) // 1000
    if isinstance(value, datetime) and value.tzinfo is not None:
        return round(value.astimezone(UTC).timestamp() * 1_000_000)
    return None
