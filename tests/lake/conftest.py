"""A lake to write to: made once, copied for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import lake


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("empty")
    lake.open(home, create=True).close()
    return home


@pytest.fixture
def store(empty_home: Path, tmp_path: Path) -> Iterator[lake.Lake]:
    home = tmp_path / "home"
    shutil.copytree(empty_home, home)
    with lake.open(home) as opened:
        yield opened
