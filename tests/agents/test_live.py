"""What the live agent promises, against a real stream that plays a session faster than it was."""

from datetime import timedelta

import pytest

import lake
from agents import backfill
from agents.sources import open_source
from lake import lists
from lake.halts import halts_of
from lake.journal import alerts, switches
from lake.settings import load_settings
from tests.agents.living import BEGIN, MINUTE, SOURCE, Play, valkey, wait_for


@pytest.fixture(scope="module")
def broker_url():
    with valkey() as url:
        yield url


@pytest.fixture
def play(store, tmp_path, monkeypatch, broker_url):
    with Play(store.home, monkeypatch, broker_url) as begun:
        yield begun


def test_a_session_is_in_the_lake_as_the_provider_has_it_and_a_user_may_pause_it(play):
    play.begin()
    with play.listening():
        wait_for(lambda: play.is_in("streaming"))
        play.converges(2)
        switches.turn(play.journal, "live", "paused")
        wait_for(lambda: play.is_in("paused"))
        wait_for(lambda: not play.control.streams()["connections"])
        switches.turn(play.journal, "live", "running")
        shown = wait_for(lambda: play.is_in("streaming"))
        play.converges(1)

    assert (shown.kind, shown.detail["symbols"], shown.detail["connects"]) == ("live", 2, 2)
    assert shown.detail["bars"] > 0
    assert play.agent().state == "stopped"


def test_what_the_stream_does_and_history_beside_it_lose_nothing_and_double_nothing(play):
    rates = {"stream_drop": 0.2, "stream_skip": 0.3, "stream_duplicate": 0.3}
    play.begin()
    play.control.set_faults({**rates, "stream_disorder": 0.3}, seed=5)
    day = BEGIN.date()
    with play.listening(), lake.open(play.home) as other:
        source = open_source(load_settings())
        until = (play.now() + 10 * MINUTE).replace(second=0)

        def is_enough():
            backfill.run(other, source, ["AAPL", "SPY"], (day, day), now=play.now(), again=True)
            happened = play.control.faults()["happened"].keys()
            return play.now() > until and happened >= {"stream_drop", "stream_skip"}

        wait_for(is_enough)
        play.converges(1)
    assert set(play.lake.revisions("SPY", source=SOURCE)["kind"]) <= {"corrected"}


def test_a_mute_connection_is_noticed_and_replaced(play):
    play.begin()
    with play.listening():
        wait_for(lambda: play.is_in("streaming"))
        play.control.set_faults({"stream_mute": {"count": 1, "seconds": 1_000_000}})
        wait_for(lambda: play.control.faults()["happened"].get("stream_mute"))
        wait_for(lambda: play.control.streams()["attempts"] >= 2)
        play.converges(2)


def test_wrong_keys_end_in_an_error_that_everybody_sees(play):
    play.begin(key="another-key", secret="another-secret")
    with play.listening(BARLAKE_WATCH_HOURS="always"):
        shown = wait_for(lambda: play.is_in("error"))
        (raised,) = wait_for(lambda: alerts.read(play.journal, kind="live"))

    assert "402: auth failed" in shown.detail["problem"]
    assert "ALPACA_API_KEY_ID" in raised.message
    assert raised.subject == SOURCE


def test_a_feed_that_the_plan_does_not_have_is_told_and_not_tried_over_and_over(play):
    play.begin(speed=0, free_plan=True)
    with play.listening(ALPACA_FEED="sip"):
        shown = wait_for(lambda: play.is_in("polling"))
        (raised,) = wait_for(lambda: alerts.read(play.journal, kind="live"))
        wait_for(lambda: play.lake.symbols().filter(source="sandbox:sip").height == 2)
        held = play.lake.bars("SPY", BEGIN - timedelta(hours=1), source="sandbox:sip")
        assert held["timestamp"].max() == BEGIN - 17 * MINUTE  # final, and old enough for the plan
        assert play.control.streams()["attempts"] == 1

    assert "409" in shown.detail["problem"]
    assert "ALPACA_FEED=iex" in raised.message


def test_who_comes_onto_a_list_is_listened_to(play, monkeypatch):
    monkeypatch.setattr("agents.live.watched._LOOK_EVERY", 0.5)
    lists.set_list(play.lake, "mine", ["SPY"], BEGIN.date())
    play.begin()
    with play.listening(BARLAKE_WATCH="list:mine"):
        shown = wait_for(lambda: play.is_in("streaming"))
        assert shown.detail["symbols"] == 1
        lists.set_list(play.lake, "mine", ["AAPL", "SPY"], BEGIN.date())
        wait_for(lambda: play.agent().detail["symbols"] == 2)
        wait_for(lambda: play.is_in("streaming"))
        play.converges(1)


@pytest.mark.parametrize("way", ["too many symbols", "by setting"])
def test_where_there_is_no_stream_rest_brings_the_same(play, way):
    play.begin(stream_symbols=1)
    by = "stream" if way == "too many symbols" else "rest"
    with play.listening(BARLAKE_WATCH_BY=by):
        shown = wait_for(lambda: play.is_in("polling"))
        assert ("405" in shown.detail.get("problem", "")) == (by == "stream")
        wait_for(lambda: bool(alerts.read(play.journal, kind="live")) == (by == "stream"))
        play.converges(2)


def test_an_update_goes_over_the_bar_and_a_halt_is_kept_with_its_end(play):
    play.begin(speed=0, late_trades=1.0)
    begun, over = BEGIN + 3 * MINUTE, BEGIN + 5 * MINUTE
    halt = {"symbols": ["AAPL"], "start": begun.isoformat(), "end": begun.isoformat()}
    with play.listening():
        wait_for(lambda: play.is_in("streaming"))
        play.control.set_faults({"halt": halt})
        play.control.set_clock(now=BEGIN + timedelta(seconds=62))
        wait_for(lambda: play.is_true(BEGIN))
        first = play.held("SPY", BEGIN)
        play.control.set_clock(now=BEGIN + timedelta(seconds=95))
        wait_for(lambda: play.is_true(BEGIN))
        assert play.held("SPY", BEGIN)["trade_count"][0] == first["trade_count"][0] + 1
        before = play.lake.revisions("SPY", BEGIN, BEGIN, source=SOURCE)
        assert before["volume"].to_list() == first["volume"].to_list()

        play.control.set_clock(now=begun + timedelta(seconds=3))
        wait_for(lambda: halts_of(play.lake, SOURCE, ["AAPL"])["AAPL"] == [(begun, None)])
        play.control.set_clock(now=over + timedelta(seconds=3))
        wait_for(lambda: halts_of(play.lake, SOURCE, ["AAPL"])["AAPL"] == [(begun, begun + MINUTE)])
        assert play.control.streams()["attempts"] == 1  # leaps of the clock are no silence


def test_another_process_takes_over_from_one_that_was_killed(play):
    play.begin()
    play.control.set_faults({"stream_linger": {"seconds": 2}})
    with play.process() as one, play.process() as other:
        first = wait_for(lambda: live(one, other) and one_in(play.journal, "streaming"))
        second = wait_for(lambda: live(one, other) and one_in(play.journal, "waiting"))
        assert {first.pid, second.pid} == {one.pid, other.pid}
        wait_for(lambda: len(play.control.streams()["connections"]) == 1)
        (one if first.pid == one.pid else other).kill()
        wait_for(lambda: (now := one_in(play.journal, "streaming")) and now.pid == second.pid)
        play.converges(1)


def live(*processes):
    for process in processes:
        assert process.poll() is None, process.says.read_text()[-2000:]
    return True


def one_in(journal, state):
    alive = (one for one in journal.agents() if not one.stalled)
    return next((one for one in alive if (one.kind, one.state) == ("live", state)), None)
