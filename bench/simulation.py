"""Simulating and searching, beside others: prints a JSON object of figures.

python -m bench.simulation run             707,767 bars with signals given: milliseconds of the run and of its
                                           figures; vectorbt and backtesting.py, in .venv-bench
python -m bench.simulation pairs           seconds for 1,000 pairs of an SMA cross over a year of minutes
python -m bench.simulation ours FILE       the first, without the peers
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

import polars as pl

PEERS = Path(__file__).parent.parent / ".venv-bench" / "bin" / "python"
_BARS, _EACH = 707_767, 100
_ROUNDS, _CALLS = 3, 15
_AXES = ["fast=5:100:5", "slow=110:600:10"]
_PROCESSES = 2
_CASH = 100_000.0


def bars(count: int = _BARS) -> pl.DataFrame:
    """Minutes of regular hours as ``Market.of`` takes them, and ``said``: every 100 bars it buys or sells."""
    import numpy as np

    from lake import sessions

    hours = sessions.schedule(date(2014, 1, 2), date(2023, 12, 29))
    minutes = hours.select(
        "session_date",
        pl.datetime_ranges("open", "close", "1m", closed="left", time_unit="us").alias("timestamp"),
    )
    rng = np.random.default_rng(1)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 2e-4, count))), 2)
    place = np.arange(count)
    return (
        minutes.explode("timestamp")
        .head(count)
        .select(
            "timestamp",
            "session_date",
            open=np.round(close + rng.normal(0, 0.01, count), 2),
            high=np.round(close + 0.05, 2),
            low=np.round(close - 0.05, 2),
            close=close,
            volume=rng.integers(1, 100_000, count).astype(np.float64),
            said=np.where(place % _EACH, 0, np.where(place // _EACH % 2, -1, 1)).astype(np.int8),
        )
    )


def ours(file: Path) -> dict[str, float]:
    """Milliseconds of a run with costs, and of all its figures; the time of the processor, too."""
    from simulation_service import engine
    from simulation_service.market import Market, realistic
    from simulation_service.metrics import measure
    from simulation_service.run import Run
    from simulation_service.trading import Said, Trading

    frame = pl.read_parquet(file)
    market = Market.of("SPY", frame)
    said, mode = Said(frame["said"].to_numpy()), realistic()

    def simulated() -> Run:
        return engine.run([market], [said], Trading(), _CASH, mode)

    run = simulated()
    ran, busy = _milliseconds(simulated)
    measured, thinking = _milliseconds(lambda: measure(run, market.session, 252, bars=frame))
    return {
        "bars": float(frame.height),
        "orders": float(len(run.orders)),
        "run": ran,
        "run_cpu": busy,
        "measure": measured,
        "measure_cpu": thinking,
        "whole": ran + measured,
    }


def run() -> dict[str, float]:
    """Medians of some rounds, ours and the peers' in turns."""
    with tempfile.TemporaryDirectory(prefix="barlake-bench-") as folder:
        return beside_peers(Path(folder))


def beside_peers(folder: Path) -> dict[str, float]:
    """As :func:`run`, with the bars in a folder."""
    file = folder / "simulated.parquet"
    bars().write_parquet(file)
    found: dict[str, list[float]] = {}
    for _ in range(_ROUNDS):
        commands = [([sys.executable, "-m", "bench.simulation", "ours", str(file)], "")]
        if PEERS.exists():
            commands.append(([str(PEERS), "-m", "bench.peers.simulated", str(file)], "peer_"))
        for command, prefix in commands:
            for key, value in _ran(command).items():
                found.setdefault(f"{prefix}{key}", []).append(value)
    return {name: median(values) for name, values in found.items()}


def pairs() -> dict[str, float]:
    """Seconds of a search with its ledger, and of its trials alone."""
    import lake
    from bench import market
    from simulation_service.market import realistic
    from simulation_service.prepared import Terms
    from simulation_service.preparing import ground_of
    from simulation_service.search import Search, search
    from simulation_service.spaces import space_of
    from simulation_service.trying import attempt_in_processes
    from strategy_service.costs import Costs
    from strategy_service.plans import Plan
    from strategy_service.rules.sma_cross import SmaCross

    year = market.minutes("SPY").filter(pl.col("timestamp") >= datetime(2023, 1, 1, tzinfo=UTC))
    space = space_of(Plan(SmaCross()), Costs(), _AXES)
    with (
        tempfile.TemporaryDirectory(prefix="barlake-bench-") as folder,
        lake.open(Path(folder) / "home", create=True) as store,
    ):
        store.commit_bars(lake.Fetched("alpaca:sip", year))
        ground, _ = ground_of(store, space.plan, ("SPY",), Terms())
        trials = [(space.at(values)[0], realistic()) for values in space.grid()]
        list(attempt_in_processes(ground, trials[:2], _PROCESSES))  # whatever is imported is
        begun, busy = time.perf_counter(), _processor()
        tried = list(attempt_in_processes(ground, trials, _PROCESSES))
        alone, worked = time.perf_counter() - begun, _processor() - busy
        begun, busy = time.perf_counter(), _processor()
        found = search(store, Search(space, ("SPY",)), processes=_PROCESSES)
        whole, all_worked = time.perf_counter() - begun, _processor() - busy
    return {
        "bars": float(len(ground.markets[0].close)),
        "pairs": float(found.stored.metrics["tried"]),
        "trades": float(sum(one.trades for one in tried)),
        "search": whole,
        "search_cpu": all_worked,
        "trials_alone": alone,
        "trials_alone_cpu": worked,
    }


def _milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Medians of some calls: by the clock, and of the processor."""
    work()
    clock, busy = [], []
    for _ in range(_CALLS):
        begun, worked = time.perf_counter(), _processor()
        work()
        clock.append(time.perf_counter() - begun)
        busy.append(_processor() - worked)
    return median(clock) * 1000, median(busy) * 1000


def _processor() -> float:
    """Seconds that this process and those it waited for have worked."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _ran(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    works: dict[str, Callable[[], dict[str, float]]] = {
        "run": run,
        "pairs": pairs,
        "ours": lambda: ours(Path(sys.argv[2])),
    }
    sys.stdout.write(json.dumps(works[sys.argv[1]]()) + "\n")
