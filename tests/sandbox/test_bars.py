"""What a request for bars promises, seen over plain HTTP."""

import base64

import pytest

DAY = {"start": "2024-10-15T04:00:00-04:00", "end": "2024-10-15T20:00:00-04:00"}


def test_a_bar_has_all_fields_of_the_protocol(client):
    bar = client.bars("SPY", **DAY)[0]

    assert set(bar) == {"t", "o", "h", "l", "c", "v", "n", "vw"}
    assert bar["t"] == "2024-10-15T08:00:00Z"
    assert isinstance(bar["v"], int)
    assert isinstance(bar["n"], int)
    assert all(isinstance(bar[name], float) for name in ("o", "h", "l", "c", "vw"))


def test_both_ends_of_a_range_are_inside(client):
    bars = client.bars("SPY", "2024-10-15T13:30:00Z", "2024-10-15T13:32:00Z")

    assert [bar["t"][11:16] for bar in bars] == ["13:30", "13:31", "13:32"]


def test_nanoseconds_count(client):
    bars = client.bars("SPY", "2024-10-15T13:30:00.000000001Z", "2024-10-15T13:31:59.999999999Z")

    assert [bar["t"][11:16] for bar in bars] == ["13:31"]


@pytest.mark.parametrize(
    "start", ["2024-10-15T09:30:00-04:00", "2024-10-15T19:00:00+05:30", "2024-10-15t13:30:00.0z"]
)
def test_any_offset_means_the_same_instant(client, start):
    bars = client.bars("SPY", start, "2024-10-15T13:30:00Z")

    assert [bar["t"] for bar in bars] == ["2024-10-15T13:30:00Z"]


def test_a_bare_date_is_a_whole_day_of_new_york(client):
    assert client.bars("SPY", "2024-10-15", "2024-10-15") == client.bars("SPY", **DAY)


def test_without_a_range_today_so_far_is_served(client):
    bars = client.page(symbols="SPY", limit=10_000)["bars"]["SPY"]

    assert bars[0]["t"] == "2024-12-03T09:00:00Z"
    assert bars[-1]["t"] == "2024-12-03T14:59:00Z"


def test_a_bar_is_served_once_its_minute_is_over(client):
    future = client.bars("SPY", "2024-12-03T14:59:00Z", "2025-06-01T00:00:00Z")

    assert [bar["t"] for bar in future] == ["2024-12-03T14:59:00Z"]
    assert client.bars("SPY", "2024-12-03T15:00:00Z", "2024-12-31T00:00:00Z") == []


def test_bars_come_by_symbol_and_then_by_time(client):
    page = client.page(symbols="SPY,AAPL,AAPL", **DAY, limit=10_000)

    assert list(page["bars"]) == ["AAPL", "SPY"]
    for bars in page["bars"].values():
        times = [bar["t"] for bar in bars]
        assert times == sorted(set(times))


def test_desc_gives_the_latest_bar_first(client):
    rising = client.bars("THIN", "2024-10-14", "2024-10-16")
    falling = client.bars("THIN", "2024-10-14", "2024-10-16", sort="desc")

    assert falling == rising[::-1]
    assert len(rising) > 100


def test_a_page_has_1000_bars_unless_told(client):
    page = client.page(symbols="SPY", start="2024-10-14", end="2024-10-18")

    assert len(page["bars"]["SPY"]) == 1000


def test_the_token_is_the_last_bar_in_base64_as_alpaca_writes_it(client):
    page = client.page(symbols="AAPL,SPY", start="2024-10-15T13:30:00Z", end="2024-10-15", limit=3)

    token = base64.b64decode(page["next_page_token"])
    assert token == b"AAPL|M|2024-10-15T13:32:00.000000000Z"


def test_one_symbol_has_a_form_of_its_own(client):
    many = client.page(symbols="SPY", **DAY, limit=5)
    one = client.page("/v2/stocks/SPY/bars", **DAY, limit=5)

    assert one == {
        "symbol": "SPY",
        "bars": many["bars"]["SPY"],
        "next_page_token": many["next_page_token"],
    }


def test_unknown_symbols_are_absent_and_no_error(client):
    assert list(client.page(symbols="SPY,NOPE", **DAY)["bars"]) == ["SPY"]
    assert client.page(symbols="NOPE", **DAY) == {"bars": {}, "next_page_token": None}
    nothing = client.page("/v2/stocks/NOPE/bars", **DAY)
    assert nothing == {"symbol": "NOPE", "bars": None, "next_page_token": None}


def test_the_currency_is_named_when_asked_for(client):
    assert client.page(symbols="SPY", **DAY, currency="USD", asof="2024-10-15")["currency"] == "USD"


def test_the_latest_bar_is_the_newest_of_each_symbol(client):
    latest = client.get("/v2/stocks/bars/latest", symbols="SPY,THIN,NOPE").json()["bars"]

    assert set(latest) == {"SPY", "THIN"}
    assert latest["SPY"]["t"] == "2024-12-03T14:59:00Z"
    one = client.get("/v2/stocks/SPY/bars/latest").json()
    assert one == {"symbol": "SPY", "bar": latest["SPY"]}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"symbols": ""}, "symbols is required"),
        ({"symbols": "SPY,"}, "invalid symbol"),
        ({"symbols": "spy"}, "invalid symbol: spy"),
        ({"symbols": "../x"}, "invalid symbol"),
        ({"timeframe": ""}, "timeframe is required"),
        ({"timeframe": "60Min"}, "invalid timeframe: 60Min"),
        ({"timeframe": "2Day"}, "invalid timeframe"),
        ({"timeframe": "5Month"}, "invalid timeframe"),
        ({"limit": "0"}, "invalid limit"),
        ({"limit": "10001"}, "invalid limit"),
        ({"limit": "many"}, "invalid limit"),
        ({"start": "yesterday"}, "invalid start"),
        ({"start": "2024-02-30"}, "invalid start"),
        ({"start": "2024-10-15T25:00:00Z"}, "invalid start"),
        ({"start": "2024-10-15 09:30:00"}, "invalid start"),
        ({"end": "2024-10-15T09:30:00 00:00"}, "%2B"),
        ({"end": "2024-10-14"}, "end should not be before start"),
        ({"feed": "delayed_sip"}, "invalid feed"),
        ({"adjustment": "none"}, "invalid adjustment"),
        ({"sort": "up"}, "invalid sort"),
        ({"currency": "EUR"}, "invalid currency"),
        ({"asof": "today"}, "invalid asof"),
        ({"page_token": "%%%"}, "invalid page_token"),
        ({"page_token": "QUFQTA=="}, "invalid page_token"),
    ],
)
def test_a_malformed_parameter_is_a_400_that_names_it(client, wrong, says):
    right = {"symbols": "SPY", "timeframe": "1Min", "start": "2024-10-15", "end": "2024-10-15"}
    reply = client.get("/v2/stocks/bars", **(right | wrong))

    assert reply.status_code == 400
    assert says in reply.json()["message"]


def test_an_unknown_path_is_a_404_in_json(client):
    reply = client.get("/v2/nothing")

    assert reply.status_code == 404
    assert reply.json() == {"message": "not found"}
