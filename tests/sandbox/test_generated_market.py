"""What the generated market promises; calendar facts are the exchange's, not the code's."""

import statistics
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.calendar import nyse
from sandbox.config import SandboxConfig
from sandbox.generator import GeneratedMarket
from sandbox.profiles import DEFAULT_SYMBOLS
from sandbox.times import day_of

REGULAR = [
    # session, open and close in UTC, minutes: half days and both changes of daylight saving
    ("2016-01-04", "14:30", "21:00", 390),
    ("2024-03-08", "14:30", "21:00", 390),
    ("2024-03-11", "13:30", "20:00", 390),
    ("2024-07-03", "13:30", "17:00", 210),
    ("2024-11-01", "13:30", "20:00", 390),
    ("2024-11-04", "14:30", "21:00", 390),
    ("2024-11-29", "14:30", "18:00", 210),
    ("2023-11-24", "14:30", "18:00", 210),
]


@pytest.mark.parametrize(("day", "opens", "closes", "minutes"), REGULAR)
def test_a_liquid_symbol_has_every_regular_minute(client, day, opens, closes, minutes):
    bars = client.bars("SPY", f"{day}T{opens}:00Z", f"{day}T{closes}:00Z")
    regular = [bar for bar in bars if bar["t"] < f"{day}T{closes}:00Z"]

    assert len(regular) == minutes


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        ("2024-10-31", "2024-10-31T08:00:00Z", "2024-10-31T23:59:00Z"),
        ("2024-11-27", "2024-11-27T09:00:00Z", "2024-11-28T00:59:00Z"),
        ("2024-11-29", "2024-11-29T09:00:00Z", "2024-11-29T21:59:00Z"),
    ],
)
def test_extended_hours_run_from_four_to_eight_and_to_five_after_a_half_day(
    client, day, first, last
):
    bars = client.bars("SPY", day, day)

    assert (bars[0]["t"], bars[-1]["t"]) == (first, last)


@pytest.mark.parametrize(
    "day",
    ["2024-11-28", "2024-11-30", "2024-06-19", "2018-12-05", "2016-01-01", "2015-06-01"],
)
def test_holidays_weekends_and_the_time_before_2016_have_no_bars(client, day):
    assert client.bars("SPY", day, day) == []


def test_the_same_seed_gives_the_same_bytes_in_another_process_order_and_range(
    client, open_sandbox
):
    path = "/v2/stocks/bars"
    month = {"symbols": "QQQ,THIN", "timeframe": "1Min", "limit": 10_000, "feed": "iex"}
    asked_first = client.get(path, **month, start="2021-03-01", end="2021-03-05").text

    other = open_sandbox(symbols=("THIN", "QQQ"), now=datetime(2022, 1, 3, tzinfo=UTC))
    for day in ("2021-03-04", "2021-12-01", "2016-01-04"):
        other.get(path, **month, start=day, end=day)
    assert other.get(path, **month, start="2021-03-01", end="2021-03-05").text == asked_first


def test_another_seed_is_another_market(client, open_sandbox):
    other = open_sandbox(seed=2)
    minute = ("SPY", "2024-10-15T14:00:00Z", "2024-10-15T14:00:00Z")

    assert other.bars(*minute) != client.bars(*minute)


@given(
    symbol=st.sampled_from(DEFAULT_SYMBOLS),
    day=st.dates(date(2023, 6, 1), date(2026, 6, 1)),
    feed=st.sampled_from(["sip", "iex"]),
    seed=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_every_bar_is_possible(symbol, day, feed, seed):
    market = GeneratedMarket(seed)
    if day_of(day) not in market.days(symbol):
        return
    bars = market.minutes(symbol, feed, day_of(day))

    assert (np.diff(bars.time) >= 60).all()
    assert (bars.low > 0).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert ((bars.vwap >= bars.low - 1e-6) & (bars.vwap <= bars.high + 1e-6)).all()
    assert (bars.count >= 1).all()
    assert (bars.volume >= bars.count).all()
    cents = np.column_stack([bars.open, bars.high, bars.low, bars.close]) * 100
    assert np.allclose(cents, np.rint(cents), atol=1e-6)


@given(
    symbol=st.sampled_from(DEFAULT_SYMBOLS),
    day=st.dates(date(2023, 6, 1), date(2026, 6, 1)),
    feed=st.sampled_from(["sip", "iex"]),
    seed=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_every_day_is_possible_the_same_again_and_holds_its_regular_minutes(
    symbol, day, feed, seed
):
    market, number = GeneratedMarket(seed), day_of(day)
    if number not in market.daily_days(symbol):
        return
    found, minutes = market.daily(symbol, feed, number), market.minutes(symbol, feed, number)
    if not len(found):
        return
    row = nyse().index(number)
    regular = minutes.between(nyse().open[row], nyse().close[row] - 1)
    (values,) = zip(*(column.tolist() for column in found.columns()), strict=True)
    opening, o, h, l, c, volume, count, vwap = values  # noqa: E741 - the protocol's letters
    local = datetime.fromtimestamp(opening, ZoneInfo("America/New_York"))

    assert (local.date(), local.hour, local.minute) == (day, 0, 0)
    assert 0 < l <= min(o, c, regular.low.min()) <= max(o, c, regular.high.max()) <= h
    assert min(o, c) > 0.99 * regular.low.min()
    assert max(o, c) < 1.01 * regular.high.max()
    assert volume > minutes.volume.sum()
    assert count > minutes.count.sum()
    assert l <= vwap + 1e-6
    assert [
        column.tolist() for column in GeneratedMarket(seed).daily(symbol, feed, number).columns()
    ] == [[value] for value in values]


def test_the_factor_of_the_market_is_shared(client):
    closes = {
        symbol: [
            bar["c"] for bar in client.bars(symbol, "2024-03-01", "2024-11-29", timeframe="1D")
        ]
        for symbol in ("SPY", "QQQ")
    }
    returns = {symbol: np.diff(np.log(values)) for symbol, values in closes.items()}

    assert np.corrcoef(returns["SPY"], returns["QQQ"])[0, 1] > 0.7
    assert 0.004 < np.std(returns["SPY"]) < 0.03


def test_prices_stay_plausible_over_ten_years(client):
    days = client.bars("AAPL", "2016-01-04", "2024-11-29", timeframe="1D")
    moves = np.abs(np.diff(np.log([day["c"] for day in days])))

    assert len(days) == 2243  # sessions of the NYSE
    assert all(1 < day["l"] <= day["h"] < 10_000 for day in days)
    assert moves.max() < 0.25


def test_volume_is_high_at_both_ends_of_the_regular_session(client):
    volumes = [
        [bar["v"] for bar in client.bars("SPY", f"{day}T13:30:00Z", f"{day}T19:59:00Z")]
        for day in ("2024-10-14", "2024-10-15", "2024-10-16", "2024-10-17", "2024-10-18")
    ]
    usual = [statistics.mean(minute) for minute in zip(*volumes, strict=True)]

    middle = statistics.mean(usual[150:240])
    assert statistics.mean(usual[:15]) > 1.5 * middle
    assert statistics.mean(usual[-10:]) > 1.5 * middle


def test_iex_has_a_fiftieth_of_the_volume_and_fewer_minutes_inside_the_same_prices(client):
    days = ("2024-10-14", "2024-10-18")
    sip = {bar["t"]: bar for bar in client.bars("IBM", *days, feed="sip")}
    iex = client.bars("IBM", *days, feed="iex")

    assert len(iex) < 0.7 * len(sip)
    ratio = sum(bar["v"] for bar in sip.values()) / sum(bar["v"] for bar in iex)
    assert 40 < ratio < 60
    for bar in iex:
        whole = sip[bar["t"]]
        assert whole["l"] <= bar["l"] <= bar["h"] <= whole["h"]
        assert bar["n"] <= whole["n"]


def test_other_feeds_are_empty(client):
    assert client.bars("SPY", "2024-10-15", "2024-10-15", feed="otc") == []


def test_a_thin_symbol_misses_most_minutes(client):
    regular = client.bars("THIN", "2024-10-15T13:30:00Z", "2024-10-15T19:59:00Z")

    assert 60 < len(regular) < 250


def test_a_symbol_can_list_late(client):
    bars = client.page(symbols="LATE", start="2016-01-04", end="2024-01-01", timeframe="1D")

    assert bars["bars"]["LATE"][0]["t"] == "2023-06-01T04:00:00Z"


def test_a_symbol_without_a_profile_is_invented(open_sandbox):
    other = open_sandbox(symbols=("ZZZ", "BRK.B"))

    assert len(other.bars("BRK.B", "2024-10-15", "2024-10-15")) > 390
    assert other.bars("SPY", "2024-10-15", "2024-10-15") == []


def test_the_real_clock_serves_bars_up_to_now(open_sandbox):
    latest = open_sandbox(now=None).get("/v2/stocks/bars/latest", symbols="SPY").json()["bars"]

    age = datetime.now(UTC) - datetime.fromisoformat(latest["SPY"]["t"])
    assert timedelta(minutes=1) <= age < timedelta(days=6)


def test_a_config_explains_what_it_refuses():
    from sandbox.errors import ConfigError

    with pytest.raises(ConfigError, match="time zone"):
        SandboxConfig(now=datetime(2024, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(ConfigError, match="not a ticker"):
        SandboxConfig(symbols=("spy",))
    with pytest.raises(ConfigError, match="together"):
        SandboxConfig(key="only")
