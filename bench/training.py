"""Training data sets: three symbols, five years, 100 features each. Prints a JSON object of figures.

python -m bench.training                  all of it, each part in a process of its own
python -m bench.training make HOME        the lake, and its features as plain Parquet files beside
python -m bench.training assemble HOME    seconds, and memory at its peak beside the result's size
python -m bench.training plain HOME       the same for polars' inner joins of the plain files
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

_SYMBOLS = ("GOOGL", "VIX", "SPY")
_SET, _COLUMNS = "hundred", 100
#: Of the minutes of each symbol, so that no two have the same.
_ABSENT = 0.02
_ROUNDS = 3


def make(home: Path) -> dict[str, float]:
    """A lake of three symbols with their features built."""
    import numpy as np

    import lake
    from bench import market
    from feature_service import build, user_sets
    from feature_service.sets import feature_set
    from lake.features import read_features

    some = list(feature_set("wide").columns)[:_COLUMNS]
    rows = 0
    with lake.open(home, create=True) as store:
        user_sets.define(store, user_sets.from_facts(_SET, {"features": some}))
        for seed, symbol in enumerate(_SYMBOLS):
            bars = market.minutes(symbol, seed)
            kept = np.random.default_rng(seed).random(bars.height) >= _ABSENT
            store.commit_bars(lake.Fetched("alpaca:sip", bars.filter(kept)))
            rows += build.build(store, symbol, _SET).rows
            closes = store.bars(symbol, columns=["timestamp", "close"], regular_only=True)
            features = read_features(store, symbol, _SET).drop("symbol")
            closes.join(features, on="timestamp").write_parquet(home / f"plain-{symbol}.parquet")
    return {"rows": float(rows)}


def assemble(home: Path) -> dict[str, float]:
    """Three symbols joined on the minute, with the report of what that costs; then its hash."""
    import lake
    from training_service.dataset import assemble as assembled

    with lake.open(home) as store:
        assembled(store, _SYMBOLS, _SET, start="2023-12-20")  # whatever is imported is
        seconds, memory, data = _measured(lambda: assembled(store, _SYMBOLS, _SET))
        begun = time.perf_counter()
        digits = data.content_hash
        hashed = time.perf_counter() - begun
        size = data.frame.estimated_size()
    return {
        "rows": float(data.frame.height),
        "columns": float(len(data.columns)),
        "seconds": seconds,
        "memory": memory / size,
        "hash": hashed if digits else 0.0,
    }


def plain(home: Path) -> dict[str, float]:
    """Polars by itself."""
    import polars as pl

    def join(rows: int | None) -> pl.DataFrame:
        first, *others = (_scanned(home, symbol, rows) for symbol in _SYMBOLS)
        for symbol, other in zip(_SYMBOLS[1:], others, strict=True):
            beside = other.drop("session_date")
            first = first.join(
                beside.select("timestamp", pl.exclude("timestamp").name.suffix(f"_{symbol}")),
                on="timestamp",
                how="inner",
                maintain_order="left",
            )
        return first.collect()

    join(1000)
    seconds, memory, frame = _measured(lambda: join(None))
    return {
        "rows": float(frame.height),
        "seconds": seconds,
        "memory": memory / frame.estimated_size(),
    }


def everything() -> dict[str, float]:
    """Medians of some rounds, ours and polars' in turns; each call is the first of its process."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="barlake-bench-") as folder:
        home = f"{folder}/home"
        _ran("make", home)
        for _ in range(_ROUNDS):
            for name, figures in (("", _ran("assemble", home)), ("plain_", _ran("plain", home))):
                for key, value in figures.items():
                    found.setdefault(f"{name}{key}", []).append(value)
    told = {name: median(values) for name, values in found.items()}
    return {**told, "ratio": told["seconds"] / told["plain_seconds"]}


def _scanned(home: Path, symbol: str, rows: int | None) -> "pl.LazyFrame":
    import polars as pl

    return pl.scan_parquet(home / f"plain-{symbol}.parquet", n_rows=rows)


def _measured(work: Callable[[], T]) -> tuple[float, float, T]:
    """Seconds of a call, the bytes by which the process grew at most, and what it gave."""
    before, begun = _peak(), time.perf_counter()
    found = work()
    return time.perf_counter() - begun, _peak() - before, found


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _ran(work: str, home: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.training", work, home]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    works = {"make": make, "assemble": assemble, "plain": plain}
    asked = sys.argv[1:]
    told = works[asked[0]](Path(asked[1])) if asked else everything()
    sys.stdout.write(json.dumps(told) + "\n")
