"""What keys, the rate limit and the free plan promise."""

import time

import pytest
import requests

BARS = {"symbols": "SPY", "timeframe": "1Min", "start": "2024-10-15", "limit": 1}
QUOTA = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


def ask(url, headers=None, auth=None):
    return requests.get(f"{url}/v2/stocks/bars", BARS, headers=headers, auth=auth, timeout=30)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"APCA-API-KEY-ID": "key"},
        {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": ""},
        {"Authorization": "Basic !!"},
        {"Authorization": "Bearer "},
    ],
)
def test_without_credentials_nothing_is_served(sandbox_url, headers):
    reply = ask(sandbox_url, headers)

    assert reply.status_code == 401
    assert reply.json() == {"message": "forbidden."}
    assert not QUOTA & set(reply.headers)


def test_any_credentials_do_unless_a_pair_is_configured(sandbox_url):
    pair = {"APCA-API-KEY-ID": "any", "APCA-API-SECRET-KEY": "thing"}

    assert ask(sandbox_url, pair).status_code == 200
    assert ask(sandbox_url, auth=("any", "thing")).status_code == 200
    assert ask(sandbox_url, {"Authorization": "Bearer token"}).status_code == 200


def test_a_configured_pair_is_the_only_one(open_sandbox):
    url = open_sandbox(key="PK1", secret="s3").url

    assert ask(url, {"APCA-API-KEY-ID": "PK1", "APCA-API-SECRET-KEY": "s3"}).status_code == 200
    assert ask(url, auth=("PK1", "s3")).status_code == 200
    assert ask(url, {"Authorization": "Bearer s3"}).status_code == 200
    for wrong in (("PK1", "s4"), ("PK2", "s3"), ("ключ", "s3")):
        reply = ask(url, auth=tuple(word.encode() for word in wrong))
        assert reply.status_code == 403
        assert reply.json()["code"] == 40110000


def test_every_answer_tells_what_is_left_of_the_minute(client):
    first = client.get("/v2/stocks/bars", **BARS)
    wrong = client.get("/v2/stocks/bars", **(BARS | {"limit": 0}))

    assert first.headers["X-RateLimit-Limit"] == "10000"
    assert wrong.status_code == 400
    left = [int(reply.headers["X-RateLimit-Remaining"]) for reply in (first, wrong)]
    assert left[1] in {left[0] - 1, 9999}  # a minute may have begun between
    reset = int(first.headers["X-RateLimit-Reset"])
    assert reset % 60 == 0
    assert 0 < reset - time.time() + 5 <= 66


def test_a_used_up_minute_is_a_429_for_that_account_alone(open_sandbox):
    client = open_sandbox(rate_limit=3)
    while time.time() % 60 > 57:  # the requests belong into one minute
        time.sleep(1)
    statuses = [client.get("/v2/stocks/bars", **BARS).status_code for _ in range(4)]
    refused = client.get("/v2/stocks/bars", **BARS)

    assert statuses == [200, 200, 200, 429]
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert "message" in refused.json()
    assert ask(client.url, auth=("someone", "else")).status_code == 200
    assert client.get("/v2/clock").status_code == 200  # the trading host counts by itself


def test_the_next_minute_is_a_new_quota():
    from sandbox.limits import RateLimit

    now = [90.0]
    limit = RateLimit(2, clock=lambda: now[0])

    assert [limit.take("a").allowed for _ in range(3)] == [True, True, False]
    assert limit.take("a").reset == 120
    now[0] = 119.9
    assert not limit.take("a").allowed
    now[0] = 120.0
    quota = limit.take("a")
    assert (quota.allowed, quota.remaining, quota.reset) == (True, 1, 180)


def test_the_free_plan_refuses_recent_sip(open_sandbox):
    client = open_sandbox(free_plan=True)
    today = {"symbols": "SPY", "timeframe": "1Min", "start": "2024-12-03", "limit": 10_000}

    refused = client.get("/v2/stocks/bars", **today, end="2024-12-03T14:46:00Z", feed="sip")
    assert refused.status_code == 403
    assert refused.json()["message"] == "subscription does not permit querying recent SIP data"
    assert refused.json()["code"] == 42210000
    assert client.get("/v2/stocks/bars/latest", symbols="SPY", feed="sip").status_code == 403

    assert client.page(**today)["bars"]["SPY"][-1]["t"] == "2024-12-03T14:45:00Z"
    assert client.page(**today, feed="iex")["bars"]["SPY"][-1]["t"] == "2024-12-03T14:59:00Z"
    latest = client.get("/v2/stocks/bars/latest", symbols="SPY").json()["bars"]
    assert latest["SPY"]["t"] == "2024-12-03T14:59:00Z"
