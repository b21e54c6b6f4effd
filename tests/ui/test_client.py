"""What the pages' client promises: frames of known types, and sentences instead of errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import polars as pl
import pytest

from ui.client import ApiDownError, ApiError, Client, api_url


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_where_the_api_is_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("BARLAKE_API_URL", raising=False)
    monkeypatch.delenv("BARLAKE_API_PORT", raising=False)
    assert api_url() == "http://127.0.0.1:8000"
    monkeypatch.setenv("BARLAKE_API_PORT", "8123")
    assert api_url() == "http://127.0.0.1:8123"
    monkeypatch.setenv("BARLAKE_API_URL", "http://api:8000/")
    assert api_url() == "http://api:8000"


def test_an_empty_answer_is_an_empty_frame_with_its_types():
    with answering(200, b'{"symbols": []}') as url:
        frame = Client(url).symbols()

    assert frame.is_empty()
    assert frame.schema["last"] == pl.Datetime("us", "UTC")


def test_numbers_times_and_nulls_come_as_they_are():
    body = (
        b'{"bars": [{"timestamp": "2024-11-04T14:30:00Z", "open": 1, "close": null, "later": 1}]}'
    )
    with answering(200, body) as url:
        (row,) = Client(url).bars("SPY").iter_rows(named=True)

    assert row["timestamp"].isoformat() == "2024-11-04T14:30:00+00:00"
    assert (row["open"], row["close"]) == (1.0, None)
    assert "later" not in row


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "http://[::bad"])
def test_no_api_is_a_sentence_that_says_how_to_start_it(url):
    with pytest.raises(ApiDownError, match="barlake up"):
        Client(url).symbols()


def test_what_the_api_refuses_is_its_sentence():
    with (
        answering(404, b'{"error": "BarsMissingError", "message": "No bars."}') as url,
        pytest.raises(ApiError, match=r"^No bars\.$"),
    ):
        Client(url).bars("SPY")


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (502, b"<html>"), (200, b"[]"), (500, b"{}")]
)
def test_what_is_not_our_api_is_a_sentence(status, body):
    with answering(status, body) as url, pytest.raises(ApiError, match="BARLAKE_API_URL"):
        Client(url).symbols()
