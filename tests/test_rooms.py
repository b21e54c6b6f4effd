"""Who may import whom."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = [
    "agents",
    "app",
    "feature_service",
    "lake",
    "reporting",
    "sandbox",
    "simulation_service",
    "strategy_service",
    "training_service",
    "ui",
]


def test_rooms_import_downwards_only():
    program = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("library", "doors"),
    [
        ("celery", ("agents/tasks.py", "agents/worker.py", "app/up/")),
        ("fastapi", ("app/api/", "sandbox/")),
        ("typer", ("app/cli/",)),
        ("rich", ("app/",)),
        ("streamlit", ("ui/",)),
        ("alpaca", ("agents/sources/alpaca",)),
        ("sqlalchemy", ("lake/journal/",)),
    ],
)
def test_a_library_stays_at_its_doors(library, doors):
    found = {path for path, name in _imports() if name.partition(".")[0] == library}

    assert {path for path in found if not path.startswith(doors)} == set()


def _imports() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += (
                    [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                )
                yield from ((file.relative_to(ROOT).as_posix(), name) for name in names)
