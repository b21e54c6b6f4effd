"""A lake for agents to write to: made once, copied for each test."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lake


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
