"""The whole running system in a browser: sandbox, API, broker, worker, pages."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

import lake
from sandbox.config import SandboxConfig
from sandbox.serve import running as sandbox
from tests.api import servers
from tests.ui.browser import Browser, opened_browser
from tests.ui.samples import walk


@dataclass(frozen=True)
class System:
    api: str
    pages: str
    home: Path


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """SPY and QQQ are in the lake, QQQ without its last session but one; IWM can be fetched."""
    folder = tmp_path_factory.mktemp("ui")
    home = folder / "home"
    with lake.open(home, create=True) as opened:
        for fetched in walk():
            opened.commit_bars(fetched)
    with ExitStack() as stack:
        market = stack.enter_context(sandbox(SandboxConfig(symbols=("IWM",))))
        keys = {"ALPACA_API_KEY_ID": "any-key", "ALPACA_API_SECRET_KEY": "any-secret"}
        settings = {**keys, "ALPACA_API_BASE_URL": market, "BARLAKE_HISTORY": "10d"}
        api = stack.enter_context(servers.api(home, _made(folder / "api"), **settings))
        pages = stack.enter_context(running_pages(_made(folder / "pages"), api))
        yield System(api, pages, home)
    assert servers.nothing_left(home)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with opened_browser() as browser:
        yield browser


def running_pages(folder: Path, api: str):
    """The pages in a process of their own; they know nothing but the API's address."""
    port = servers.free_port()
    main = Path(__file__).parents[2] / "ui" / "main.py"
    arguments = [
        "streamlit",
        "run",
        str(main),
        "--server.port",
        str(port),
        "--server.address",
        "127.0.0.1",
    ]
    arguments += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    env = servers.environment(folder, BARLAKE_API_URL=api)
    return servers.running(arguments, folder, env, f"http://127.0.0.1:{port}")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
