"""``make bench-qlib``: factors of daily bars beside Qlib's, in turns, on the same machine; and whether they are equal.

python -m bench.qlib [SYMBOLS]    800 symbols as in the issue take Qlib minutes; 60 by default

Prints a table and writes bench/results/qlib.json. All symbols have a bar on each of 3,525 sessions, so that
windows of bars are windows of sessions.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from bench.factors import FOURTEEN
from feature_service import catalog, engine, sets
from feature_service.registry import Feature
from lake import sessions

ROOT = Path(__file__).parent
RESULTS = ROOT / "results" / "qlib.json"
PEER = ROOT.parent / ".venv-qlib" / "bin" / "python"
FIRST, LAST = date(2007, 1, 3), date(2020, 12, 31)
TOLERANCE = 1e-5
#: Symbols that are computed and written at a time.
_TOGETHER = 40
_KEYS = ("symbol", "session_date")
_WORKS = ("fourteen", "alpha158")


def main() -> None:
    if sys.argv[1:2] == ["ours"]:
        _ours(*sys.argv[2:])
        return
    symbols = int(sys.argv[1]) if sys.argv[1:] else 60
    load = os.getloadavg()[0]  # who else works on the machine
    with tempfile.TemporaryDirectory(prefix="barlake-qlib-") as folder:
        rows = _measured(Path(folder), symbols)
    for row in rows:
        row |= {"symbols": symbols, "cores": os.cpu_count(), "load_before": round(load, 2)}
        row["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=60, tbl_width_chars=200):
        print(pl.DataFrame(rows))


def daily(symbols: int) -> pl.DataFrame:
    """Random walks over the sessions of 2007-2020, every number one that Qlib's 32 bits can hold."""
    days = sessions.schedule(FIRST, LAST)["session_date"]
    rng = np.random.default_rng(7)
    shape = (symbols, len(days))
    close = rng.uniform(10, 200, (symbols, 1)) * np.exp(rng.normal(0, 0.015, shape).cumsum(axis=1))
    opening = close * np.exp(rng.normal(0, 0.006, shape))
    high = np.maximum(opening, close) * (1 + np.abs(rng.normal(0, 0.006, shape)))
    low = np.minimum(opening, close) * (1 - np.abs(rng.normal(0, 0.006, shape)))
    prices = {
        name: np.round(values, 2).astype(np.float32).astype(np.float64).ravel()
        for name, values in (("open", opening), ("high", high), ("low", low), ("close", close))
    }
    middle = (prices["high"] + prices["low"] + prices["close"]) / 3
    volume = np.round(np.exp(rng.normal(13, 0.6, shape))).astype(np.float32)
    return pl.DataFrame(
        {
            "symbol": np.repeat([f"S{number:04}" for number in range(symbols)], len(days)),
            "session_date": pl.concat([days] * symbols),
            **prices,
            "volume": volume.astype(np.float64).ravel(),
            "vwap": middle.astype(np.float32).astype(np.float64),
        }
    ).with_columns(pl.col("session_date").cast(pl.Datetime("us", "UTC")).alias("timestamp"))


def _ours(source: str, which: str, target: str) -> None:
    """Read, compute with two threads, and hold the fourteen or write the 158 in 32 bits, as Qlib has them."""
    wanted = (
        catalog.chosen([_name(name) for name in FOURTEEN])
        if which == "fourteen"
        else sets.feature_set(which).features
    )
    names = [one.name for one in wanted]
    begun = time.perf_counter()
    if which == "fourteen":
        wide = engine.compute_panel(pl.read_parquet(source), wanted).select(*_KEYS, *names)
        seconds = time.perf_counter() - begun
        wide.write_parquet(Path(target) / "0.parquet")
    else:
        _stream(Path(source), wanted, Path(target))
        seconds = time.perf_counter() - begun
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1000
    sys.stdout.write(json.dumps({"seconds": seconds, "megabytes": peak}))


def _stream(source: Path, wanted: Sequence[Feature], target: Path) -> None:
    """Some symbols are written while the next are computed."""
    bars = pl.read_parquet(source)
    names = [one.name for one in wanted]
    days = bars.height // bars["symbol"].n_unique()
    with ThreadPoolExecutor(1) as writer:
        waiting: list[Future[None]] = []
        for first in range(0, bars.height, days * _TOGETHER):
            wide = engine.compute_panel(bars.slice(first, days * _TOGETHER), wanted)
            values = wide.select(*_KEYS, pl.col(names).cast(pl.Float32))
            file = target / f"{first:09}.parquet"
            if waiting:
                waiting.pop().result()
            waiting.append(writer.submit(_write, values, file))


def _write(values: pl.DataFrame, file: Path) -> None:
    values.write_parquet(file, compression="uncompressed", statistics=False)


def _measured(folder: Path, symbols: int) -> list[dict[str, object]]:
    source = folder / "bars.parquet"
    daily(symbols).write_parquet(source)
    rows: list[dict[str, object]] = []
    for which in _WORKS:
        values, theirs = folder / which, folder / f"{which}.parquet"
        values.mkdir()
        mine = _median(source, which, values)
        row: dict[str, object] = {"work": which, **{f"ours_{k}": v for k, v in mine.items()}}
        for processes in (1, 2) if PEER.exists() else ():
            arguments = (source, folder / "qlib", which, processes, theirs)
            peer = _ran(str(PEER), "bench.peers.qlib_factors", *arguments, evicted=source)
            row[f"qlib_{processes}_seconds"] = peer["seconds"]
            if processes == 1:
                row["qlib_1_megabytes"] = peer["megabytes"]
        if theirs.exists():
            row |= _compared(pl.scan_parquet(values), pl.read_parquet(theirs))
        rows.append(row)
    return rows


def _median(source: Path, which: str, values: Path) -> dict[str, float]:
    """Of three runs; Qlib's take too long for more than one."""
    arguments = ("bench.qlib", "ours", source, which, values)
    runs = [_ran(sys.executable, *arguments, evicted=source) for _ in range(3)]
    return sorted(runs, key=lambda run: run["seconds"])[1]


def _name(theirs: str) -> str:
    """Our name of a factor of Qlib."""
    lower = theirs.lower()
    letters = lower.rstrip("0123456789")
    digits = lower[len(letters) :]
    return f"a158_{letters}_{digits}" if int(digits or 0) >= 5 else f"a158_{lower}"


def _compared(ours: pl.LazyFrame, theirs: pl.DataFrame) -> dict[str, object]:
    """How many of the values that Qlib gave for some symbols differ by more than the tolerance."""
    names = [name for name in theirs.columns if name not in ("instrument", "datetime")]
    renamed = theirs.select(
        pl.col("instrument").cast(pl.String).alias("symbol"),
        pl.col("datetime").cast(pl.Date).alias("session_date"),
        *(pl.col(name).cast(pl.Float64).fill_nan(None).alias(f"{name}:") for name in names),
    )
    same = ours.filter(pl.col("symbol").is_in(renamed["symbol"].unique().to_list())).collect()
    both = renamed.join(same, on=_KEYS, how="left").with_columns(
        pl.col(_name(name)).cast(pl.Float64) for name in names
    )
    counts = both.select(_differing(name) for name in names).row(0, named=True)
    differing = {name: count for name, count in counts.items() if count}
    return {"compared": both.height * len(names), "differing": json.dumps(differing)}


def _differing(name: str) -> pl.Expr:
    ours, theirs = pl.col(_name(name)), pl.col(f"{name}:")
    apart = (ours - theirs).abs() > TOLERANCE * pl.max_horizontal(theirs.abs(), 1.0)
    return ((ours.is_null() != theirs.is_null()) | apart.fill_null(value=False)).sum().alias(name)


def _ran(python: str, module: str, *arguments: object, evicted: Path) -> dict[str, float]:
    with evicted.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    command = [python, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT.parent)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return {name: round(float(value), 2) for name, value in told.items()}


if __name__ == "__main__":
    main()
