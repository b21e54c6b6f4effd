"""A lake with a trained model, and one with bars alone: made once and copied for each test."""

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


@pytest.fixture(scope="session")
def barred_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty sessions of SPY and QQQ, without features, models or runs."""
    home = tmp_path_factory.mktemp("barred")
    with lake.open(home, create=True) as opened:
        for seed, symbol in enumerate(["QQQ", "SPY"]):
            put(opened, random_walk(symbol, date(2024, 6, 3), date(2024, 7, 1), seed=seed))
    return home


@pytest.fixture
def barred(barred_home: Path, tmp_path: Path) -> Iterator[lake.Lake]:
    home = tmp_path / "barred"
    shutil.copytree(barred_home, home)
    with lake.open(home) as opened:
        yield opened
