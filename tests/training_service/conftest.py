"""A lake with features of two symbols over ten sessions, made once and copied for each test."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import lake
from feature_service import build
from tests.feature_service.walks import put, random_walk

FIRST, LAST = date(2024, 6, 24), date(2024, 7, 8)


@pytest.fixture(scope="session")
def built_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("built")
    with lake.open(home, create=True) as opened:
        for seed, symbol in enumerate(["QQQ", "SPY"]):
            put(opened, random_walk(symbol, FIRST, LAST, seed=seed))
            build.build(opened, symbol)
    return home


@pytest.fixture
def store(built_home: Path, tmp_path: Path) -> Iterator[lake.Lake]:
    home = tmp_path / "home"
    shutil.copytree(built_home, home)
    with lake.open(home) as opened:
        yield opened
