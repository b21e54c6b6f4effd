"""The real StockDataStream in a thread, and a plain socket for what it never sends."""

import asyncio
import json
import threading
import time
import warnings
from contextlib import contextmanager

import msgpack

with warnings.catch_warnings():  # alpaca-py imports the deprecated half of websockets
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.live import StockDataStream
from websockets.sync.client import connect

#: A loaded machine may take long; nothing waits so long when all is well.
PATIENCE = 60


def socket_url(url, feed="iex"):
    return f"{url.replace('http', 'ws', 1)}/v2/{feed}"


def wait_for(condition, what="the condition"):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE} s in vain for {what}")


class Listener:
    """What a StockDataStream got, in order, as dictionaries."""

    def __init__(self, url, feed="iex", key="key", secret="secret", raw=True, **options):
        self.stream = StockDataStream(
            key, secret, raw_data=raw, url_override=socket_url(url, feed), **options
        )
        self.got = []
        self.connects = 0
        start = self.stream._start_ws

        async def counting():
            await start()
            self.connects += 1

        self.stream._start_ws = counting

    async def take(self, message):
        self.got.append(message)

    def kinds(self, kind):
        return [message for message in list(self.got) if message["T"] == kind]


@contextmanager
def listening(url, bars=(), updated=(), daily=(), statuses=(), **options):
    listener = Listener(url, **options)
    stream = listener.stream
    for subscribe, symbols in (
        (stream.subscribe_bars, bars),
        (stream.subscribe_updated_bars, updated),
        (stream.subscribe_daily_bars, daily),
        (stream.subscribe_trading_statuses, statuses),
    ):
        if symbols:
            subscribe(listener.take, *symbols)
    thread = threading.Thread(target=_run, args=(stream,), daemon=True)
    thread.start()
    try:
        wait_for(lambda: stream._running, "a stream that is connected and has subscribed")
        yield listener
    finally:
        asyncio.run_coroutine_threadsafe(_stop(stream), stream._loop).result(PATIENCE)
        thread.join(PATIENCE)


async def _stop(stream):
    await stream.stop_ws()
    if stream._ws is not None:  # its own stop waits up to five seconds for a message
        await stream._ws.close()


def _run(stream):
    asyncio.run(stream._run_forever())


class Plain:
    """A socket that sends and gets what it is told, in either codec."""

    def __init__(self, socket, packed):
        self.socket, self.packed = socket, packed

    def send(self, **message):
        self.send_raw(msgpack.packb(message) if self.packed else json.dumps(message))

    def send_raw(self, content):
        self.socket.send(content)

    def receive(self, timeout=PATIENCE):
        content = self.socket.recv(timeout)
        assert isinstance(content, bytes) == self.packed
        return msgpack.unpackb(content) if self.packed else json.loads(content)

    def ask(self, **message):
        self.send(**message)
        return self.receive()

    def auth(self, key="key", secret="secret"):
        return self.ask(action="auth", key=key, secret=secret)


@contextmanager
def plain(url, feed="iex", packed=False, authenticated=False, **headers):
    codec = "application/msgpack" if packed else "application/json"
    with connect(
        socket_url(url, feed), additional_headers={"Content-Type": codec, **headers}
    ) as socket:
        client = Plain(socket, packed)
        assert client.receive() == [{"T": "success", "msg": "connected"}]
        if authenticated:
            assert client.auth() == [{"T": "success", "msg": "authenticated"}]
        yield client
