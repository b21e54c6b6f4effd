"""What the sandbox's own routes promise: clock, faults, truth, log."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from sandbox.control import Control, ControlError
from tests.sandbox.streams import listening, plain, wait_for

OPEN = datetime(2024, 11, 4, 14, 30, tzinfo=UTC)
STANDING = {"now": OPEN}


def minute(number):
    return OPEN + timedelta(minutes=number)


def test_the_clock_is_read_and_set_and_rules_what_there_is(open_sandbox):
    client = open_sandbox(**STANDING)
    control = Control(client.url)

    assert control.now() == OPEN.timestamp()
    assert client.bars("SPY", minute(0).isoformat(), minute(9).isoformat()) == []
    control.set_clock(advance=600)
    assert len(client.bars("SPY", minute(0).isoformat(), minute(9).isoformat())) == 10
    assert client.get("/v2/clock").json()["timestamp"] == "2024-11-04T09:40:00-05:00"
    control.set_clock(now=OPEN)
    assert client.bars("SPY", minute(0).isoformat(), minute(9).isoformat()) == []


def test_a_clock_runs_at_its_speed(open_sandbox):
    client = open_sandbox(now=None, begin=OPEN, speed=3600.0)
    control = Control(client.url)
    wait_for(lambda: control.now() > OPEN.timestamp() + 1800, "half an hour")

    assert control.set_clock(speed=0) == control.now()


def test_the_free_plans_quarter_of_an_hour_follows_the_clock(open_sandbox):
    client = open_sandbox(**STANDING, free_plan=True)
    asked = {"symbols": "SPY", "start": OPEN.isoformat(), "end": minute(5).isoformat()}

    assert client.get("/v2/stocks/bars", timeframe="1Min", **asked).status_code == 403
    Control(client.url).set_clock(advance=20 * 60)
    assert client.get("/v2/stocks/bars", timeframe="1Min", **asked).status_code == 200


def test_rest_gives_the_first_value_and_after_half_a_minute_the_stream_and_rest_the_new_one(
    open_sandbox,
):
    client = open_sandbox(now=minute(1), late_trades=1.0)
    control = Control(client.url)
    asked = ("SPY", minute(0).isoformat(), minute(0).isoformat())
    with listening(
        client.url, feed="sip", bars=["SPY"], updated=["SPY"], daily=["SPY"]
    ) as listener:
        control.set_clock(advance=2)
        (sent,) = wait_for(lambda: listener.kinds("b"), "the bar")
        (first,) = client.bars(*asked)
        control.set_clock(advance=28)
        (updated,) = wait_for(lambda: listener.kinds("u"), "the update")
        (second,) = client.bars(*asked)

    assert sent["n"] == first["n"] == second["n"] - 1
    assert [updated[name] for name in "ohlcvn"] == [second[name] for name in "ohlcvn"]
    (day,) = listener.kinds("d")
    assert (day["o"], day["c"]) == (first["o"], first["c"])


def test_truth_is_what_rest_gives_as_of_then_and_now(open_sandbox):
    client = open_sandbox(now=minute(30), late_trades=0.5)
    control = Control(client.url)
    before = client.bars("SPY", minute(0).isoformat(), minute(29).isoformat())
    then = control.now()
    control.set_clock(advance=3600)
    after = client.bars("SPY", minute(0).isoformat(), minute(29).isoformat())

    whole = {"start": minute(0), "end": minute(29)}
    assert control.truth("SPY", **whole)["bars"] == after
    assert control.truth("SPY", **whole, as_of=then)["bars"] == before
    assert control.truth("SPY", **whole, as_of=minute(10))["bars"][:9] == after[:9]
    assert len(control.truth("SPY", **whole, as_of=minute(10))["bars"]) == 10
    assert control.truth("NOPE")["bars"] == []


def test_the_log_has_every_request_and_says_which_came_too_early(open_sandbox):
    client = open_sandbox(rate_limit=2, rate_window=86_400)
    control = Control(client.url)
    one = {"symbols": "SPY", "timeframe": "1Min", "start": "2024-10-15", "limit": 1}
    statuses = [client.get("/v2/stocks/bars", **one).status_code for _ in range(2)]
    at_once = client.get("/v2/stocks/bars", **one)

    def early():
        client.get("/v2/stocks/bars", **one)
        return control.requests()[-1]["early"]

    wait_for(early, "a request half a second after nothing was left")

    assert statuses == [200, 200]
    assert at_once.status_code == 429
    log = control.requests()
    assert [one["number"] for one in log] == list(range(1, len(log) + 1))
    assert [one["over"] for one in log[:3]] == [False, False, True]
    assert not any(one["early"] for one in log[:2])
    assert (log[0]["path"], log[0]["query"]["symbols"]) == ("/v2/stocks/bars", "SPY")
    assert log[0]["bytes"] > 50
    assert control.requests(after=2) == log[2:]


def test_the_routes_need_no_key_and_are_never_limited_or_spoilt(open_sandbox):
    client = open_sandbox(key="k", secret="s", rate_limit=1, faults='{"http_500": 1}')

    for route in ("clock", "faults", "truth?symbol=SPY", "requests", "streams"):
        assert requests.get(f"{client.url}/sandbox/{route}", timeout=30).status_code == 200
    assert Control(client.url).requests() == []


def test_who_listens_to_what_is_told(open_sandbox):
    client = open_sandbox()
    with plain(client.url, authenticated=True) as listener:
        listener.ask(action="subscribe", bars=["SPY"])
        (told,) = Control(client.url).streams()["connections"]

    assert (told["feed"], told["account"], told["channels"]["bars"]) == ("iex", "key", ["SPY"])


@pytest.mark.parametrize(
    "order",
    [
        lambda c: c._ask("PUT", "clock", content={"time": 1}),
        lambda c: c._ask("PUT", "clock", content={"now": "noon"}),
        lambda c: c._ask("PUT", "clock", content={"speed": -1}),
        lambda c: c._ask("PUT", "clock"),
        lambda c: c.set_faults({"gremlins": 1}),
        lambda c: c.set_faults({"http_500": 2}),
        lambda c: c.set_faults({"http_500": {"rat": 1}}),
        lambda c: c._ask("GET", "truth"),
        lambda c: c._ask("GET", "requests", after="x"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(sandbox_url, order):
    with pytest.raises(ControlError) as refused:
        order(Control(sandbox_url))

    assert refused.value.status == 400
