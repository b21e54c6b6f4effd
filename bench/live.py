"""From a live bar's arrival to a reader in another process that has it: prints a JSON object of figures.

python -m bench.live HOME

The sandbox plays a session ten times as fast as it was to the real live agent, with its broker and its
lease: each minute's bars of 500 symbols come in one burst, as they do in earnest, and REST is asked
beside it as always. When a bar arrives is noted by a listener of its own with another account
(alpaca-py's ``StockDataStream``, nothing of ours); when it can be read by two processes that read over
and over, one all symbols by SQL, one a few by ``lake.bars``, at the end of the answer that has it first.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    import lake

SYMBOLS = [f"L{number:03}" for number in range(500)]
SOURCE = "sandbox:sip"
#: Symbols of the reader that a person or a model is.
_FEW = SYMBOLS[::50]
#: A minute after the opening of a Monday; what was before is fetched first.
_BEGIN = datetime(2024, 11, 4, 14, 31, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_SPEED, _MINUTES = 10.0, 10
_LOOK_EVERY, _PATIENCE = 0.05, 150.0
#: A reader looks again at so much before the newest bar that it has seen.
_AGAIN = 5 * _MINUTE

Bar = tuple[str, str]
Ask = Callable[["lake.Lake", datetime], list[Bar]]


def main(home: Path) -> dict[str, float]:
    """Seconds from arrival to readable, and of how many bars."""
    import lake
    from sandbox.config import SandboxConfig
    from sandbox.control import Control
    from sandbox.serve import running

    config = SandboxConfig(symbols=tuple(SYMBOLS), begin=_BEGIN + _MINUTE / 2, speed=0.0)
    lake.open(home, create=True).close()
    with (
        running(config) as url,
        _agent(home, url),
        _reader(home, "all") as seen,
        _reader(home, "few") as seen_by_few,
    ):
        control = Control(url)
        arrived = _listen(control.stream_url("sip"))
        _wait(lambda: len(control.streams()["connections"]) > 1, "connected")
        with lake.open(home) as store:
            _wait(lambda: all(store.covered_many(SYMBOLS, SOURCE).values()), "caught up")
        control.set_clock(speed=_SPEED)
        until = _BEGIN + (_MINUTES + 1) * _MINUTE
        _wait(lambda: control.now() > until.timestamp(), "played")
        control.set_clock(speed=0.0)
        time.sleep(1.0)  # what is under way
        bars = dict(arrived)
        with lake.open(home) as store:
            _wait(lambda: not bars.keys() - {*_by_sql(store, _BEGIN)}, "stored")
        told = _delays(bars, seen()), _delays(_of_few(bars), seen_by_few())
    cuts, few_cuts = (quantiles(delays, n=100) for delays in told)
    return {
        "p50": cuts[49],
        "p99": cuts[98],
        "max": max(told[0]),
        "bars": float(len(bars)),
        "minutes": float(len({minute for _, minute in bars})),
        "few_p50": few_cuts[49],
        "few_p99": few_cuts[98],
        "few_max": max(told[1]),
    }


def _delays(arrived: Mapping[Bar, float], readable: Mapping[Bar, float]) -> list[float]:
    return [max(readable[bar] - at, 0.0) for bar, at in arrived.items()]


def _of_few(bars: Mapping[Bar, float]) -> dict[Bar, float]:
    return {bar: at for bar, at in bars.items() if bar[0] in _FEW}


@contextmanager
def _agent(home: Path, url: str) -> Iterator[None]:
    """A broker and the live agent, each a process, until the block ends."""
    os.environ |= {
        "BARLAKE_HOME": str(home),
        "BARLAKE_WATCH": ",".join(SYMBOLS),
        "ALPACA_API_BASE_URL": url,
        "ALPACA_API_KEY_ID": "key",
        "ALPACA_API_SECRET_KEY": "secret",
        "ALPACA_FEED": "sip",
    }
    from app.up.parts import broker_part, live_part
    from app.up.place import Place
    from app.up.supervisor import Supervisor
    from lake.journal import Journal
    from lake.settings import load_settings

    place, supervisor = Place.of(load_settings()), Supervisor(lambda *_: None)
    with Journal.open(home) as journal:
        try:
            for part in (broker_part(place), live_part(place, journal)):
                supervisor.start([part])
                supervisor.settle(lambda: False)
            yield
        finally:
            supervisor.stop()


def _listen(url: str) -> dict[Bar, float]:
    """When each bar arrives (seconds since 1970), from now on; filled by a thread."""
    from alpaca.data.live import StockDataStream

    logging.getLogger("alpaca.data.live").setLevel(logging.CRITICAL)  # the server ends before it
    arrived: dict[Bar, float] = {}

    async def note(message: Any) -> None:
        minute = datetime.fromtimestamp(message["t"].seconds, UTC)
        arrived.setdefault((message["S"], minute.isoformat()), time.time())

    stream = StockDataStream("another", "secret", raw_data=True, url_override=url)
    stream.subscribe_bars(note, *SYMBOLS)
    threading.Thread(target=stream.run, daemon=True).start()
    return arrived


@contextmanager
def _reader(home: Path, whom: str) -> Iterator[Callable[[], dict[Bar, float]]]:
    """A process that reads; ended by the call that gives when it has read each bar first."""
    command = [sys.executable, "-m", "bench.live", str(home), whom]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:

        def seen() -> dict[Bar, float]:
            rows = json.loads(process.communicate()[0])
            return {(symbol, minute): at for symbol, minute, at in rows}

        try:
            yield seen
        finally:
            process.kill()


def read(home: Path, ask: Ask) -> None:
    """Read over and over until standard input ends; then say when each bar was there first."""
    import lake

    ended = threading.Event()

    def await_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=await_end, daemon=True).start()
    seen: dict[Bar, float] = {}
    since = _BEGIN
    last = False
    with lake.open(home) as store:
        while not last:
            last = ended.is_set()  # what was stored before the end is read once more
            bars = ask(store, since)
            now = time.time()
            for bar in bars:
                seen.setdefault(bar, now)
            newest = max((minute for _, minute in bars), default=None)
            since = max(_BEGIN, datetime.fromisoformat(newest) - _AGAIN) if newest else since
            time.sleep(_LOOK_EVERY)
    sys.stdout.write(json.dumps([[*bar, at] for bar, at in seen.items()]))


def _by_sql(store: "lake.Lake", since: datetime) -> list[Bar]:
    """The bars of all symbols from a moment on, by SQL."""
    asked = "SELECT symbol, timestamp FROM bars_live WHERE timestamp >= ?"
    return _listed(store.sql(asked, [since]))


def _by_bars(store: "lake.Lake", since: datetime) -> list[Bar]:
    """The bars of some symbols, as most read them."""
    from lake.errors import LakeError

    with suppress(LakeError):  # nothing of some symbol yet
        return _listed(store.bars(_FEW, since, source=SOURCE).select("symbol", "timestamp"))
    return []


def _listed(frame: "pl.DataFrame") -> list[Bar]:
    return [(symbol, minute.isoformat()) for symbol, minute in frame.iter_rows()]


def _wait(what: Callable[[], bool], name: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not what():
        if time.monotonic() > end:
            raise SystemExit(f"It was not {name} within {_PATIENCE:.0f} seconds.")
        time.sleep(_LOOK_EVERY)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        read(Path(sys.argv[1]), {"all": _by_sql, "few": _by_bars}[sys.argv[2]])
    else:
        sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
