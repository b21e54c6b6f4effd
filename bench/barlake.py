"""Barlake's own side, in a process of its own: prints a JSON object of figures.

python -m bench.barlake reads HOME        milliseconds of reads
python -m bench.barlake appends HOME      milliseconds of a symbol-day committed
python -m bench.barlake cold HOME         milliseconds of import, open and a day, above bare imports
"""

import itertools
import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lake

DAY = "2022-06-01"
# What the peers roll up, too.
ROLLED = ("timestamp", "open", "high", "low", "close", "volume")


def reads(home: Path) -> dict[str, float]:
    """Warm reads of one symbol."""
    import lake
    from bench.timing import milliseconds

    with lake.open(home) as store:
        time.sleep(0.1)  # a plan is not kept while the catalog has just changed
        return {
            "day": milliseconds(lambda: store.bars("SPY", DAY, DAY)),
            "five_years": milliseconds(lambda: store.bars("SPY")),
            "hour": milliseconds(lambda: store.bars("SPY", timeframe="1h", columns=ROLLED)),
        }


def appends(home: Path) -> dict[str, float]:
    """A session of 390 bars, committed with its coverage."""
    import lake
    from bench.timing import milliseconds

    with lake.open(home) as store:
        return {"append": milliseconds(appender(store))}


def appender(store: "lake.Lake", first_day: int = 3) -> Callable[[], None]:
    """A function that commits one more day of SPY each time, from so many days after the last bar."""
    import polars as pl

    import lake

    last = store.bars("SPY", limit=390).select(lake.BAR_SCHEMA.names())
    days = itertools.count(first_day)

    def append() -> None:
        later = timedelta(days=next(days))
        bars = last.with_columns(pl.col("timestamp") + later)
        first, end = bars["timestamp"][0], bars["timestamp"][-1] + timedelta(minutes=1)
        store.commit_bars(lake.Fetched("alpaca:sip", bars, (lake.Covered("SPY", first, end),)))

    return append


def cold(home: Path) -> dict[str, float]:
    """From nothing to a day of bars, above what importing polars and duckdb takes."""
    begun = time.perf_counter()
    import duckdb  # noqa: F401
    import polars as pl  # noqa: F401

    bare = time.perf_counter()
    import lake

    with lake.open(home) as store:
        store.bars("SPY", DAY, DAY)
        done = time.perf_counter()
    return {
        "cold": (done - bare) * 1000,
        "bare": (bare - begun) * 1000,
        "pandas": float("pandas" in sys.modules),
    }


WORKS: dict[str, Callable[[Path], dict[str, float]]] = {
    "reads": reads,
    "appends": appends,
    "cold": cold,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(WORKS[sys.argv[1]](Path(sys.argv[2]))))
