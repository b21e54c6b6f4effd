"""What is a ticker, and what is refused at every door because it is none."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

import lake
from app.api.main import create_app
from app.cli.doors import settings as cli_settings
from app.cli.main import outcome
from lake.errors import SymbolError
from lake.settings import Settings
from lake.verify import verify
from tests.market import OPEN, bar, fetched, frame

NOW = datetime(2024, 12, 2, 12, tzinfo=UTC)
STRANGE = [
    "BRK/B",
    "a'; drop",
    "../x",
    "..",
    ".hidden",
    "",
    "Ä",
    "📈",
    "A" * 17,
    "A B",
    "A\nB",
    "%2e",
    "-A",
    "SPY;",
]
TICKERS = ["BRK.B", "BF-B", "A", "X" * 16, "0700.HK", "CON", "NULL"]


def test_a_ticker_is_stored_and_read_whatever_it_looks_like(store):
    store.commit_bars(fetched(*(bar(0, symbol=symbol) for symbol in TICKERS)))

    for symbol in TICKERS:
        assert store.bars(symbol.lower())["symbol"].to_list() == [symbol]
    assert store.symbols()["symbol"].to_list() == sorted(TICKERS)
    assert verify(store).findings == ()


def test_what_is_no_ticker_is_refused_by_the_lake_before_it_touches_a_file(store):
    before = sorted(store.home.parent.rglob("*"))
    for symbol in STRANGE:
        refuse(store, symbol)
    assert sorted(store.home.parent.rglob("*")) == before


def refuse(store, symbol):
    for ask in (
        lambda: store.bars(symbol),
        lambda: store.stream_bars(symbol),
        lambda: store.coverage(symbol),
        lambda: store.gaps(symbol),
        lambda: store.revisions(symbol),
        lambda: store.splits(symbol),
        lambda: store.commit_bars(fetched(bar(0, symbol=symbol))),
        lambda: store.commit_bars(lake.Fetched("alpaca:iex", frame(), (lake.Covered(symbol, OPEN, NOW),))),
    ):  # fmt: skip
        with pytest.raises(SymbolError, match="is not a ticker"):
            ask()


@pytest.fixture
def at_home(store, monkeypatch):
    """The doors open this lake."""
    store.commit_bars(fetched(bar(0)))
    monkeypatch.chdir(store.home)
    monkeypatch.setenv("BARLAKE_HOME", str(store.home))
    cli_settings.cache_clear()
    yield store
    cli_settings.cache_clear()


def test_what_is_no_ticker_is_refused_by_the_command_in_a_line(at_home, capfd):
    for symbol in STRANGE:
        for command, *options in (["bars"], ["coverage"], ["ingest", "--here"], ["delete", "--yes"], ["verify"]):  # fmt: skip
            assert outcome([command, *options, "--", symbol]) == 2
            told = capfd.readouterr()
            assert len(told.err.strip().splitlines()) == 1
            assert "is not a ticker" in told.err
            assert not told.out
    assert at_home.bars("SPY").height == 1


def test_what_is_no_ticker_is_refused_over_http_in_a_sentence(at_home):
    app = create_app(Settings(BARLAKE_HOME=at_home.home), lambda _: None)
    client = TestClient(
        app,
        base_url="http://localhost:8000",
        client=("127.0.0.1", 50000),
        raise_server_exceptions=False,
    )
    for symbol in [one for one in STRANGE if one != ".."]:  # which a client takes out of the path
        for method, path in (("GET", "/bars/"), ("GET", "/coverage/"), ("POST", "/ingest/")):
            answer = client.request(method, path + quote(symbol, safe=""))
            assert answer.status_code in {404, 405, 422}, answer.text
            assert answer.json()["message"].endswith((".", "?"))
    app.state.house.close()
