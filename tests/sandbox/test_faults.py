"""What each fault does to a request, seen over plain HTTP; and that a good client survives them."""

import json
import time
from datetime import UTC, datetime

import pytest
import requests

from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.serve import running

NOW = datetime(2024, 12, 3, 15, 0, tzinfo=UTC)
ASKED = {
    "symbols": "SPY,THIN",
    "timeframe": "1Min",
    "start": "2024-10-14T08:00:00Z",
    "end": "2024-10-16T00:00:00Z",
    "limit": 500,
}
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
GOOD = {"t", "o", "h", "l", "c", "v", "n", "vw"}


@pytest.fixture(scope="module")
def url():
    with running(SandboxConfig(now=NOW)) as url:
        yield url


@pytest.fixture
def spoil(url):
    """Set a plan, get a way to ask; afterwards nothing is spoilt."""
    control = Control(url)

    def plan(**faults):
        control.set_faults(faults)
        return ask

    def ask(timeout=30, **parameters):
        return requests.get(
            f"{url}/v2/stocks/bars", ASKED | parameters, headers=KEYS, timeout=timeout
        )

    yield plan
    control.set_faults({})


def once(**options):
    return {"rate": 1, "count": 1} | options


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("http_500", 500, "json"),
        ("http_500_html", 500, "html"),
        ("http_502", 502, "html"),
        ("http_503", 503, "html"),
        ("http_503_json", 503, "json"),
        ("http_504", 504, "html"),
        ("reject_keys", 401, "json"),
    ],
)
def test_a_failure_has_its_status_and_form_and_then_all_is_well(spoil, fault, status, kind):
    ask = spoil(**{fault: once()})
    reply = ask()

    assert reply.status_code == status
    assert kind in reply.headers["content-type"]
    assert (kind == "json") == reply.text.startswith("{")
    assert ask().status_code == 200


def test_a_rate_limit_tells_its_reset_and_holds_until_then(spoil, url):
    ask = spoil(rate_limit=once(seconds=3))
    first, second = ask(), ask()

    assert first.status_code == second.status_code == 429
    assert first.headers["X-RateLimit-Remaining"] == "0"
    reset = int(first.headers["X-RateLimit-Reset"])
    while (reply := ask()).status_code == 429:
        assert int(reply.headers["X-RateLimit-Reset"]) == reset
        time.sleep(0.05)
    assert datetime.now(UTC).timestamp() >= reset
    refused = [one for one in Control(url).requests() if one["status"] == 429]
    assert all(one["fault"] == "rate_limit" and not one["over"] for one in refused)


@pytest.mark.parametrize("fault", ["reset", "reset_inside", "cut_body"])
def test_a_connection_that_breaks_is_no_answer(spoil, fault):
    ask = spoil(**{fault: once()})

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask()
    assert ask().status_code == 200


def test_a_stall_and_a_slow_drip_take_their_time(spoil, url):
    ask = spoil(stall=once(seconds=20))
    with pytest.raises(requests.ReadTimeout):
        ask(timeout=0.5)
    ask = spoil(slow_drip=once(seconds=1))

    assert len(ask().json()["bars"]) == 1
    assert Control(url).requests()[-1]["milliseconds"] > 900


@pytest.mark.parametrize("fault", ["cut_json", "empty_body"])
def test_json_that_is_cut_is_a_200(spoil, fault):
    ask = spoil(**{fault: once()})
    reply = ask()

    assert reply.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        reply.json()


def rows(reply):
    return [(symbol, bar["t"]) for symbol, bars in (reply["bars"] or {}).items() for bar in bars]


@pytest.mark.parametrize("fault", ["empty_page", "null_bars"])
def test_an_empty_page_has_a_token_that_leads_on(spoil, fault):
    right = spoil()().json()
    ask = spoil(**{fault: once()})
    empty = ask().json()

    assert empty["bars"] == ({} if fault == "empty_page" else None)
    assert ask(page_token=empty["next_page_token"]).json() == right


def test_a_short_page_goes_on_where_it_ends(spoil):
    right = spoil()().json()
    ask = spoil(short_page=once())
    short = ask().json()
    rest = ask(page_token=short["next_page_token"]).json()

    assert 0 < len(rows(short)) <= 250
    assert (rows(short) + rows(rest))[:500] == rows(right)


def test_a_duplicate_page_is_the_one_before_with_its_token(spoil):
    ask = spoil()
    first = ask().json()
    right = ask(page_token=first["next_page_token"]).json()
    ask = spoil(duplicate_page=once())

    assert ask(page_token=first["next_page_token"]).json() == first
    assert ask(page_token=first["next_page_token"]).json() == right


def test_swapped_pages_come_in_another_order_and_are_the_same(spoil):
    ask = spoil()
    first = ask().json()
    second = ask(page_token=first["next_page_token"]).json()
    ask = spoil(swapped_page=once())
    swapped = ask().json()
    back = ask(page_token=swapped["next_page_token"]).json()

    assert swapped["bars"] == second["bars"]
    assert back["bars"] == first["bars"]
    assert back["next_page_token"] == second["next_page_token"]


def test_rows_are_shuffled_or_doubled(spoil):
    right = rows(spoil()().json())
    shuffled = rows(spoil(shuffled_rows=once())().json())
    doubled = rows(spoil(duplicate_rows=once())().json())

    assert shuffled != right
    assert sorted(shuffled) == sorted(right)
    assert len(doubled) == len(right) + 3
    assert set(doubled) == set(right)


def test_a_token_is_refused_or_missing(spoil):
    token = spoil()().json()["next_page_token"]
    ask = spoil(expired_token=once())
    assert ask().status_code == 200
    assert ask(page_token=token).status_code == 400
    ask = spoil(missing_token=once())
    assert set(ask().json()) == {"bars"}


@pytest.mark.parametrize("fault", ["outside_bar", "future_bar"])
def test_a_row_that_was_not_asked_for_is_added(spoil, fault):
    right = rows(spoil()().json())
    (extra,) = set(rows(spoil(**{fault: once()})().json())) - set(right)

    assert extra[1] == (
        "2024-10-13T08:00:00Z" if fault == "outside_bar" else "2024-12-03T16:00:00Z"
    )


@pytest.mark.parametrize(
    ("rule", "breaks"),
    [
        ("null_price", lambda bar: bar["c"] is None),
        ("text_price", lambda bar: isinstance(bar["o"], str)),
        ("nan_price", lambda bar: bar["c"] != bar["c"]),
        ("missing_count", lambda bar: set(bar) == GOOD - {"n"}),
        ("missing_vwap", lambda bar: set(bar) == GOOD - {"vw"}),
        ("low_above_high", lambda bar: bar["l"] > bar["h"]),
        ("negative_volume", lambda bar: bar["v"] < 0),
        ("zero_price", lambda bar: bar["o"] == bar["h"] == bar["l"] == bar["c"] == 0),
        ("misaligned", lambda bar: bar["t"].endswith(":30Z")),
    ],
)
def test_a_malformed_bar_breaks_its_rule_and_truth_knows(spoil, url, rule, breaks):
    minute = "2024-10-15T14:00:00Z"
    one = {"symbols": "SPY", "start": minute, "end": "2024-10-15T14:01:00Z"}
    good = spoil()(**one).json()["bars"]["SPY"]
    ask = spoil(**{rule: {"rate": 1, "start": minute, "end": minute, "at": "2024-12-04T00:00:00Z"}})
    wrong, fine = json.loads(ask(**one).text)["bars"]["SPY"]
    control = Control(url)
    range_ = {
        "start": datetime.fromisoformat(minute),
        "end": datetime(2024, 10, 15, 14, 1, tzinfo=UTC),
    }
    now = control.truth("SPY", **range_)
    later = control.truth("SPY", **range_, as_of=datetime(2024, 12, 4, tzinfo=UTC))

    assert breaks(wrong)
    assert [fine] == good[1:] == now["bars"]
    assert now["malformed"] == [{"t": minute, "rule": rule, "good_from": "2024-12-04T00:00:00Z"}]
    assert (later["bars"], later["malformed"]) == (good, [])


def test_late_bars_and_corrections_come_with_the_clock(open_sandbox):
    client = open_sandbox(
        faults='{"late_bar": {"rate": 0.3, "delay": 3600}, "late_correction": 0.5}'
    )
    control = Control(client.url)
    day = ("SPY", "2024-12-03T14:00:00Z", "2024-12-03T14:59:00Z")
    first = client.bars(*day)
    control.set_clock(advance=3600)
    second = client.bars(*day)
    control.set_clock(advance=86_400)
    third = client.bars(*day)

    assert len(first) < len(second) == len(third) == 60
    assert [bar["t"] for bar in second] == [bar["t"] for bar in third]
    changed = [old for old, new in zip(second, third, strict=True) if old != new]
    assert 10 < len(changed) < 50
    assert client.bars(*day) == control.truth("SPY", start=_at(day[1]), end=_at(day[2]))["bars"]


def _at(text):
    return datetime.fromisoformat(text)


ALL_REQUEST_FAULTS = {
    "rate_limit": {"rate": 0.03, "count": 2, "seconds": 0.2},
    "stall": {"rate": 0.03, "count": 2, "seconds": 0.3},
    "slow_drip": {"rate": 0.03, "count": 2, "seconds": 0.3},
    **{
        name: {"rate": 0.04, "count": 3}
        for name in (
            "http_500", "http_502", "http_503", "http_504", "reset", "reset_inside", "cut_json",
            "cut_body", "empty_body", "duplicate_page", "swapped_page", "duplicate_rows",
            "shuffled_rows", "short_page", "empty_page", "null_bars", "expired_token",
            "missing_token", "outside_bar", "future_bar",
        )
    },
    "low_above_high": 0.01,
    "null_price": 0.01,
    "late_bar": {"rate": 0.01, "delay": 10**9},
}  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_client_that_repeats_and_checks_ends_with_the_truth(spoil, url, seed):
    control = Control(url)
    ask = spoil()
    control.set_faults(ALL_REQUEST_FAULTS, seed=seed)

    held = fetch(ask)

    for symbol in ("SPY", "THIN"):
        truth = control.truth(symbol, start=_at(ASKED["start"]), end=_at(ASKED["end"]))
        assert held[symbol] == {bar["t"]: bar for bar in truth["bars"]}
    assert sum(control.faults()["happened"].values()) > 10


def fetch(ask):
    """All bars of ``ASKED``, as a careful client gets them: page by page, each as often as needed."""
    held, token, tries = {"SPY": {}, "THIN": {}}, None, 0
    while True:
        tries += 1
        assert tries < 500
        try:
            reply = ask(page_token=token, limit=100)
            if reply.status_code == 429:
                tries -= 1
                time.sleep(0.05)
                continue
            if reply.status_code == 400:
                token = None
                continue
            reply.raise_for_status()
            page = reply.json()
        except (requests.RequestException, ValueError):
            continue
        if "next_page_token" not in page:
            continue
        for symbol, bars in (page["bars"] or {}).items():
            held[symbol] |= {bar["t"]: bar for bar in bars if _is_good(bar)}
        token = page["next_page_token"]
        if token is None:
            return held


def _is_good(bar):
    return (
        bar["c"] is not None and bar["l"] <= bar["h"] and ASKED["start"] <= bar["t"] <= ASKED["end"]
    )
