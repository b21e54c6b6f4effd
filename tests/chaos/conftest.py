"""How much chaos: a sample in ``make test``, all of it in ``make chaos``; and the table at its end."""

import os
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lake

ROOT = Path(__file__).parents[2]
FULL = os.environ.get("BARLAKE_CHAOS") == "full"
SEED = int(os.environ.get("BARLAKE_CHAOS_SEED", "1"))
#: Kills in each work at most; 0 for every point.
POINTS = int(os.environ.get("BARLAKE_CHAOS_POINTS", "100" if FULL else "1"))
#: One point alone, to look at a failure again.
POINT = int(os.environ.get("BARLAKE_CHAOS_POINT", "0"))
#: How many commits each writer of a crowd makes, how many histories, how many kills beside a reader.
COMMITS = int(os.environ.get("BARLAKE_CHAOS_COMMITS", "40"))
HISTORIES = int(os.environ.get("BARLAKE_CHAOS_HISTORIES", "100"))
STORM = int(os.environ.get("BARLAKE_CHAOS_STORM", "300"))
_FIGURES = "chaos"
full_only = pytest.mark.skipif(not FULL, reason="in make chaos only")


@dataclass
class Server:
    """The process that forks a child for each trial (``tests.chaos.server``)."""

    folder: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        # One thread each for what computes: the frames are tiny, and a fork has one thread anyway.
        alone = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **alone},
        )

    def ask(self, *question: Any) -> Any:
        pickle.dump(question, self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[Server]:
    held = Server(folder)
    yield held
    held.close()


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """In memory where that is possible: what a kill leaves does not depend on the disk."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="chaos", dir=memory if memory.is_dir() else None))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def empty(folder: Path) -> Path:
    """The home of a new lake, to copy."""
    lake.open(folder / "empty", create=True).close()
    return folder / "empty"


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def figure(record_property: Any) -> Any:
    """Tell a line of the table at the end: what, and how much of it."""

    def tell(work: str, **counts: float) -> None:
        record_property(_FIGURES, (work, counts))
        if FULL:  # the table comes at the end; this as it goes
            with Path(tempfile.gettempdir(), "barlake-chaos.txt").open("a") as file:
                file.write(f"{work}: {counts}\n")

    return tell


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = [
        (work, counts)
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        if report.when == "call"
        for name, (work, counts) in (p for p in report.user_properties if p[0] == _FIGURES)
    ]
    if not lines or not FULL:
        return
    terminalreporter.section(f"chaos, seed {SEED}")
    for work, counts in lines:
        told = "  ".join(f"{name} {value:g}" for name, value in counts.items())
        terminalreporter.line(f"{work:<32} {told}")
    kills = sum(counts.get("kills", 0) for _, counts in lines)
    terminalreporter.line(f"{'kills together':<32} {kills:g}")
