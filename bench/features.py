"""Features: computed, committed, gone on with, asked for live. Prints a JSON object of figures.

python -m bench.features twenty FILE...    milliseconds for twenty columns, a Parquet file of bars a symbol
python -m bench.features wide HOME         the set wide over five years of SPY in a lake that is written to
python -m bench.features cost FILE         seconds against rows and columns, as a chart (docs/feature-cost.svg)
"""

import json
import os
import resource
import sys
import time
from datetime import date, timedelta
from functools import partial
from itertools import product
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
# What the chart shows.
_LENGTHS, _COLUMNS = (50_000, 100_000, 250_000, 500_000, 700_000), (20, 60, 125, 250)
#: Sessions that are added after the five years.
_ADDED = (date(2024, 1, 2), date(2024, 1, 10))


def write(folder: Path) -> list[Path]:
    """Some symbols' bars, 2.1 M together, as the sets of features take them: a file each."""
    from bench import market

    found = []
    for seed in range(_SYMBOLS):
        found.append(folder / f"bars-{seed}.parquet")
        _dated(market.minutes("SPY", seed).head(_ROWS)).write_parquet(found[-1])
    return found


def twenty(files: list[Path]) -> dict[str, float]:
    """Milliseconds for all symbols at once, on as many threads as polars takes."""
    from bench.timing import milliseconds
    from feature_service import catalog, engine

    wanted = catalog.chosen(TWENTY)
    panel = pl.concat(
        pl.read_parquet(file).with_columns(symbol=pl.lit(file.stem)) for file in files
    )
    work = milliseconds(lambda: engine.compute_panel(panel, wanted), 5)
    return {"twenty": work, "threads": float(pl.thread_pool_size())}


def wide(home: Path) -> dict[str, float]:
    """Seconds and memory of whole builds, milliseconds of a session added and of the newest row."""
    import lake
    from bench.timing import milliseconds
    from feature_service import build, engine
    from feature_service.online import Online
    from feature_service.reading import Reading
    from feature_service.sets import feature_set
    from lake import sessions

    wanted = feature_set("wide")
    with lake.open(home) as store:
        origin = store.source_of("SPY")
        bars = Reading(store, "SPY", origin, wanted).all_bars()
        work = milliseconds(lambda: engine.compute(bars.lazy(), wanted.features).collect(), 3)
        before = _peak()
        built = build.build(store, "SPY", wanted)
        whole = milliseconds(lambda: build.build(store, "SPY", wanted, full=True), 3)
        size = built.rows * built.columns * 8 / 2**20
        build.build(store, "SPY", "core")
        appended = [_appended(store, day) for day in sessions.schedule(*_ADDED)["session_date"]]
        online = Online(store, "core")
        latest = [_latest(store, online, minute) for minute in range(30)]
    return {
        "rows": float(built.rows),
        "columns": float(built.columns),
        "compute": work / 1000,
        "committed": whole / 1000,
        "memory": max(_peak(), before) / size,
        "append": median(appended[1:]),
        "latest": median(latest[2:]),
    }


def cost(file: Path) -> dict[str, float]:
    """Seconds to compute the first features of ``wide``, for several counts of rows and columns; drawn into a file."""
    import altair as alt

    from bench import market
    from bench.timing import milliseconds
    from feature_service import engine
    from feature_service.sets import feature_set

    wanted = feature_set("wide").features
    bars = _dated(market.minutes("SPY", 0))
    found = {}
    for columns, rows in product(_COLUMNS, _LENGTHS):
        part = bars.head(rows).lazy()
        work = partial(engine.compute, part, wanted[:columns])
        found[rows, columns] = milliseconds(lambda work=work: work().collect(), 3)  # type: ignore[misc]
    points = pl.DataFrame(
        [(rows / 1e3, str(columns), found[rows, columns] / 1e3) for rows, columns in found],
        schema=["rows", "columns", "seconds"],
        orient="row",
    )
    chart = (
        alt.Chart(points, width=520, height=320)
        .mark_line(point=True)
        .encode(
            x=alt.X("rows", title="rows (thousand)"),
            y=alt.Y("seconds", title="seconds to compute, 2 threads"),
            color=alt.Color("columns", sort=[str(one) for one in _COLUMNS], title="columns"),
        )
    )
    chart.save(str(file))
    return {
        f"{columns} columns, {rows} rows": time / 1000 for (rows, columns), time in found.items()
    }


def _dated(bars: pl.DataFrame) -> pl.DataFrame:
    """As the sets of features take them."""
    return bars.drop("symbol").with_columns(
        pl.col("timestamp")
        .dt.convert_time_zone("America/New_York")
        .dt.date()
        .alias("session_date"),
        pl.col("volume").cast(pl.Float64),
    )


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
    works = {"twenty": lambda: twenty(paths), "wide": lambda: wide(paths[0])}
    works["cost"] = lambda: cost(paths[0])
    sys.stdout.write(json.dumps(works[sys.argv[1]]()))
