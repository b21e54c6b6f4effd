"""A job of many symbols: in parts, by all workers, through the death of any of them."""

import os
import random
import signal
from datetime import UTC, date, timedelta

import pytest

import lake
from agents import tasks
from app.up.place import Place
from lake.journal import events, tallies
from lake.settings import load_settings
from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.serve import running
from tests.agents.houses import House, wait_for

SYMBOLS = ["AAPL", "MSFT", "QQQ", "SPY", "THIN"]
SPAN = (date(2023, 12, 11), date(2024, 1, 12))  # a part for each year
LONG = (date(2023, 10, 2), date(2024, 2, 29))
SOURCE = "sandbox:iex"


@pytest.fixture(scope="module")
def url():
    with running(SandboxConfig()) as address:
        yield address


@pytest.fixture
def house(url, journal, monkeypatch, place):
    monkeypatch.setenv("ALPACA_API_BASE_URL", url)
    monkeypatch.setenv("ALPACA_API_KEY_ID", "sandbox-key")
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "sandbox-secret")
    standing = House(Place.of(load_settings()), journal)
    yield standing
    standing.end()


def queue(journal, symbols=SYMBOLS, span=SPAN):
    return journal.queue("ingest", SOURCE, "", *span, {"symbols": symbols})[0]


def check_whole(url, place, span=SPAN):
    """The lake has what the provider has, once."""
    control = Control(url)
    low = lake.sessions.midnight(span[0])
    high = lake.sessions.midnight(span[1] + timedelta(days=1)) - timedelta(minutes=1)
    with lake.open(place.home) as store:
        for symbol in SYMBOLS:
            held = store.bars(symbol, source=SOURCE)
            told = control.truth(symbol, feed="iex", start=low, end=high)["bars"]
            assert held["close"].to_list() == [bar["c"] for bar in told], symbol
            assert store.gaps(symbol, *span, source=SOURCE).is_empty()
            assert held["timestamp"].n_unique() == held.height


def test_many_symbols_are_one_job_done_in_parts_by_all_workers(house, journal, url, place):
    house.start("broker", "worker-1", "worker-2")
    done = house.do(queue(journal))

    assert (done.state, done.error) == ("done", None)
    assert done.done == done.total > 0
    parts = journal.parts_of(done.id)
    assert {part.state for part in parts} == {"done"}
    assert len(parts) == done.result["parts"] > 1
    assert done.result["new"] == sum(part.result["new"] for part in parts)
    check_whole(url, place)


def test_workers_and_broker_may_die_at_any_moment_of_it(house, journal, url, place, monkeypatch):
    monkeypatch.setattr(tasks, "_FORGOTTEN", timedelta(seconds=1))
    chance = random.Random(7)
    house.start("broker", "worker-1", "worker-2")
    job = queue(journal, span=LONG)
    tasks.send(job)
    for victim in ("worker-1", "broker", "worker-2", "task"):
        before = journal.job(job.id).done
        mend_until(journal, job, lambda now, before=before: now.is_finished or now.done > before)
        if victim == "task":
            alive = [agent for agent in journal.agents() if not agent.stalled]
            os.kill(chance.choice(alive).pid, signal.SIGKILL)
        else:
            house.kill(victim)
            house.start(victim)
    done = mend_until(journal, job, lambda now: now.is_finished)

    assert (done.state, done.error) == ("done", None)
    check_whole(url, place, LONG)


def mend_until(journal, job, holds):
    """Send what the broker has lost, as each worker does, only not once a minute."""

    def look():
        tasks.send_forgotten(journal)
        now = journal.job(job.id)
        return now if holds(now) else None

    return wait_for(look, 240)


def test_a_symbol_that_is_not_there_is_told_and_the_others_are_stored(house, journal, url, place):
    house.start("broker", "worker-1")
    failed = house.do(queue(journal, [*SYMBOLS, "NOSUCH"]))

    assert failed.state == "failed"
    assert "no symbol NOSUCH" in failed.error
    assert "the other 5 were fetched" in failed.error
    check_whole(url, place)


def test_keys_that_are_refused_end_all_of_it_at_once(house, journal, url):
    house.start("broker", "worker-1")
    control = Control(url)
    control.set_faults({"reject_keys": {"paths": ["/v2/stocks/bars"]}})
    try:
        failed = house.do(queue(journal))
    finally:
        control.set_faults({})

    assert "ALPACA_API_KEY_ID" in failed.error
    assert {part.state for part in journal.parts_of(failed.id)} == {"failed"}


def test_a_disk_that_fills_puts_the_job_back_and_it_goes_on_when_there_is_room(
    place, journal, url, monkeypatch, house
):
    monkeypatch.setenv("BARLAKE_DISK_FLOOR", "900000GB")
    full = House(Place.of(load_settings()), journal)
    job = queue(journal, ["SPY"])
    try:
        full.start("broker", "worker-1")
        tasks.send(job)
        wait_for(lambda: "GB free" in " ".join(part.message for part in journal.parts_of(job.id)))
        assert not journal.job(job.id).is_finished
    finally:
        full.end()
    monkeypatch.setenv("BARLAKE_DISK_FLOOR", "1MB")
    house.place = Place.of(load_settings())
    house.start("broker", "worker-1")
    done = wait_for(lambda: (now := journal.job(job.id)).is_finished and now)

    assert (done.state, done.error) == ("done", None)
    with lake.open(place.home) as store:
        assert store.gaps("SPY", *SPAN, source=SOURCE).is_empty()


def test_what_was_asked_and_what_came_is_told_as_events_tallies_and_lines(house, journal):
    house.start("broker", "worker-1")
    done = house.do(queue(journal, ["QQQ", "SPY"]))

    told = [one.what for one in events.read(journal, limit=1000, kinds=["bars"]).events]
    assert sum(event.new for event in told) == done.result["new"] > 0
    day = journal.now.astimezone(UTC).date()
    requests, failures = tallies.read(journal, SOURCE, "SPY")[day]

    def logged(stage, **facts):
        lines = [line for line in journal.logs(limit=1000) if line["stage"] == stage]
        return [line for line in lines if facts.items() <= line.items()]

    def counted():  # lines reach the journal a moment later
        return sum(line["new"] for line in logged("commit")) == done.result["new"]

    wait_for(counted)
    bars = wait_for(lambda: logged("request", path="v2/stocks/bars"))
    about = [line for line in logged("request") if "SPY" in (line["symbol"] or "")]
    assert (requests, failures) == (len(about), 0)
    assert sum(line["bars"] for line in bars) == done.result["new"]
    assert {line["status"] for line in bars} == {200}
    assert {line["trace_id"] for line in bars} == {done.trace_id}
    assert "sandbox-secret" not in str(journal.logs(limit=1000))
