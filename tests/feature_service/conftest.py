"""A lake with two symbols over ten sessions, made once and copied for each test."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import lake

from .walks import put, random_walk

FIRST, LAST = date(2024, 6, 24), date(2024, 7, 5)


@pytest.fixture(scope="session")
def bars_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("bars")
    with lake.open(home, create=True) as opened:
        for seed, symbol in enumerate(["QQQ", "SPY"]):
            put(opened, random_walk(symbol, FIRST, LAST, seed=seed))
    return home


@pytest.fixture
def store(bars_home: Path, tmp_path: Path) -> Iterator[lake.Lake]:
    home = tmp_path / "home"
    shutil.copytree(bars_home, home)
    with lake.open(home) as opened:
        yield opened
