"""A sandbox in a process of its own, whose clock stands on a Tuesday morning in December 2024."""

from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest
import requests

from sandbox.config import SandboxConfig
from sandbox.serve import running

#: 10:00 in New York: the minutes up to 09:59 are over.
NOW = datetime(2024, 12, 3, 15, 0, tzinfo=UTC)


class Client:
    """Plain HTTP with keys."""

    def __init__(self, url):
        self.url = url
        self.session = requests.Session()
        self.session.headers.update({"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"})

    def get(self, path, **parameters):
        return self.session.get(self.url + path, params=parameters, timeout=30)

    def page(self, path="/v2/stocks/bars", **parameters):
        reply = self.get(path, **({"timeframe": "1Min"} | parameters))
        assert reply.status_code == 200, reply.text
        return reply.json()

    def bars(self, symbol, start, end, **parameters):
        """All bars of a range that fits one page."""
        page = self.page(symbols=symbol, start=start, end=end, limit=10_000, **parameters)
        assert page["next_page_token"] is None
        return page["bars"].get(symbol, [])

    def pages(self, **parameters):
        """All pages of a request, as (symbol, bar) pairs each."""
        token = None
        while True:
            page = self.page(**parameters, page_token=token)
            yield [(symbol, bar) for symbol, bars in page["bars"].items() for bar in bars]
            token = page["next_page_token"]
            if token is None:
                return


@pytest.fixture(scope="session")
def sandbox_url():
    with running(SandboxConfig(now=NOW)) as url:
        yield url


@pytest.fixture(scope="session")
def client(sandbox_url):
    client = Client(sandbox_url)
    yield client
    client.session.close()


@contextmanager
def starting():
    with ExitStack() as stack:

        def start(**options):
            url = stack.enter_context(running(SandboxConfig(**({"now": NOW} | options))))
            client = Client(url)
            stack.callback(client.session.close)
            return client

        yield start


@pytest.fixture
def open_sandbox():
    """Start further sandboxes; all end with the test."""
    with starting() as start:
        yield start


@pytest.fixture(scope="module")
def open_sandbox_once():
    """Start sandboxes that end with the module."""
    with starting() as start:
        yield start
