"""What the live agent promises, against a real stream that plays a session faster than it was."""

import pytest

from lake.journal import alerts
from tests.agents.living import SOURCE, Play, valkey, wait_for


@pytest.fixture(scope="module")
def broker_url():
    with valkey() as url:
        yield url


@pytest.fixture
def play(store, tmp_path, monkeypatch, broker_url):
    with Play(store.home, monkeypatch, broker_url) as begun:
        yield begun


def test_a_session_is_in_the_lake_as_the_provider_has_it(play):
    play.begin()
    with play.listening():
        wait_for(lambda: play.is_in("streaming"))
        play.converges(6)
        shown = play.agent()

    assert shown.kind == "live"
    assert shown.detail["symbols"] == 2
    assert shown.detail["bars"] > 0
    assert play.agent().state == "stopped"


def test_drops_duplicates_disorder_and_skips_lose_nothing_and_double_nothing(play):
    rates = {"stream_drop": 0.2, "stream_skip": 0.3, "stream_duplicate": 0.3}
    play.begin()
    play.control.set_faults({**rates, "stream_disorder": 0.3}, seed=5)
    with play.listening():
        play.converges(12)
        assert play.control.faults()["happened"].keys() >= {"stream_drop", "stream_skip"}


def test_a_mute_connection_is_noticed_and_replaced(play):
    play.begin()
    with play.listening():
        wait_for(lambda: play.is_in("streaming"))
        play.control.set_faults({"stream_mute": {"count": 1, "seconds": 1_000_000}})
        wait_for(lambda: play.control.faults()["happened"].get("stream_mute"))
        wait_for(lambda: play.control.streams()["attempts"] >= 2)
        play.converges(4)


def test_wrong_keys_end_in_an_error_that_everybody_sees(play):
    play.begin(key="another-key", secret="another-secret")
    with play.listening(BARLAKE_WATCH_HOURS="always"):
        shown = wait_for(lambda: play.is_in("error"))
        (raised,) = wait_for(lambda: alerts.read(play.journal, kind="live"))

    assert "402: auth failed" in shown.detail["problem"]
    assert "ALPACA_API_KEY_ID" in raised.message
    assert raised.subject == SOURCE


@pytest.mark.parametrize("way", ["too many symbols", "by setting"])
def test_where_there_is_no_stream_rest_brings_the_same(play, way):
    play.begin(stream_symbols=1)
    by = "stream" if way == "too many symbols" else "rest"
    with play.listening(BARLAKE_WATCH_BY=by):
        shown = wait_for(lambda: play.is_in("polling"))
        assert ("405" in shown.detail.get("problem", "")) == (by == "stream")
        play.converges(6)
