"""What the chart promises: every bar beside the next, whatever lies between them."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from ui.candles import DOWN, UP, chart


def bars(*times: datetime, close: float = 2.0, volume: float | None = 10.0) -> pl.DataFrame:
    prices = {"open": 1.0, "high": 3.0, "low": 0.5, "close": close, "volume": volume, "vwap": None}
    types = dict.fromkeys(prices, pl.Float64) | {"timestamp": pl.Datetime("us", "UTC")}
    return pl.DataFrame([{"timestamp": time, **prices} for time in times], schema_overrides=types)


def drawn(frame: pl.DataFrame) -> tuple[list[dict], list[str]]:
    facts = chart(frame, height=400).to_dict()
    labels = next(item["value"] for item in facts["params"] if item["name"] == "labels")
    return next(iter(facts["datasets"].values())), labels


OPEN = datetime(2024, 11, 4, 14, 30, tzinfo=UTC)


def test_a_weekend_takes_no_room():
    rows, _ = drawn(bars(OPEN - timedelta(days=3), OPEN, OPEN + timedelta(minutes=1)))

    assert [row["i"] for row in rows] == [0, 1, 2]
    assert [row["opens"] for row in rows] == [False, True, False]


def test_times_are_new_yorks():
    rows, labels = drawn(bars(OPEN))

    assert labels == ["09:30"]
    assert rows[0]["time"] == "Mon 4 Nov 2024 09:30"


def test_labels_say_the_day_where_there_are_several():
    _, minutes = drawn(bars(OPEN, OPEN + timedelta(minutes=1), OPEN + timedelta(days=1)))
    _, days = drawn(bars(OPEN, OPEN + timedelta(days=1)))

    assert minutes[-1] == "09:30\nNov 5"
    assert days == ["Nov 4\n2024", "Nov 5\n2024"]


@pytest.mark.parametrize(("close", "colour"), [(2.0, UP), (1.0, UP), (0.7, DOWN)])
def test_colours_tell_up_from_down(close, colour):
    rows, _ = drawn(bars(OPEN, close=close))

    assert rows[0]["colour"] == colour


@pytest.mark.parametrize("volume", [0.0, None])
def test_no_volume_still_is_a_chart(volume):
    rows, _ = drawn(bars(OPEN, volume=volume))

    assert len(rows) == 1
