"""What bars of more than a minute promise: anchored at the open, never across two parts of a session."""

import time
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake import TIMEFRAMES, Fetched, sessions
from lake.errors import TimeframeError
from tests.market import OPEN, bar, bars, fetched

MINUTES = {
    "2min": 2,
    "3min": 3,
    "5min": 5,
    "10min": 10,
    "15min": 15,
    "30min": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
}


def by_hand(rows, minutes):
    """The slow, obvious oracle: walk the minutes and group them."""
    calendar = {
        row["session_date"]: row
        for row in sessions.schedule(date(2024, 10, 28), date(2024, 11, 8)).to_dicts()
    }
    width = timedelta(minutes=minutes)

    def place(row):
        at = row["timestamp"]
        day = at.astimezone(sessions.NEW_YORK).date()
        session = calendar.get(day)
        if session is None:
            epoch = datetime(2000, 1, 3, tzinfo=UTC)
            return day, "none", epoch + (at - epoch) // width * width
        if at < session["pre_open"]:
            return day, "before", session["pre_open"] + (at - session["pre_open"]) // width * width
        anchor = session["close"] if at >= session["close"] else session["open"]
        part = (
            "after" if at >= session["close"] else "regular" if at >= session["open"] else "before"
        )
        start = anchor + (at - anchor) // width * width
        return day, part, max(start, session["pre_open"])

    result = []
    for (day, part, start), group in groupby(
        sorted(rows, key=lambda row: row["timestamp"]), key=place
    ):
        found = list(group)
        weighed = [row for row in found if row["vwap"] is not None]
        volume = sum(row["volume"] for row in weighed)
        counts = [row["trade_count"] for row in found if row["trade_count"] is not None]
        result.append(
            {
                "timestamp": start,
                "session_date": day,
                "is_regular": part == "regular",
                "open": found[0]["open"],
                "high": max(row["high"] for row in found),
                "low": min(row["low"] for row in found),
                "close": found[-1]["close"],
                "volume": sum(row["volume"] for row in found),
                "trade_count": sum(counts) if counts else None,
                "vwap": sum(row["vwap"] * row["volume"] for row in weighed) / volume
                if volume
                else None,
            }
        )
    return result


@given(written=bars(most=60), timeframe=st.sampled_from(sorted(MINUTES)))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_walk_over_the_minutes_agrees(store, written, timeframe):
    source = f"sandbox:{time.monotonic_ns()}"
    store.commit_bars(Fetched(source, written))

    rolled = store.bars("SPY", timeframe=timeframe, source=source).to_dicts()

    expected = by_hand(written.to_dicts(), MINUTES[timeframe])
    assert len(rolled) == len(expected)
    for got, want in zip(rolled, expected, strict=True):
        assert {name: got[name] for name in want if name != "vwap"} == {
            k: v for k, v in want.items() if k != "vwap"
        }
        assert (got["vwap"] is None) == (want["vwap"] is None)
        assert got["vwap"] is None or got["vwap"] == pytest.approx(want["vwap"], rel=1e-12)


def test_an_hour_never_mixes_the_close_of_a_half_day_with_what_follows(store):
    close = datetime(2024, 11, 29, 18, 0, tzinfo=UTC)  # 13:00 in New York
    store.commit_bars(
        fetched(
            bar(close - timedelta(minutes=1), 1.0),
            bar(close, 2.0),
            bar(close + timedelta(hours=1), 3.0),
        )
    )

    hours = store.bars("SPY", timeframe="1h")

    assert hours["timestamp"].to_list() == [
        close - timedelta(minutes=30),
        close,
        close + timedelta(hours=1),
    ]
    assert hours["is_regular"].to_list() == [True, False, False]


@pytest.mark.parametrize("timeframe", ["5min", "1h", "1d"])
def test_a_bar_at_the_edge_of_a_range_is_made_of_all_its_minutes(store, timeframe):
    store.commit_bars(fetched(*(bar(minute, 100.0 + minute) for minute in range(0, 390, 3))))
    whole = store.bars("SPY", timeframe=timeframe)

    start, end = OPEN + timedelta(minutes=2), OPEN + timedelta(minutes=64)
    part = store.bars("SPY", start, end, timeframe=timeframe)

    assert part.equals(whole.filter(pl.col("timestamp").is_between(start, end)))


def test_a_bar_whose_first_minute_lies_after_the_end_is_found_with_a_limit_too(store):
    store.commit_bars(fetched(bar(-1), bar(10), bar(400)))
    span = (OPEN, OPEN + timedelta(minutes=1))

    for limit in (None, 1, 5):
        found = store.bars("SPY", *span, timeframe="1h", limit=limit)
        assert found["timestamp"].to_list() == [OPEN]


def test_the_newest_of_nothing_is_nothing(store):
    store.commit_bars(fetched(bar(0)))

    assert store.bars("SPY", "2023-01-03", "2023-01-04", limit=5).is_empty()
    assert store.bars("SPY", end="2023-01-04", timeframe="1d", limit=5).is_empty()


def test_a_day_is_its_regular_hours(store):
    store.commit_bars(fetched(bar(-30, 50.0), bar(0, 100.0), bar(389, 101.0), bar(390, 500.0)))

    day = store.bars("SPY", timeframe="1d").to_dicts()

    assert len(day) == 1
    assert (day[0]["timestamp"], day[0]["open"], day[0]["high"], day[0]["close"]) == (
        OPEN,
        100.0,
        101.0,
        101.0,
    )
    assert day[0]["session_date"] == date(2024, 11, 4)


def test_the_views_say_what_the_api_says(store):
    store.commit_bars(fetched(*(bar(minute, 100.0 + minute) for minute in range(-20, 400, 7))))

    for view, timeframe in (
        ("bars", "1min"),
        ("bars_5m", "5min"),
        ("bars_1h", "1h"),
        ("bars_1d", "1d"),
    ):
        seen = store.sql(f"SELECT * FROM {view} ORDER BY timestamp")
        assert seen.equals(store.bars("SPY", timeframe=timeframe)), view


@pytest.mark.parametrize("name", ["7min", "1 hour", "", "1m; drop table bars_1m"])
def test_a_timeframe_that_does_not_exist_is_answered_with_those_that_do(store, name):
    store.commit_bars(fetched(bar(0)))
    with pytest.raises(TimeframeError, match=r"Use one of 1min, .*, 1d"):
        store.bars("SPY", timeframe=name)


def test_every_timeframe_answers(store):
    store.commit_bars(fetched(bar(0), bar(1)))
    for timeframe in TIMEFRAMES[1:]:
        assert store.bars("SPY", timeframe=timeframe).height == 1
