"""A lake for agents to write to, made once and copied for each test; and a house that works for it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lake
from app.up.place import Place
from lake.journal import Journal
from lake.settings import load_settings
from tests.agents.houses import House


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("empty")
    lake.open(home, create=True).close()
    return home


@pytest.fixture
def store(empty: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[lake.Lake]:
    """The lake at the ``NOW`` of the module of tests, or at this moment where it has none."""
    home = tmp_path / "home"
    shutil.copytree(empty, home)
    with lake.open(home, now=lambda: getattr(request.module, "NOW", datetime.now(UTC))) as opened:
        yield opened


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BARLAKE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REDIS_URL", raising=False)
    return Place.of(load_settings())


@pytest.fixture
def journal(place: Place) -> Iterator[Journal]:
    with Journal.open(place.home) as opened:
        yield opened


@pytest.fixture
def house(place: Place, journal: Journal) -> Iterator[House]:
    standing = House(place, journal)
    yield standing
    standing.end()
