"""What the backfill promises, against a real server over loopback and a real lake."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

import lake
from agents import backfill
from agents.sources import ProviderBusyError, ProviderRefusedError, UnknownSymbolError
from agents.sources.alpaca import Account, AlpacaSource
from lake import instruments
from lake.actions import ACTION_SCHEMA, Answered
from lake.papers import ASSET_SCHEMA
from sandbox.config import SandboxConfig
from sandbox.serve import running

NOW = datetime(2024, 11, 8, 22, 0, tzinfo=UTC)
WEEK = (date(2024, 11, 4), date(2024, 11, 8))


@pytest.fixture(scope="module")
def url():
    with running(SandboxConfig(now=NOW)) as address:
        yield address


def source(url, feed="iex", key="k", **urls):
    lines: list[dict[str, object]] = []
    account = Account(
        f"sandbox:{feed}", feed, urls.get("data", url), urls.get("trading", url), key, "s"
    )
    made = AlpacaSource(account, lambda **line: lines.append(line))
    made.lines = lines
    return made


def requests_for_bars(made):
    return [line for line in made.lines if line.get("path") == "v2/stocks/bars"]


def test_a_week_arrives_whole_and_a_second_run_asks_for_nothing(store, url):
    first = backfill.run(store, source(url), "SPY", WEEK, now=NOW)
    again_source = source(url)
    again = backfill.run(store, again_source, "SPY", WEEK, now=NOW)

    assert first["new"] == store.bars("SPY").height > 5 * 380
    assert again["new"] == again["pages"] == 0
    assert again_source.lines == []
    assert store.gaps("SPY", *WEEK).is_empty()


def test_only_what_is_missing_is_asked_for(store, url):
    backfill.run(store, source(url), "SPY", (WEEK[0], WEEK[0]), now=NOW)
    made = source(url)
    backfill.run(store, made, "SPY", WEEK, now=NOW)

    asked = [line["asked"]["start"] for line in requests_for_bars(made)]
    assert asked == ["2024-11-05T05:00:00Z"]
    assert store.gaps("SPY", *WEEK).is_empty()


def test_the_sum_of_pages_is_the_same_as_one_answer(store, url, monkeypatch):
    backfill.run(store, source(url), "SPY", WEEK, now=NOW)
    whole = store.bars("SPY")
    monkeypatch.setattr("agents.sources.alpaca._PAGE_BARS", 300)
    with lake.open(store.home.parent / "other", create=True, now=lambda: NOW) as other:
        made = source(url)
        count = backfill.run(other, made, "SPY", WEEK, now=NOW)

        assert count["pages"] == len(requests_for_bars(made)) > 5
        assert other.bars("SPY").equals(whole)


def test_a_run_that_breaks_off_goes_on_at_its_last_page(store, url, monkeypatch):
    monkeypatch.setattr("agents.sources.alpaca._PAGE_BARS", 300)
    monkeypatch.setattr("agents.fetching._TOGETHER_SECONDS", 0)  # a commit a page
    tells: list[int] = []

    def stop_after_three(*_: object) -> None:
        tells.append(1)
        if len(tells) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill.run(store, source(url), "SPY", WEEK, now=NOW, tell=stop_after_three)
    kept = store.bars("SPY").height
    made = source(url)
    count = backfill.run(store, made, "SPY", WEEK, now=NOW)

    assert kept == 900
    assert count["unchanged"] == 0
    assert count["new"] + kept == store.bars("SPY").height
    assert store.gaps("SPY", *WEEK).is_empty()


def test_minutes_that_may_still_change_are_left_for_later(store, url):
    noon = datetime(2024, 11, 8, 17, 0, 30, tzinfo=UTC)
    backfill.run(store, source(url), "SPY", (WEEK[1], WEEK[1]), now=noon)

    assert store.coverage("SPY")["end"].to_list() == [datetime(2024, 11, 8, 16, 58, tzinfo=UTC)]
    assert store.bars("SPY")["timestamp"].max() < datetime(2024, 11, 8, 16, 58, tzinfo=UTC)


def test_the_consolidated_feed_is_asked_only_for_what_the_free_plan_gives(url):
    assert source(url, "sip").edge(NOW) == NOW - timedelta(minutes=16)


def test_a_split_comes_with_the_bars(store, url):
    backfill.run(store, source(url), "SPLT", (date(2024, 10, 14), date(2024, 10, 15)), now=NOW)

    raw = store.bars("SPLT", timeframe="1d")["close"]
    adjusted = store.bars("SPLT", timeframe="1d", adjust="split")["close"]
    assert raw[0] / raw[1] == pytest.approx(4, rel=0.15)
    assert adjusted[0] / adjusted[1] == pytest.approx(1, rel=0.15)


def test_a_symbol_the_provider_does_not_have_is_told_and_not_called_fetched(store, url):
    with pytest.raises(UnknownSymbolError, match="has no symbol NOSUCH"):
        backfill.run(store, source(url), "NOSUCH", WEEK, now=NOW)

    assert store.covered("NOSUCH", "sandbox:iex") == []


def test_an_old_ticker_the_provider_does_not_have_is_told_with_the_newer_one(store, url):
    change = (date(2022, 6, 9), date(2022, 6, 9), None, None, '{"new_symbol": "SPY"}')
    told = pl.DataFrame([("1", "WAS", "name_change", *change)], schema=ACTION_SCHEMA, orient="row")
    store.commit_actions(Answered("sandbox:iex", told, ("WAS",), *WEEK))
    paper = {"instrument_id": "1", "symbol": "SPY", "status": "active"}
    instruments.commit_assets(
        store, "sandbox:iex", pl.DataFrame([paper], schema=ASSET_SCHEMA), WEEK[0]
    )

    for asked, words in (
        ("WAS", "has no symbol WAS. WAS is called SPY now: ask for the newer ticker. Nothing was"),
        (("NOSUCH", "WAS"), "ask for the newer ticker. Check the spelling; nothing was fetched."),
        (("QQQ", "WAS"), "has no symbol WAS. WAS is called SPY now: .* The other 1 were fetched"),
    ):
        with pytest.raises(UnknownSymbolError, match=words):
            backfill.run(store, source(url), asked, WEEK, now=NOW)


def test_wrong_keys_are_refused_once_with_what_to_do(store):
    with running(SandboxConfig(now=NOW, key="right", secret="s")) as guarded:
        made = source(guarded, key="wrong")
        with pytest.raises(
            ProviderRefusedError, match=r"ALPACA_API_KEY_ID .* in \.env|keys in \.env"
        ):
            backfill.run(store, made, "SPY", WEEK, now=NOW)
        assert len({line["path"] for line in made.lines}) == len(made.lines), "it asked again"
    assert store.symbols().is_empty()


def test_a_server_that_is_not_there_is_soon_given_up_and_named(store):
    made = source("http://127.0.0.1:9")
    with pytest.raises(
        ProviderBusyError, match=r"127\.0\.0\.1:9 cannot be reached.*ask again later"
    ):
        made.actions(["SPY"], *WEEK)

    assert [line["attempt"] for line in made.lines if "problem" in line][-3:] == [1, 2, 3]


@pytest.mark.parametrize("bad", [{"c": None}, {"t": "yesterday"}, {"v": "many"}, {}])
def test_what_a_provider_garbles_becomes_null_for_the_checks(bad):
    from agents.sources.alpaca_bars import bars_of

    good = {
        "t": "2024-11-04T14:30:00Z",
        "o": 1,
        "h": 1.5,
        "l": 1,
        "c": 1,
        "v": 10,
        "n": 2,
        "vw": 1.2,
    }
    read = bars_of({"SPY": [good, {**good, **bad} if bad else {}]})

    assert read.schema == lake.BAR_SCHEMA
    assert read.row(0) == (
        "SPY",
        datetime(2024, 11, 4, 14, 30, tzinfo=UTC),
        1.0,
        1.5,
        1.0,
        1.0,
        10.0,
        2,
        1.2,
    )
    assert None in read.row(1)


@pytest.mark.parametrize(
    "body", [{}, {"message": "hello"}, {"bars": {}}, {"next_page_token": None}]
)
def test_an_answer_that_is_no_page_is_not_the_end_of_the_data(store, monkeypatch, body):
    monkeypatch.setattr("agents.sources.http.ATTEMPTS", 2)
    with answering(body) as address, pytest.raises(ProviderBusyError, match="not what was asked"):
        backfill.run(store, source(address), "SPY", WEEK, now=NOW)

    assert store.covered("SPY", "sandbox:iex") == []


def test_a_drip_of_bytes_does_not_outlive_the_request(store, monkeypatch):
    monkeypatch.setattr("agents.sources.http.ATTEMPTS", 1)
    monkeypatch.setattr("agents.sources.http.REQUEST_SECONDS", 1.0)
    began = time.monotonic()
    body = {"next_page_token": None, "padding": "x" * 300}  # 80 seconds long
    with answering(body, pause=0.25) as address:
        made = source(address)
        with pytest.raises(ProviderBusyError, match="TimeoutError"):
            made.actions(["SPY"], *WEEK)
    assert time.monotonic() - began < 20


def test_actions_that_lack_their_numbers_do_not_stop_an_ingest(store, monkeypatch):
    body = {
        "corporate_actions": {
            "forward_splits": [{"id": "1", "symbol": "SPY", "ex_date": "2024-11-05"}]
        },
        "next_page_token": None,
    }
    with answering(body) as address:
        found = source(address).actions(["SPY"], *WEEK)

    assert found.select("symbol", "ratio").rows() == [("SPY", None)]


@contextmanager
def answering(body: dict[str, object], *, pause: float = 0.0) -> Iterator[str]:
    """A server that answers everything with one JSON object, if need be byte by byte."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            with suppress(OSError):
                for byte in text if pause else ():
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(pause)
                if not pause:
                    self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_no_bars_at_all_is_an_answer():
    from agents.sources.alpaca_bars import bars_of

    assert bars_of({}).is_empty()
    assert bars_of({"SPY": None}).schema == pl.Schema(lake.BAR_SCHEMA)
