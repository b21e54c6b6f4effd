"""An API over a small lake, asked as a program on the same machine would ask."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import lake
from app.api.main import create_app
from lake.journal import Job
from lake.settings import Settings
from tests.api.samples import sample

LOCAL = ("127.0.0.1", 50000)


class Queue:
    """A broker that only remembers."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def send(self, job: Job) -> None:
        self.jobs.append(job)


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sessions of SPY, the middle one never fetched, and one bar of THIN."""
    home = tmp_path_factory.mktemp("filled")
    with lake.open(home, create=True) as opened:
        opened.commit_bars(sample())
    return home


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def make_settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    def make(home: Path, **others: object) -> Settings:
        monkeypatch.chdir(home)  # no .env but that of the home
        keys = {"ALPACA_API_KEY_ID": "key-id", "ALPACA_API_SECRET_KEY": "secret-key"}
        return Settings(**{"BARLAKE_HOME": home, **keys, **others})

    return make


@pytest.fixture
def api(
    filled_home: Path, queue: Queue, make_settings: Callable[..., Settings]
) -> Iterator[TestClient]:
    yield from asked(create_app(make_settings(filled_home), queue.send))


@pytest.fixture
def empty_api(
    tmp_path: Path, queue: Queue, make_settings: Callable[..., Settings]
) -> Iterator[TestClient]:
    yield from asked(create_app(make_settings(tmp_path), queue.send))


def asked(app: object, client: tuple[str, int] = LOCAL) -> Iterator[TestClient]:
    opened = TestClient(
        app, base_url="http://localhost:8000", client=client, raise_server_exceptions=False
    )
    yield opened
    app.state.house.close()
    opened.close()
