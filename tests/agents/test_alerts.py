"""What alerts promise: one dead process is noticed by another, and a webhook hears of it."""

import json
import multiprocessing
import os
import signal
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agents.alerts import STALLED, Watch
from lake.journal import Journal, alerts, events
from tests.clock import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def journal(tmp_path, clock):
    with Journal.open(tmp_path, now=clock) as opened:
        yield opened


@contextmanager
def webhook(*statuses):
    """A server that answers with these one after another, and then with 200; yields what came."""
    taken, answers = [], list(statuses)

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = answers.pop(0) if answers else 200
            taken.append((status, json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?token=s3cret", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def silent(journal, clock, name="worker-1"):
    """An agent that beat and then fell silent; time goes by in steps that a watch takes."""
    journal.beat(name, "worker", "working", {"job_id": "abc", "symbol": "SPY"})
    clock.move(31)


def look(watch, clock, times=2):
    for _ in range(times):
        watch.look()
        clock.move(5)


def test_a_silent_agent_raises_one_alert_that_is_over_when_it_beats_again(journal, clock):
    watches = [Watch(journal), Watch(journal)]
    silent(journal, clock)
    for watch in watches:
        look(watch, clock, times=3)

    (alert,) = alerts.read(journal)
    assert (alert.kind, alert.subject) == (STALLED, "worker-1")
    assert "last heard 36 s ago, working" in alert.message
    assert (alert.facts["job_id"], alert.facts["symbol"]) == ("abc", "SPY")

    journal.beat("worker-1", "worker", "idle", {})
    watches[1].look()
    assert alerts.read(journal) == []
    kinds = [
        event.what.kind for event in events.read(journal, 0, kinds=["alert", "alert_over"]).events
    ]
    assert kinds == ["alert", "alert_over"]


def test_one_look_is_not_enough_and_a_goodbye_is_no_silence(journal, clock):
    watch = Watch(journal)
    silent(journal, clock)
    look(watch, clock, times=1)
    assert alerts.read(journal) == []
    journal.beat("worker-1", "worker", "stopped", {})
    clock.move(20)
    look(watch, clock)
    assert alerts.read(journal) == []


def test_a_command_that_was_killed_is_missed_by_nobody(journal, clock):
    journal.beat("cli@here", "cli", "working", {"job_id": "abc"})
    clock.move(31)
    look(Watch(journal), clock, times=3)
    assert alerts.read(journal) == []


def test_a_machine_that_slept_blames_nobody_at_its_first_look(journal, clock):
    journal.beat("worker-1", "worker", "idle", {})
    watch = Watch(journal)
    look(watch, clock)
    clock.move(8 * 3600)
    watch.look()
    journal.beat("worker-1", "worker", "idle", {})
    clock.move(5)
    look(watch, clock)
    assert alerts.read(journal) == []


def test_the_webhook_hears_of_an_alert_and_of_its_end_in_words_and_facts(journal, clock):
    with webhook() as (url, taken):
        watch = Watch(journal, url)
        silent(journal, clock)
        look(watch, clock)
        assert watch.deliver() == 1
        assert watch.deliver() == 0
        journal.beat("worker-1", "worker", "idle", {})
        watch.look()
        assert watch.deliver() == 1

    (_, raised), (_, over) = taken
    assert raised["text"].startswith("Barlake: The agent worker-1 (worker) is stalled")
    assert over["text"].startswith("Barlake: over: ")
    assert [body["alerts"][0]["state"] for body in (raised, over)] == ["raised", "over"]
    assert raised["alerts"][0]["facts"]["agent"] == "worker-1"


def test_a_webhook_that_refuses_is_asked_again_later(journal, clock):
    with webhook(500, 503) as (url, taken):
        watch = Watch(journal, url)
        silent(journal, clock)
        look(watch, clock)
        for _ in range(60):
            watch.deliver()
            clock.move(5)

    assert [status for status, _ in taken] == [500, 503, 200]
    assert alerts.read(journal)[0].told_at is not None


def test_a_webhook_that_is_not_there_costs_nothing_and_is_not_named(journal, clock, capsys):
    watch = Watch(journal, "http://127.0.0.1:1/hook?token=s3cret")
    silent(journal, clock)
    look(watch, clock)

    assert watch.deliver() == 0
    assert alerts.read(journal)[0].told_at is None
    assert "s3cret" not in "".join(capsys.readouterr())


def test_many_alerts_come_in_one_message(journal):
    for number in range(60):
        alerts.raise_alert(journal, "freshness", f"s S{number}", f"S{number} is behind.")
    with webhook() as (url, taken):
        watch = Watch(journal, url)
        assert [watch.deliver() for _ in range(3)] == [50, 10, 0]

    assert [len(body["alerts"]) for _, body in taken] == [50, 10]


def _beat_and_stay(home, ready):
    with Journal.open(home) as journal:
        journal.beat("worker-9@here", "worker", "idle", {})
        ready.set()
        time.sleep(600)


def test_a_killed_process_is_noticed_by_the_thread_of_another(tmp_path, monkeypatch):
    monkeypatch.setattr("agents.alerts.LOOK_EVERY", 0.2)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_beat_and_stay, args=(tmp_path, ready), daemon=True)
    process.start()
    assert ready.wait(60)
    with Journal.open(tmp_path) as journal, webhook() as (url, taken):
        watch = Watch(journal, url)
        watch.start()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        end = time.monotonic() + 60
        while not taken:
            assert time.monotonic() < end, "nobody noticed"
            time.sleep(0.05)
        watch.stop()

    assert taken[0][1]["alerts"][0]["subject"] == "worker-9@here"
