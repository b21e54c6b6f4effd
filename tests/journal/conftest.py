"""A journal at a clock that tests move."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.journal import Journal
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    with Journal.open(tmp_path, now=clock) as opened:
        yield opened
