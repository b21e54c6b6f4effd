"""What follows an ingest: one scan of its symbols and sessions for gaps, and nothing that could harm it."""

from datetime import date

import pytest

import lake
from agents import features
from agents.after_ingest import follow, queue_refresh, queue_scan
from agents.gaps import asked_by
from feature_service import build, user_sets
from lake.errors import BrokerMissingError
from lake.journal import Journal, switches
from lake.journal.parts import Piece
from tests.feature_service.walks import put, random_walk

SOURCE = "s:f"
SPAN = (date(2024, 5, 1), date(2024, 5, 31))
BROUGHT = {"new": 390, "commits": 1}
ASKED = {"symbols": ["SPY"], "datasets": ["bars_1m"], "only": SOURCE}


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def store(tmp_path):
    with lake.open(tmp_path / "lake", create=True) as opened:
        yield opened


def ended(journal, result=None, symbol="SPY", **params):
    """An ingest that is over; without a result it failed."""
    job, _ = journal.queue("ingest", SOURCE, symbol, *SPAN, params)
    journal.claim(job.id, "one")
    if result is None:
        journal.fail(job.id, "the provider is gone")
    else:
        journal.finish(job.id, result)
    return journal.job(job.id)


def test_a_scan_of_exactly_its_symbols_and_sessions_follows_an_ingest(journal):
    scan = queue_scan(journal, ended(journal, BROUGHT).id)

    assert (scan.kind, scan.source, scan.symbol) == ("gaps", SOURCE, "SPY")
    assert ((scan.first, scan.last), scan.params) == (SPAN, ASKED)
    assert scan.state == "queued"


def test_it_is_of_the_dataset_and_of_all_symbols_that_were_asked_for(journal):
    job = ended(journal, BROUGHT, "", dataset="bars_daily", symbols=["QQQ", "SPY"])

    assert queue_scan(journal, job.id).params == {
        "symbols": ["QQQ", "SPY"],
        "datasets": ["bars_daily"],
        "only": SOURCE,
    }


def test_an_ingest_again_says_when_its_answer_began(journal):
    job = ended(journal, BROUGHT, again=True)

    asked = {"answered_at": job.started_at.isoformat()}
    assert queue_scan(journal, job.id).params == ASKED | asked


def test_after_a_failure_what_came_is_named_and_nobody_is_asked(journal):
    job, _ = journal.queue("ingest", SOURCE, "", *SPAN, {"symbols": ["QQQ", "SPY"]})
    journal.claim(job.id, "one")
    parts = journal.split(job.id, [Piece("SPY", {}, 1), Piece("QQQ", {}, 1)])
    for part, end in zip(parts, (journal.finish, journal.fail), strict=True):
        journal.claim(part.id, "one")
        end(part.id, BROUGHT if end == journal.finish else "it was refused")
    journal.claim(job.id, "one")
    journal.fail(job.id, "1 of 2 parts failed")

    assert [queue_scan(journal, part.id) for part in parts] == [None, None]
    scan = queue_scan(journal, job.id)
    assert scan.params == ASKED | {"symbols": ["QQQ", "SPY"], "ask": False}


@pytest.mark.parametrize("result", [None, {"new": 0, "commits": 0}])
def test_nothing_follows_where_nothing_was_stored(journal, result):
    assert queue_scan(journal, ended(journal, result).id) is None


def test_nothing_follows_other_work_and_work_that_goes_on(journal):
    other, _ = journal.queue("features", "", "SPY")
    journal.claim(other.id, "one")
    journal.finish(other.id, BROUGHT)
    waiting, _ = journal.queue("ingest", SOURCE, "SPY", *SPAN)

    assert queue_scan(journal, other.id) is None
    assert queue_scan(journal, waiting.id) is None


def test_scans_that_wait_already_are_not_queued_twice(journal):
    first = queue_scan(journal, ended(journal, BROUGHT).id)

    assert queue_scan(journal, ended(journal, BROUGHT).id) is None
    assert [job.id for job in journal.jobs(kind="gaps")] == [first.id]


def test_a_scan_that_is_under_way_does_not_stand_for_what_came_meanwhile(journal):
    first = queue_scan(journal, ended(journal, BROUGHT).id)
    journal.claim(first.id, "two")
    job = ended(journal, BROUGHT)

    second = queue_scan(journal, job.id)

    assert asked_by(second) == asked_by(first) == ASKED | {"span": SPAN}
    assert queue_scan(journal, job.id) is None
    assert len(journal.jobs(kind="gaps")) == 2


@pytest.mark.parametrize("turned", ["paused", "stopped"])
def test_who_turns_the_gap_agent_off_has_no_scans_after_an_ingest_either(journal, turned):
    job = ended(journal, BROUGHT)
    switches.turn(journal, "gaps", turned)

    assert queue_scan(journal, job.id) is None
    switches.turn(journal, "gaps", "running")
    assert queue_scan(journal, job.id) is not None


def test_an_ingest_stays_done_where_no_broker_takes_its_scan(journal, store):
    job = ended(journal, BROUGHT)

    def send(_job):
        raise BrokerMissingError("redis://localhost")

    follow(journal, job.id, send, lambda: store)

    assert journal.job(job.id).state == "done"
    (scan,) = journal.jobs(kind="gaps")
    assert [orphan.id for orphan in journal.orphans()] == [scan.id]  # sent when there is one


def test_what_is_new_is_sent_once(journal, store):
    job, sent = ended(journal, BROUGHT), []

    for _ in range(2):
        follow(journal, job.id, lambda scan: sent.append(scan.kind), lambda: store)

    assert sent == ["gaps"]


def test_features_that_were_built_are_brought_up_to_date_and_no_others_are_built(journal, store):
    for symbol in ("QQQ", "SPY"):
        put(store, random_walk(symbol, date(2024, 5, 1), date(2024, 5, 3)))
    source = store.source_of("SPY")
    for name in ("core", "lags_1h"):
        build.build(store, "SPY", name)
    put(store, random_walk("SPY", date(2024, 5, 6), date(2024, 5, 6)))
    job, _ = journal.queue("ingest", source, "", *SPAN, {"symbols": ["QQQ", "SPY"]})
    journal.claim(job.id, "one")
    journal.finish(job.id, BROUGHT)

    refresh = queue_refresh(journal, job.id, lambda: store)

    assert (refresh.kind, refresh.params) == ("features", {"symbols": ["SPY"]})
    assert queue_refresh(journal, job.id, lambda: store) is None  # one waits
    assert features.run(store, journal, refresh) == {"builds": 2, "rebuilt": 2, "left": {}}
    for name in ("core", "lags_1h"):
        assert store.features("SPY", name)["session_date"].max() == date(2024, 5, 6)


def test_no_build_follows_where_none_was_ever_made(journal, store):
    assert queue_refresh(journal, ended(journal, BROUGHT).id, lambda: store) is None


def test_every_night_all_that_was_ever_built_is_brought_up_to_date(journal, store):
    for symbol in ("QQQ", "SPY"):
        put(store, random_walk(symbol, date(2024, 5, 1), date(2024, 5, 3)))
        build.build(store, symbol, "lags")
        put(store, random_walk(symbol, date(2024, 5, 6), date(2024, 5, 6)))  # by no ingest
    user_sets.define(store, user_sets.from_facts("mine", {"features": ["close_lag_1"]}))
    build.build(store, "SPY", "mine")
    user_sets.drop(store, "mine")
    job, _ = journal.queue("features", "", "")

    done = features.run(store, journal, job)

    assert (done["builds"], done["rebuilt"]) == (3, 2)
    assert list(done["left"]) == ["SPY mine"]  # its definition is gone, what was built stays
    for symbol in ("QQQ", "SPY"):
        assert store.features(symbol, "lags")["session_date"].max() == date(2024, 5, 6)
