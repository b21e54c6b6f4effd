"""What goes wrong on the stream when it is told to, and that REST has what was lost."""

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.serve import running
from tests.sandbox.streams import listening, plain, wait_for

#: Two seconds after a minute: the next event is the recomputing of the bar before.
BEGIN = datetime(2024, 11, 4, 14, 31, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def one_url():
    with running(SandboxConfig(now=BEGIN, late_trades=0.0)) as url:
        yield url


@pytest.fixture
def control(one_url):
    control = Control(one_url)
    yield control
    control.set_faults({})
    control.set_clock(now=BEGIN)


class Minutes:
    """Lets minutes pass and tells which bars of SPY came: 1 is that of 14:31."""

    def __init__(self, control, listener):
        self.control, self.listener, self.passed = control, listener, 0

    def wait(self, minutes=1):
        for _ in range(minutes):
            self.control.set_clock(advance=60)
            self.passed += 1

    def came(self, symbol="SPY"):
        bars = [bar for bar in self.listener.kinds("b") if bar["S"] == symbol]
        return [(bar["t"].seconds - int(BEGIN.timestamp()) + 2) // 60 + 1 for bar in bars]


@pytest.fixture
def minutes(control):
    with listening(control.url, feed="sip", bars=["SPY", "AAPL"]) as listener:
        yield Minutes(control, listener)


def once(**options):
    return {"rate": 1, "count": 1} | options


def test_a_drop_loses_the_minute_and_the_client_comes_back(minutes, control):
    control.set_faults({"stream_drop": once()})
    minutes.wait()
    wait_for(lambda: minutes.listener.connects == 2, "a reconnect")
    wait_for(lambda: any(c["channels"]["bars"] for c in control.streams()["connections"]))
    minutes.wait()
    wait_for(minutes.came, "a bar after the reconnect")

    assert minutes.came() == [2]
    lost = control.truth("SPY", start=BEGIN - timedelta(minutes=1), end=BEGIN)["bars"]
    assert [bar["t"] for bar in lost] == ["2024-11-04T14:31:00Z"]


def test_a_mute_connection_stays_and_gets_nothing_for_its_time(minutes, control):
    control.set_faults({"stream_mute": once(seconds=120)})
    minutes.wait(4)
    wait_for(lambda: len(minutes.came()) >= 2, "the bars after the silence")

    assert minutes.came() == [3, 4]
    assert minutes.listener.connects == 1


def test_a_new_connection_is_not_mute(minutes, control):
    control.set_faults({"stream_mute": once(seconds=10**6)})
    minutes.wait(2)
    wait_for(lambda: all(one["muted"] for one in control.streams()["connections"]))
    with plain(control.url, feed="sip", packed=True) as other:
        assert other.auth("another")[0]["T"] == "success"
        other.ask(action="subscribe", bars=["SPY"])
        minutes.wait()
        assert other.receive()[0]["S"] == "SPY"
    assert minutes.came() == []


def test_a_bar_comes_twice_or_not_at_all(minutes, control):
    control.set_faults(
        {"stream_duplicate": once(symbols=["SPY"]), "stream_skip": once(symbols=["AAPL"])}
    )
    minutes.wait(2)
    wait_for(lambda: len(minutes.came("AAPL")) == 1, "the second minute")

    assert minutes.came("SPY") == [1, 1, 2]
    assert minutes.came("AAPL") == [2]


def test_a_fault_of_the_stream_can_be_given_its_time(minutes, control):
    begin = BEGIN + timedelta(minutes=2)
    control.set_faults({"stream_skip": once(start=begin.isoformat())})
    minutes.wait(4)
    wait_for(lambda: len(minutes.came("AAPL") + minutes.came()) == 7, "all bars but one")

    assert sorted([minutes.came("AAPL"), minutes.came("SPY")]) == [[1, 2, 3, 4], [1, 2, 4]]


def test_disorder_is_a_bar_after_the_next_one(minutes, control):
    control.set_faults({"stream_disorder": once(symbols=["SPY"])})
    minutes.wait(3)
    wait_for(lambda: len(minutes.came()) == 3, "three bars")

    assert minutes.came() == [2, 1, 3]


def test_a_late_bar_does_not_stream_and_a_malformed_one_does(minutes, control):
    control.set_faults(
        {
            "late_bar": {"rate": 1, "symbols": ["AAPL"]},
            "low_above_high": {"rate": 1, "symbols": ["SPY"]},
        }
    )
    minutes.wait()
    (bar,) = wait_for(lambda: minutes.listener.kinds("b"), "a bar")

    assert bar["S"] == "SPY"
    assert bar["l"] > bar["h"]


def test_a_connection_that_broke_holds_its_place_for_a_while(control):
    control.set_faults({"stream_drop": once(), "stream_linger": {"seconds": 600}})
    with plain(control.url, authenticated=True) as first:
        first.ask(action="subscribe", bars=["SPY"])
        control.set_clock(advance=60)
        wait_for(lambda: not control.streams()["connections"], "the end of the connection")
        with plain(control.url) as second:
            assert second.auth()[0]["code"] == 406
            assert second.auth("another")[0]["T"] == "success"
        control.set_faults({"stream_linger": {"seconds": 600}})
        with plain(control.url) as third:
            assert third.auth()[0]["code"] == 406
            control.set_faults({})
            assert third.auth()[0]["T"] == "success"


def test_authentications_are_refused_as_often_as_told(control):
    control.set_faults({"stream_refuse": once(), "stream_busy": {"rate": 1, "count": 2}})
    with plain(control.url) as client:
        codes = [client.auth("fresh")[0].get("code") for _ in range(4)]

    assert codes == [402, 406, 406, None]


def test_a_halt_has_no_bars_and_two_statuses(control):
    start, end = BEGIN + timedelta(seconds=58), BEGIN + timedelta(seconds=118)
    control.set_faults(
        {"halt": {"symbols": ["SPY"], "start": start.isoformat(), "end": end.isoformat()}}
    )
    with listening(control.url, feed="sip", bars=["SPY"], statuses=["SPY"]) as listener:
        minutes = Minutes(control, listener)
        minutes.wait(5)
        wait_for(lambda: len(minutes.came()) == 3, "the bars around the halt")

    assert minutes.came() == [1, 4, 5]
    statuses = [(one["sc"], one["t"].to_datetime().minute) for one in listener.kinds("s")]
    assert statuses == [("H", 32), ("T", 34)]
    bars = control.truth("SPY", start=BEGIN, end=BEGIN + timedelta(minutes=4))["bars"]
    assert [bar["t"][14:16] for bar in bars] == ["34", "35"]
