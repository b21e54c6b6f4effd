"""``make bench``: Barlake and its peers on the same bars, in turns, in one run."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import polars as pl

import lake
from bench import features, market, simulation

ROOT = Path(__file__).parent
RESULTS = ROOT / "results" / "latest.json"
PEERS = ROOT.parent / ".venv-bench" / "bin" / "python"
ROUNDS = 3

Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Row:
    """One line of the table; ``ratio`` is ours over the peer's, the goal an upper bound of either."""

    work: str
    unit: str
    barlake: float
    peer: str
    peer_value: float | None
    ratio: float | None
    goal: str
    met: bool | None


def main() -> None:
    """Measure, print and keep."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="barlake-bench-") as folder:
        rows = _measured(Path(folder))
    facts = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "load_before": round(load, 2),
        },
        "versions": {name: version(name) for name in ("barlake", "duckdb", "polars", "numpy")},
        "rounds": ROUNDS,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([{**asdict(row), **facts} for row in rows], indent=1) + "\n")
    _show(rows)


def _measured(folder: Path) -> list[Row]:
    bars = market.minutes("SPY")
    plain = folder / "spy.parquet"
    bars.write_parquet(plain)
    home, large = folder / "home", folder / "large"
    loads = _load(home, folder / "bare")
    _fill_large(home, large)
    ours: Figures = {}
    wide: Figures = {}
    theirs: Figures = {}
    for turn in range(ROUNDS):
        _add(ours, _ran([sys.executable, "-m", "bench.barlake", "reads", str(home)]))
        _add(wide, _ran([sys.executable, "-m", "bench.barlake", "reads", str(large)]))
        _add(ours, _ran([sys.executable, "-m", "bench.barlake", "cold", str(home)]))
        if PEERS.exists():
            arctic = folder / f"arctic-{turn}"
            command = [str(PEERS), "-m", "bench.peers.arctic", str(plain), str(arctic)]
            _add(theirs, _ran(command))
        _add(ours, _ran([sys.executable, "-m", "bench.barlake", "appends", _copy(home, turn)]))
    crowd = _ran([sys.executable, "-m", "bench.crowd", _copy(home, ROUNDS)])
    rows = [
        _beside("one symbol, one day", ours, theirs, "day"),
        _beside("the same, 500 symbols x 10 years in the lake", wide, theirs, "day"),
        _beside("one symbol, five years", ours, theirs, "five_years"),
        _beside("the same, resampled to 1 hour", ours, theirs, "hour"),
        _within("append a symbol-day", ours, theirs, "append", 15),
        _within("cold import, open, a day, above bare imports", ours, {}, "cold", 150),
    ]
    rest = [*_sizes(home, theirs), *_ingest(folder), *_live(folder), *_planner()]
    rest += [*_features(home, folder), *_simulation(folder), *_pairs()]
    return [*rows, _beside_a_writer(crowd), *loads, *rest]


def _copy(home: Path, turn: int) -> str:
    """A lake of its own for who writes, so that every round begins with the same."""
    return str(shutil.copytree(home, home.with_name(f"written-{turn}")))


def _load(home: Path, bare: Path) -> list[Row]:
    """Three symbols from nothing, beside bare Parquet files of the same bars."""
    frames = [market.minutes(name, seed) for seed, name in enumerate(("SPY", "QQQ", "AAPL"))]
    whole = pl.concat(frames)
    begun = time.perf_counter()
    bare.mkdir()
    for (symbol, year), part in whole.group_by("symbol", pl.col("timestamp").dt.year()):
        part.write_parquet(bare / f"{symbol}-{year}.parquet")
    plain = time.perf_counter() - begun
    with lake.open(home, create=True) as store:
        begun = time.perf_counter()
        covered = tuple(
            lake.Covered(frame["symbol"][0], frame["timestamp"][0], frame["timestamp"][-1])
            for frame in frames
        )
        store.commit_bars(lake.Fetched("alpaca:sip", whole, covered))
        ours = time.perf_counter() - begun
    ratio = ours / plain
    work = f"bulk load of {whole.height / 1e6:.1f} M bars"
    return [Row(work, "s", ours, "bare Parquet (polars)", plain, ratio, "ratio <= 2", ratio <= 2)]


def _fill_large(home: Path, large: Path) -> None:
    shutil.copytree(home, large)
    with lake.open(large) as store:
        store.commit_bars(lake.Fetched("alpaca:sip", market.thin(500, 2014, 10)))


def _sizes(home: Path, theirs: Figures) -> list[Row]:
    """Bytes on disk; a peer's allocation counts, for it is what the disk gives."""
    with lake.open(home) as store:
        bars = store.sql("SELECT count(*) FROM bars_1m").item()
    files = (home / "parquet" / "main" / "bars_1m").rglob("*.parquet")
    ours = sum(file.stat().st_size for file in files) / bars
    peer = median(theirs["bytes_a_bar"]) if theirs else None
    ratio = ours / peer if peer else None
    return [Row("size on disk", "bytes a bar", ours, "ArcticDB", peer, ratio, "told", None)]


def _ingest(folder: Path) -> list[Row]:
    """From a provider on loopback to committed, two workers; rates, so that more is better."""
    found: Figures = {}
    for turn in range(ROUNDS):
        _add(found, _ran([sys.executable, "-m", "bench.ingest", str(folder / f"ingest-{turn}")]))
    ours, peer = (median(found[name]) / 1000 for name in ("a_second", "peer"))
    ratio, grown = ours / peer, median(found["last_third"]) / median(found["first_third"])
    work = f"ingest of {found['bars'][0] / 1e6:.1f} M bars, 2 workers"
    name, unit = "alpaca-py .df, not stored", "thousand bars/s"
    memory = median(found["megabytes"])
    return [
        Row(work, unit, ours, name, peer, ratio, ">= 300", ours >= 300),
        Row(f"{work}, beside the peer", unit, ours, name, peer, ratio, "ratio >= 10", ratio >= 10),
        Row(
            "memory of a worker, last third beside the first",
            "MB",
            memory,
            "",
            None,
            grown,
            "ratio <= 1.1",
            grown <= 1.1,
        ),
    ]


def _planner() -> list[Row]:
    """A job of 500 symbols over two years by its own count, beside full pages at 200 a minute."""
    found = _ran([sys.executable, "-m", "bench.planner"])
    rows = []
    for hours in ("regular", "extended"):
        bars, minutes, ratio = (found[f"{hours}_{name}"] for name in ("bars", "minutes", "ratio"))
        work = f"planner minutes, {bars / 1e6:.0f} M bars, simulated clock"
        met = ratio <= 1.1 and not found[f"{hours}_refused"]
        full = minutes / ratio
        rows.append(Row(work, "min", minutes, "full pages", full, ratio, "ratio <= 1.1", met))
    return rows


def _features(home: Path, folder: Path) -> list[Row]:
    """Twenty columns beside TA-Lib, and the widest set in a lake."""
    bars = [str(file) for file in features.write(folder)]
    ours: Figures = {}
    theirs: Figures = {}
    wide: Figures = {}
    for turn in range(ROUNDS):
        _add(ours, _ran([sys.executable, "-m", "bench.features", "twenty", *bars]))
        if PEERS.exists():
            _add(theirs, _ran([str(PEERS), "-m", "bench.peers.talib_twenty", *bars]))
        lake_of_its_own = _copy(home, ROUNDS + 1 + turn)
        _add(wide, _ran([sys.executable, "-m", "bench.features", "wide", lake_of_its_own]))
    mine = median(ours["twenty"])
    peer = median(theirs["twenty"]) if theirs else None
    ratio = mine / peer if peer else None
    threads = f"{ours['threads'][0]:.0f} threads"
    columns, rows = (wide[name][0] for name in ("columns", "rows"))
    work = f"wide, {columns:.0f} columns over {rows / 1e3:.0f} k rows"
    goals = {
        "compute": (f"{work}: computed", "s", 1.0),
        "committed": (f"{work}: from bars to committed", "s", 2.5),
        "memory": (f"{work}: peak memory beside the result", "x", 6.0),
        "append": ("wide, one session added to five years", "ms", 200.0),
        "latest": ("core, the newest row after a live bar", "ms", 10.0),
    }
    twenty = Row(
        f"20 columns over 2.1 M bars, {threads}",
        "ms",
        mine,
        "TA-Lib, 1 thread",
        peer,
        ratio,
        "ratio <= 1",
        None if ratio is None else ratio <= 1,
    )
    return [
        twenty,
        *(
            Row(
                name,
                unit,
                median(wide[key]),
                "",
                None,
                None,
                f"<= {most:g}",
                median(wide[key]) <= most,
            )
            for key, (name, unit, most) in goals.items()
        ),
    ]


def _simulation(folder: Path) -> list[Row]:
    """Signals given: the run and all its figures beside vectorbt's, and a bar beside backtesting.py's."""
    found = simulation.beside_peers(folder)
    work = f"simulation, {found['bars'] / 1e3:.0f} k bars, {found['orders']:.0f} orders"
    whole, ran = found["whole"], found["run"]
    stats, total, bar = (
        found.get(f"peer_{name}") for name in ("vectorbt_stats", "vectorbt", "backtesting")
    )
    return [
        Row(
            f"{work}: run and all figures",
            "ms",
            whole,
            "vectorbt, stats()",
            stats,
            whole / stats if stats else None,
            "<= 50 ms",
            whole <= 50,
        ),
        Row(
            f"{work}: run",
            "ms",
            ran,
            "vectorbt, total return",
            total,
            ran / total if total else None,
            "told",
            None,
        ),
        Row(
            f"{work}: run",
            "ms",
            ran,
            "backtesting.py",
            bar,
            ran / bar if bar else None,
            "told",
            None,
        ),
    ]


def _pairs() -> list[Row]:
    """A thousand pairs of an SMA cross over a year of minutes, written to the ledger; once."""
    found = _ran([sys.executable, "-m", "bench.simulation", "pairs"])
    work = f"search, {found['pairs']:.0f} pairs over {found['bars'] / 1e3:.0f} k bars"
    whole, alone = found["search"], found["trials_alone"]
    return [
        Row(work, "s", whole, "its trials alone", alone, None, "<= 10 s", whole <= 10),
    ]


def _live(folder: Path) -> list[Row]:
    """From a live bar's arrival to readers, a burst of 500 a minute; once, for it takes a minute."""
    found = _ran([sys.executable, "-m", "bench.live", str(folder / "live")])
    whom = {"p99": "by SQL, all", "few_p99": "by lake.bars, ten"}
    return [
        Row(
            f"live bar to readable, 500 symbols a minute, p99 ({name})",
            "s",
            found[key],
            "its p50",
            found[key.replace("99", "50")],
            None,
            "<= 5 s",
            found[key] <= 5,
        )
        for key, name in whom.items()
    ]


def _beside(work: str, ours: Figures, theirs: Figures, key: str) -> Row:
    mine = median(ours[key])
    if not theirs:
        return Row(work, "ms", mine, "ArcticDB", None, None, "ratio <= 1", None)
    peer = median(theirs[key])
    ratio = mine / peer
    return Row(work, "ms", mine, "ArcticDB", peer, ratio, "ratio <= 1", ratio <= 1)


def _within(work: str, ours: Figures, theirs: Figures, key: str, most: float) -> Row:
    mine = median(ours[key])
    peer = median(theirs[key]) if theirs else None
    ratio = mine / peer if peer else None
    name = "ArcticDB" if peer else ""
    return Row(work, "ms", mine, name, peer, ratio, f"<= {most:g} ms", mine <= most)


def _beside_a_writer(crowd: dict[str, float]) -> Row:
    most, mine = 3 * crowd["idle_p50"], crowd["beside_p99"]
    ratio = mine / crowd["idle_p50"]
    work = f"100 readers of a day beside a writer, p99 ({crowd['commits']:.0f} commits meanwhile)"
    return Row(
        work, "ms", mine, "their idle p50", crowd["idle_p50"], ratio, "ratio <= 3", mine <= most
    )


def _ran(command: Sequence[str]) -> dict[str, float]:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


def _add(figures: Figures, found: dict[str, float]) -> None:
    for name, value in found.items():
        figures.setdefault(name, []).append(value)


def _show(rows: Sequence[Row]) -> None:
    columns = ("work", "barlake", "peer", "ratio", "goal", "met")
    table = [
        (
            row.work,
            f"{row.barlake:.1f} {row.unit}",
            f"{row.peer} {row.peer_value:.1f}" if row.peer_value is not None else "-",
            f"{row.ratio:.2f}" if row.ratio is not None else "-",
            row.goal,
            {True: "yes", False: "NO", None: "-"}[row.met],
        )
        for row in rows
    ]
    widths = [max(len(line[index]) for line in (columns, *table)) for index in range(len(columns))]
    for line in (columns, *table):
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
