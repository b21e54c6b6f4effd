"""What bars longer than a minute promise: they are the minutes rolled up, as polars does it."""

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


def test_a_day_has_regular_prices_and_the_volume_of_all_hours(client):
    (day,) = client.bars("SPY", "2024-11-27", "2024-11-27", timeframe="1Day")
    minutes = client.bars("SPY", "2024-11-27", "2024-11-27")
    regular = client.bars("SPY", "2024-11-27T14:30:00Z", "2024-11-27T20:59:00Z")

    assert day["t"] == "2024-11-27T05:00:00Z"
    assert (day["o"], day["c"]) == (regular[0]["o"], regular[-1]["c"])
    assert day["h"] == max(bar["h"] for bar in regular)
    assert day["l"] == min(bar["l"] for bar in regular)
    assert day["v"] == sum(bar["v"] for bar in minutes) > sum(bar["v"] for bar in regular)


def test_a_daily_bar_opens_at_midnight_in_new_york(client):
    days = client.bars("SPY", "2024-10-31", "2024-11-05", timeframe="1D")

    assert [bar["t"] for bar in days] == [
        "2024-10-31T04:00:00Z",
        "2024-11-01T04:00:00Z",
        "2024-11-04T05:00:00Z",  # after the end of daylight saving on the 3rd
        "2024-11-05T05:00:00Z",
    ]


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
