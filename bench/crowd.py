"""Many readers beside one writer: prints a JSON object of figures in milliseconds.

python -m bench.crowd HOME

A hundred readers, threads of four processes, each ask for a symbol-day about once a second (as people
at screens do: a hundred that never rest would measure the two cores and nothing else), first with
nobody writing, then beside a process that commits a symbol-day over and over.
"""

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import quantiles

READERS, PROCESSES, SECONDS = 100, 4, 15.0
DAYS = ("2021-03-15", "2022-06-01", "2023-09-12")
SYMBOLS = ("SPY", "QQQ", "AAPL")


def main(home: Path) -> dict[str, float]:
    """Milliseconds of a reader alone and beside the writer, and how much was written meanwhile."""
    alone = _crowd(home)
    writer = subprocess.Popen(
        [sys.executable, "-m", "bench.crowd", str(home), "write"], stdout=subprocess.PIPE
    )
    try:
        beside = _crowd(home)
    finally:
        writer.terminate()
        commits = writer.communicate()[0]
    return {
        "idle_p50": quantiles(alone, n=100)[49],
        "idle_p99": quantiles(alone, n=100)[98],
        "beside_p50": quantiles(beside, n=100)[49],
        "beside_p99": quantiles(beside, n=100)[98],
        "reads": float(len(beside)),
        "commits": float(commits.count(b".")),
    }


def _crowd(home: Path) -> list[float]:
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.crowd", str(home), "read"], stdout=subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    return [value for one in running for value in json.loads(one.communicate()[0])]


def read(home: Path) -> None:
    """Some of the readers, in this process."""
    import lake

    found: list[float] = []
    with lake.open(home) as store:
        for symbol in SYMBOLS:
            store.bars(symbol, DAYS[0], DAYS[0])
        end = time.monotonic() + SECONDS

        def sit(seed: int) -> None:
            chance = random.Random(seed)
            while time.monotonic() < end:
                time.sleep(chance.expovariate(1))
                symbol, day = chance.choice(SYMBOLS), chance.choice(DAYS)
                begun = time.perf_counter()
                store.bars(symbol, day, day)
                found.append((time.perf_counter() - begun) * 1000)

        threads = [
            threading.Thread(target=sit, args=(seed,)) for seed in range(READERS // PROCESSES)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    sys.stdout.write(json.dumps(found))


def write(home: Path) -> None:
    """Commit a symbol-day over and over until told to end; a dot each."""
    import lake
    from bench.barlake import appender

    with lake.open(home) as store:
        append = appender(store, first_day=2_000)
        while True:
            append()
            sys.stdout.write(".")
            sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        {"read": read, "write": write}[sys.argv[2]](Path(sys.argv[1]))
    else:
        sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
