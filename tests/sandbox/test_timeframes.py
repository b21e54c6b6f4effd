"""What bars longer than a minute promise: they are the minutes rolled up, as polars does it."""

from datetime import UTC, datetime

import polars as pl
import pytest

HOURS = {"start": "2024-11-29", "end": "2024-12-02"}  # a half day and a whole one


def frame(bars):
    return pl.DataFrame(bars).with_columns(pl.col("t").str.to_datetime(time_zone="UTC"))


@pytest.mark.parametrize(
    ("timeframe", "minutes_each"),
    [("5Min", 5), ("15T", 15), ("59Min", 59), ("1Hour", 60), ("4H", 240), ("23Hour", 1380)],
)
def test_minutes_and_hours_are_the_minutes_rolled_up(client, timeframe, minutes_each):
    minutes = frame(client.bars("IBM", **HOURS)).with_columns(
        pl.col("t").dt.convert_time_zone("America/New_York")
    )
    day, local = pl.col("t").dt.truncate("1d"), pl.col("t")
    number = (local.dt.hour().cast(int) * 60 + local.dt.minute()) // minutes_each
    label = day + pl.duration(minutes=number * minutes_each)
    expected = (
        minutes.group_by(label=label, maintain_order=True)
        .agg(
            o=pl.col("o").first(),
            h=pl.col("h").max(),
            l=pl.col("l").min(),
            c=pl.col("c").last(),
            v=pl.col("v").sum(),
            n=pl.col("n").sum(),
            vw=(pl.col("vw") * pl.col("v")).sum() / pl.col("v").sum(),
        )
        .with_columns(pl.col("label").dt.convert_time_zone("UTC"))
    )
    served = frame(client.bars("IBM", **HOURS, timeframe=timeframe))

    assert served["t"].to_list() == expected["label"].to_list()
    for name in ("o", "h", "l", "c", "v", "n"):
        assert served[name].to_list() == expected[name].to_list()
    assert served["vw"].to_list() == pytest.approx(expected["vw"].to_list())


def test_a_day_is_near_its_regular_minutes_and_no_roll_up_of_them(client):
    dates = [f"2024-11-{day}" for day in (18, 19, 20, 21, 22, 25, 26, 27)]
    auctions = 0
    for day in client.bars("SPY", dates[0], dates[-1], timeframe="1Day"):
        date = day["t"][:10]
        minutes = client.bars("SPY", date, date)
        regular = client.bars("SPY", f"{date}T14:30:00Z", f"{date}T20:59:00Z")
        rolled = (regular[0]["o"], regular[-1]["c"])

        assert day["t"] == f"{date}T05:00:00Z"
        assert (day["o"], day["c"]) == pytest.approx(rolled, rel=0.002)
        assert day["h"] == max(day["o"], day["c"], *(bar["h"] for bar in regular))
        assert day["l"] == min(day["o"], day["c"], *(bar["l"] for bar in regular))
        assert 1 < day["v"] / sum(bar["v"] for bar in minutes) < 1.03  # odd lots, of all hours
        assert 1 < day["n"] / sum(bar["n"] for bar in minutes) < 1.31
        auctions += (day["o"], day["c"]) != rolled

    assert auctions > len(dates) / 2


def test_one_exchange_opens_and_closes_with_its_own_trades(client):
    (day,) = client.bars("SPY", "2024-11-27", "2024-11-27", timeframe="1Day", feed="iex")
    minutes = client.bars("SPY", "2024-11-27", "2024-11-27", feed="iex")
    regular = [bar for bar in minutes if "T14:30" <= bar["t"][10:16] < "T21:00"]

    assert (day["o"], day["c"]) == (regular[0]["o"], regular[-1]["c"])
    assert day["v"] > sum(bar["v"] for bar in minutes)


def test_a_daily_bar_opens_at_midnight_in_new_york(client):
    days = client.bars("SPY", "2024-10-31", "2024-11-05", timeframe="1D")

    assert [bar["t"] for bar in days] == [
        "2024-10-31T04:00:00Z",
        "2024-11-01T04:00:00Z",
        "2024-11-04T05:00:00Z",  # after the end of daylight saving on the 3rd
        "2024-11-05T05:00:00Z",
    ]


def test_a_day_is_the_providers_own_only_after_its_extended_hours(open_sandbox):
    so_far, over = (
        open_sandbox(now=datetime(2024, 11, 29, hour, minute, tzinfo=UTC)).bars(
            "SPY", "2024-11-29", "2024-11-29", timeframe="1Day"
        )
        for hour, minute in ((21, 59), (22, 0))  # a half day: to 17:00
    )
    later = open_sandbox().bars("SPY", "2024-11-29", "2024-11-29", timeframe="1Day")

    assert so_far[0]["v"] < over[0]["v"]
    assert over == later


def test_the_day_that_runs_is_a_bar_so_far(client):
    today = client.bars("SPY", "2024-12-03", "2024-12-03", timeframe="1Day")
    minutes = client.bars("SPY", "2024-12-03", "2024-12-03")

    assert [bar["c"] for bar in today] == [minutes[-1]["c"]]
    assert today[0]["v"] == sum(bar["v"] for bar in minutes)


@pytest.mark.parametrize(
    ("timeframe", "labels"),
    [
        ("1Week", ["2024-11-18", "2024-11-25", "2024-12-02"]),
        ("1Month", ["2024-12-01"]),
        ("3Month", []),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(client, timeframe, labels):
    bars = client.bars("IBM", "2024-11-18", "2024-12-03", timeframe=timeframe)

    assert [bar["t"] for bar in bars] == [f"{label}T05:00:00Z" for label in labels]


def test_a_week_is_its_days(client):
    (week,) = client.bars("IBM", "2024-11-25", "2024-11-29", timeframe="1Week")
    days = client.bars("IBM", "2024-11-25", "2024-11-29", timeframe="1Day")

    assert len(days) == 4  # Thanksgiving
    assert (week["o"], week["c"]) == (days[0]["o"], days[-1]["c"])
    assert week["v"] == sum(day["v"] for day in days)
