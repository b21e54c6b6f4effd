"""A lake with a trained model, made once and copied for each test."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import lake
from tests.feature_service.walks import put, random_walk
from training_service.training import train


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("trained")
    with lake.open(home, create=True) as opened:
        for seed, symbol in enumerate(["QQQ", "SPY"]):
            put(opened, random_walk(symbol, date(2024, 6, 24), date(2024, 7, 8), seed=seed))
        train(opened, ["SPY", "QQQ"], label="direction_1")
    return home


@pytest.fixture
def store(trained_home: Path, tmp_path: Path) -> Iterator[lake.Lake]:
    home = tmp_path / "home"
    shutil.copytree(trained_home, home)
    with lake.open(home) as opened:
        yield opened
