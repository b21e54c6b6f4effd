"""What is read again every hour and every night."""

from datetime import UTC, date, datetime, timedelta

import pytest

from agents import tasks, worker
from agents.ingest import Ingest
from agents.live.rereading import due
from agents.sources.alpaca import Account, AlpacaSource
from lake import Fetched
from lake.journal import Journal, switches
from sandbox.config import SandboxConfig
from sandbox.serve import running
from tests.agents.living import valkey
from tests.market import bar, frame

SOURCE = "sandbox:iex"
MONDAY = datetime(2024, 11, 4, 15, 20, tzinfo=UTC)


def test_every_hour_the_watched_symbols_of_a_session_that_has_begun():
    def hourly(now, watched=("SPY", "AAPL")):
        return due("hours", watched, None, SOURCE, now)

    assert hourly(MONDAY).symbols == ["AAPL", "SPY"]
    assert (hourly(MONDAY).first, hourly(MONDAY).last) == (date(2024, 11, 4), date(2024, 11, 4))
    assert hourly(MONDAY, ()) is None
    assert hourly(MONDAY - timedelta(days=1)) is None  # a Sunday
    assert hourly(MONDAY.replace(hour=9)) is None  # 04:20 in New York
    assert hourly(datetime(2024, 11, 5, 2, 20, tzinfo=UTC)) is not None  # 21:20, after the end
    assert hourly(datetime(2024, 11, 5, 3, 20, tzinfo=UTC)) is None


def test_every_night_the_last_five_sessions_of_what_is_kept_up(store):
    asked = due("days", ("QQQ",), store, SOURCE, MONDAY)
    assert (asked.symbols, asked.first, asked.last) == (
        ["QQQ"],
        date(2024, 10, 28),
        date(2024, 11, 1),
    )
    assert due("days", (), store, SOURCE, MONDAY) is None

    store.commit_bars(Fetched(SOURCE, frame(bar(0))))
    (last,) = store.symbols()["last"]
    soon, late = last + timedelta(days=2), last + timedelta(days=9)
    assert due("days", ("QQQ",), store, SOURCE, soon).symbols == ["QQQ", "SPY"]
    assert due("days", ("QQQ",), store, SOURCE, late).symbols == ["QQQ"]
    assert due("days", ("QQQ",), store, "alpaca:sip", soon).symbols == ["QQQ"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker._Here, "shop", None)  # this process works for this home alone
    monkeypatch.setenv("ALPACA_API_KEY_ID", "key")
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "secret")
    monkeypatch.setenv("BARLAKE_WATCH", "SPY,QQQ")
    monkeypatch.setenv("BARLAKE_HOME", str(tmp_path / "home"))
    with valkey() as url:
        monkeypatch.setenv("REDIS_URL", url)
        yield tmp_path / "home"


def test_the_scheduler_queues_one_ingest_at_a_time_and_none_of_a_stopped_agent(home):
    first = tasks.reread("days")
    assert (first["state"], tasks.reread("days")["state"]) == ("queued", "held")

    with Journal.open(home) as journal:
        job = journal.job(first["job_id"])
        assert (job.kind, job.symbols, job.params["again"]) == ("ingest", ["QQQ", "SPY"], True)
        switches.turn(journal, "ingest", "paused")
        assert tasks.reread("days") == {"job_id": None, "state": "paused"}


def test_nothing_is_called_fetched_that_is_to_come_by_the_providers_clock(home, store):
    with running(SandboxConfig(now=MONDAY)) as url, Journal.open(home) as journal:
        account = Account(SOURCE, "iex", url, url, "key", "secret")
        worker_of = Ingest(store, AlpacaSource(account), journal, lambda **_: None)
        queued, _ = journal.queue("ingest", SOURCE, "SPY", MONDAY.date(), date(2024, 11, 8))
        job = journal.claim(queued.id, "worker")
        worker_of.work(job, history="2y", now=datetime.now(UTC))

    ((_, end),) = store.covered("SPY", SOURCE)
    assert end == MONDAY - timedelta(minutes=2)
