"""Features: computed, committed, gone on with, asked for live. Prints a JSON object of figures.

python -m bench.features twenty FILE...    milliseconds for twenty columns, a Parquet file of bars a symbol
python -m bench.features wide HOME         the set wide over five years of SPY in a lake that is written to
"""

import json
import os
import resource
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import lake
    from feature_service.online import Online

#: What TA-Lib is asked for beside it (bench/peers/talib_twenty.py).
TWENTY = [
    "sma_20",
    "sma_50",
    "sma_200",
    "ema_12",
    "ema_26",
    "rsi_14",
    "macd_12_26_9",
    "macd_signal_12_26_9",
    "macd_histogram_12_26_9",
    "bb_upper_20",
    "bb_middle_20",
    "bb_lower_20",
    "atr_14",
    "adx_14",
    "std_20",
    "roc_10",
    "momentum_10",
    "obv",
    "stoch_k_14",
    "stoch_d_14",
]
_SYMBOLS, _ROWS = 4, 525_000
#: Sessions that are added after the five years.
_ADDED = (date(2024, 1, 2), date(2024, 1, 10))


def write(folder: Path) -> list[Path]:
    """Some symbols' bars, 2.1 M together, as the sets of features take them: a file each."""
    from bench import market

    found = []
    for seed in range(_SYMBOLS):
        bars = market.minutes("SPY", seed).head(_ROWS).drop("symbol")
        dated = bars.with_columns(
            pl.col("timestamp")
            .dt.convert_time_zone("America/New_York")
            .dt.date()
            .alias("session_date"),
            pl.col("volume").cast(pl.Float64),
        )
        found.append(folder / f"bars-{seed}.parquet")
        dated.write_parquet(found[-1])
    return found


def twenty(files: list[Path]) -> dict[str, float]:
    """Milliseconds for all symbols, on as many threads as polars takes."""
    from bench.timing import milliseconds
    from feature_service import catalog, engine

    wanted = catalog.chosen(TWENTY)
    frames = [pl.read_parquet(file).lazy() for file in files]
    work = milliseconds(lambda: [engine.compute(bars, wanted).collect() for bars in frames], 5)
    return {"twenty": work, "threads": float(pl.thread_pool_size())}


def wide(home: Path) -> dict[str, float]:
    """Seconds and memory of a whole build, milliseconds of a session added and of the newest row."""
    import lake
    from feature_service import build, engine
    from feature_service.online import Online
    from feature_service.reading import Reading
    from feature_service.sets import feature_set
    from lake import sessions

    wanted = feature_set("wide")
    with lake.open(home) as store:
        origin = store.source_of("SPY")
        bars = Reading(store, "SPY", origin, wanted).all_bars()
        begun = time.perf_counter()
        engine.compute(bars.lazy(), wanted.features).collect()
        computing = time.perf_counter() - begun
        before = _peak()
        begun = time.perf_counter()
        built = build.build(store, "SPY", wanted)
        committed = time.perf_counter() - begun
        size = built.rows * built.columns * 8 / 2**20
        build.build(store, "SPY", "core")
        appended = [_appended(store, day) for day in sessions.schedule(*_ADDED)["session_date"]]
        online = Online(store, "core")
        latest = [_latest(store, online, minute) for minute in range(30)]
    return {
        "rows": float(built.rows),
        "columns": float(built.columns),
        "compute": computing,
        "committed": committed,
        "memory": max(_peak(), before) / size,
        "append": median(appended[1:]),
        "latest": median(latest[2:]),
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _appended(store: "lake.Lake", day: date) -> float:
    """Milliseconds from the bars of one more session to its committed features."""
    import lake
    from feature_service import build

    last = store.bars("SPY", "2023-12-27", "2023-12-27").select(lake.BAR_SCHEMA.names())
    bars = last.with_columns(pl.col("timestamp") + (day - date(2023, 12, 27)))
    end = bars["timestamp"][-1] + timedelta(minutes=1)
    covered = (lake.Covered("SPY", bars["timestamp"][0], end),)
    store.commit_bars(lake.Fetched(store.source_of("SPY"), bars, covered))
    begun = time.perf_counter()
    build.build(store, "SPY", "wide")
    return (time.perf_counter() - begun) * 1000


def _latest(store: "lake.Lake", online: "Online", minute: int) -> float:
    """Milliseconds from a live bar that is committed to the newest row of ``core``."""
    import lake

    last = store.bars("SPY", "2023-12-27", "2023-12-27", regular_only=True)
    bar = last.select(lake.BAR_SCHEMA.names()).slice(minute, 1)
    bar = bar.with_columns(pl.col("timestamp") + (date(2024, 1, 11) - date(2023, 12, 27)))
    store.commit_bars(lake.Fetched(store.source_of("SPY"), bar, live=True))
    begun = time.perf_counter()
    online.latest("SPY")
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    paths = [Path(name) for name in sys.argv[2:]]
    found = twenty(paths) if sys.argv[1] == "twenty" else wide(paths[0])
    sys.stdout.write(json.dumps(found))
