"""What every provider over HTTP is asked by: within its budget, with patience, and a line a request."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from agents.sources import ProviderBusyError, ProviderRefusedError
from agents.sources.http import Patient
from lake.journal import Journal
from lake.journal.budget import OwnBudget, RateWindow, SharedBudget

WINDOW = 2.0
MOST = 4


class Provider:
    """A server that lets a few requests through in each window, and says so."""

    def __init__(self, answers=(), *, headers=True):
        self.answers, self.headers = list(answers), headers
        self.early = self.served = 0
        self._ends, self._left, self._lock = 0.0, MOST, threading.Lock()

    def answer(self):
        with self._lock:
            now = time.time()
            if now >= self._ends:
                self._ends, self._left = now + WINDOW, MOST
            told = {
                "X-RateLimit-Limit": str(MOST),
                "X-RateLimit-Remaining": str(max(self._left - 1, 0)),
                "X-RateLimit-Reset": f"{self._ends:.3f}",
                "X-Request-ID": f"r{self.served}",
            }
            if self._left < 1:
                self.early += 1
                return 429, told, b"{}"
            self._left -= 1
            self.served += 1
            status, body = self.answers.pop(0) if self.answers else (200, b"{}")
            return status, told if self.headers else {}, body


@contextmanager
def serving(provider):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            status, headers, body = provider.answer()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v2/bars"
    finally:
        server.shutdown()
        server.server_close()


def ask(patient, url, times=1):
    with requests.Session() as session:

        def once():
            answer = patient.send(session, "GET", url, {"params": {"a": "1"}})
            patient.tell(answer.facts)  # its reader adds what is in it

        for _ in range(times):
            patient.retried(once)


def test_processes_that_share_a_journal_send_nothing_early(tmp_path):
    provider = Provider()
    with serving(provider) as url, Journal.open(tmp_path) as one, Journal.open(tmp_path) as two:
        lines = []
        budgets = [
            SharedBudget(journal, "account", [RateWindow(MOST)]) for journal in (one, two, one)
        ]
        patients = [Patient("p", budget, lambda **line: lines.append(line)) for budget in budgets]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda patient: ask(patient, url, 4), patients))

    assert provider.served == 12
    assert provider.early == 0
    assert [line["status"] for line in lines] == [200] * 12
    assert {line["request_id"] for line in lines} == {f"r{number}" for number in range(12)}


def test_a_limit_that_is_met_all_the_same_makes_everyone_wait_for_its_end(tmp_path):
    provider = Provider()
    provider._ends, provider._left = time.time() + WINDOW, 0  # others have used it up
    with serving(provider) as url, Journal.open(tmp_path) as journal:
        budget = SharedBudget(journal, "account", [RateWindow(MOST)])
        ask(Patient("p", budget, lambda **_: None), url, 2)

    assert (provider.early, provider.served) == (1, 2)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_may_pass_is_asked_again(status):
    provider = Provider([(status, b"<html>sorry</html>")], headers=False)
    lines = []
    with serving(provider) as url:
        patient = Patient("p", OwnBudget(), lambda **line: lines.append(line))
        ask(patient, url)

    assert [line["status"] for line in lines] == [status, 200]
    assert [line["attempt"] for line in lines] == [1, 2]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_is_refused_is_not_asked_again(status):
    provider = Provider([(status, json.dumps({"message": "no"}).encode())])
    with serving(provider) as url:
        patient = Patient("p", OwnBudget(), lambda **_: None, {status: "Do this."})
        with pytest.raises(ProviderRefusedError, match=rf"{status}: .*no.*Do this\."):
            ask(patient, url)

    assert provider.served == 1


def test_a_server_that_is_not_there_is_soon_given_up():
    lines = []
    patient = Patient("p", OwnBudget(), lambda **line: lines.append(line))
    with pytest.raises(ProviderBusyError, match=r"127\.0\.0\.1:9 cannot be reached"):
        ask(patient, "http://127.0.0.1:9/x")

    assert [line["attempt"] for line in lines] == [1, 2, 3]
