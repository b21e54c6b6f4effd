"""From a provider on loopback to committed bars, with two real workers; and what alpaca-py does.

python -m bench.ingest HOME [SYMBOLS]     prints a JSON object of figures
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_FIRST, _LAST = "2019-01-02", "2023-12-29"
_SYMBOLS = 16
_LOOK_EVERY = 0.1


@contextmanager
def provider() -> Iterator[str]:
    """The server, in a process of its own; gives its URL."""
    command = [sys.executable, "-m", "bench.provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def peer(url: str) -> float:
    """Bars a second of plain alpaca-py to a data frame, which is not stored anywhere."""
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest
    from alpaca.data.timeframe import TimeFrame

    client = StockHistoricalDataClient("key", "secret", url_override=url)
    asked = StockBarsRequest(
        symbol_or_symbols="SPY",
        timeframe=TimeFrame.Minute,
        start=datetime(2023, 1, 1, tzinfo=UTC),
        end=datetime(2023, 12, 31, tzinfo=UTC),
    )
    begun = time.perf_counter()
    frame = client.get_stock_bars(asked).df  # type: ignore[union-attr]
    return len(frame) / (time.perf_counter() - begun)


def ours(url: str, home: Path, symbols: int) -> dict[str, float]:
    """Bars a second from the queue to committed, and what the workers hold in memory."""
    os.environ |= {
        "BARLAKE_HOME": str(home),
        "ALPACA_API_BASE_URL": url,
        "ALPACA_API_KEY_ID": "key",
        "ALPACA_API_SECRET_KEY": "secret",
    }
    import lake
    from agents import tasks
    from agents.queueing import queue_ingest
    from app.up.parts import broker_part, worker_part
    from app.up.place import Place
    from app.up.supervisor import Supervisor
    from lake.journal import Journal
    from lake.settings import load_settings

    settings = load_settings()
    place = Place.of(settings)
    supervisor = Supervisor(lambda *_: None)
    lake.open(home, create=True).close()
    with Journal.open(home) as journal:
        try:
            for part in (broker_part(place), *(worker_part(place, journal, n) for n in (1, 2))):
                supervisor.start([part])
                supervisor.settle(lambda: False)
            names = [f"S{number:03}" for number in range(symbols)]
            memory = Memory({agent.pid for agent in journal.agents()})
            begun = time.perf_counter()
            job, _ = queue_ingest(
                journal, settings, names, _FIRST, _LAST, now=datetime.now(UTC), send=tasks.send
            )
            while not (now := journal.job(job.id)).is_finished:
                time.sleep(_LOOK_EVERY)
            took = time.perf_counter() - begun
        finally:
            supervisor.stop()
    if now.result is None:
        raise SystemExit(now.error)
    return {
        "bars": now.result["new"],
        "a_second": now.result["new"] / took,
        "pages": now.result["pages"],
        "commits": now.result["commits"],
    } | memory.told()


class Memory:
    """What some processes hold, looked at all the time."""

    def __init__(self, pids: set[int]) -> None:
        self._pids, self._seen = pids, list[float]()
        threading.Thread(target=self._look, daemon=True).start()

    def told(self) -> dict[str, float]:
        """Megabytes of the largest, in the first and in the last third of the time."""
        third = max(len(self._seen) // 3, 1)
        return {
            "megabytes": max(self._seen, default=0.0),
            "first_third": max(self._seen[:third], default=0.0),
            "last_third": max(self._seen[-third:], default=0.0),
        }

    def _look(self) -> None:
        while True:
            found = [_resident(pid) for pid in self._pids]
            if not any(found):
                return
            self._seen.append(max(found))
            time.sleep(_LOOK_EVERY)


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure both, one after the other."""
    home, symbols = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else _SYMBOLS
    with provider() as url:
        figures = ours(url, home, symbols)
        figures["peer"] = peer(url)
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
