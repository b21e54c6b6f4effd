"""Volume profiles agree with profiles that are made bin by bin, and with an example done by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .oracles import covers, values
from .thin_bars import thin_weeks

few = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))

PROFILE = [
    f"{name}_{sessions}d"
    for name in (
        *("poc", "value_area_low", "value_area_high"),
        *("poc_distance", "value_area_low_distance", "value_area_high_distance"),
        *("hvn_above", "hvn_below", "lvn_above", "lvn_below"),
    )
    for sessions in (1, 5)
]
covers(PROFILE)


@few
@given(bars=thin_weeks(), sessions=st.sampled_from([1, 5]))
def test_a_profile_made_bin_by_bin_agrees(bars, sessions):
    expected = pl.DataFrame(
        list(profiled(bars, sessions)), schema=dict.fromkeys(PROFILE, pl.Float64)
    )

    for name in (one for one in PROFILE if one.endswith(f"_{sessions}d")):
        np.testing.assert_allclose(
            values(bars, name), expected[name].fill_null(np.nan), rtol=1e-9, atol=1e-9, err_msg=name
        )


def profiled(bars: pl.DataFrame, sessions: int) -> Iterator[dict[str, float]]:
    """The features of each bar, from one bin and one bar at a time; the volumes are whole numbers."""
    days = [day.to_dicts() for day in bars.partition_by("session_date", maintain_order=True)]
    for number, day in enumerate(days):
        past = [bar for before in days[max(number - sessions, 0) : number] for bar in before]
        if number < sessions or not any(bar["volume"] for bar in past):
            yield from ({} for _ in day)
            continue
        low, high = min(bar["low"] for bar in past), max(bar["high"] for bar in past)
        bins = [0] * 50
        for bar in past:
            bins[bin_of((bar["high"] + bar["low"] + bar["close"]) / 3, low, high)] += int(
                bar["volume"]
            )
        for bar in day:
            yield {
                f"{name}_{sessions}d": value
                for name, value in beside_the_close(bins, low, high, bar["close"]).items()
            }


def bin_of(price: float, low: float, high: float) -> int:
    return min(max(int((price - low) * (50 / (high - low))), 0), 49) if high > low else 0


def beside_the_close(bins: list[int], low: float, high: float, close: float) -> dict[str, float]:
    first, control, last = area(bins)
    peaks, valleys = nodes(bins)
    own = -1 if close < low else 50 if close > high else bin_of(close, low, high)
    at = {
        "poc": control + 0.5,
        "value_area_low": first,
        "value_area_high": last + 1,
        "hvn_above": min((node + 0.5 for node in peaks if node > own), default=None),
        "hvn_below": max((node + 0.5 for node in peaks if node < own), default=None),
        "lvn_above": min((node + 0.5 for node in valleys if node > own), default=None),
        "lvn_below": max((node + 0.5 for node in valleys if node < own), default=None),
    }
    found = {name: low + (high - low) / 50 * x for name, x in at.items() if x is not None}
    for name in ("poc", "value_area_low", "value_area_high"):
        found[f"{name}_distance"] = close / found[name] - 1
    return found


def area(bins: list[int]) -> tuple[int, int, int]:
    control = max(range(50), key=lambda one: (bins[one], -abs(one - 24.5), -one))
    first = last = control
    while 10 * sum(bins[first : last + 1]) < 7 * sum(bins):
        above, below = sum(bins[last + 1 : last + 3]), sum(bins[max(first - 2, 0) : first])
        if last < 49 and (first == 0 or above >= below):
            last = min(last + 2, 49)
        else:
            first = max(first - 2, 0)
    return first, control, last


def nodes(bins: list[int]) -> tuple[list[int], list[int]]:
    weights = {-2: 1, -1: 2, 0: 3, 1: 2, 2: 1}
    smooth = [
        sum(w * bins[one + step] for step, w in weights.items() if 0 <= one + step < 50)
        for one in range(50)
    ]
    flats = [
        (value, [at for at, _ in run]) for value, run in groupby(enumerate(smooth), itemgetter(1))
    ]
    peaks, valleys, mean = [], [], 9 * sum(bins)
    for at, (value, run) in enumerate(flats):
        sides = [flats[one][0] for one in (at - 1, at + 1) if 0 <= one < len(flats)]
        if all(side < value for side in sides) and 50 * value > mean:
            peaks.append(run[0])
        if len(sides) == 2 and all(side > value for side in sides) and 50 * value < mean:
            valleys.append(run[0])
    return peaks, valleys


@pytest.mark.parametrize(
    ("name", "expected"),
    {"poc_1d": 110.5, "value_area_low_1d": 108, "value_area_high_1d": 113}.items(),
)
def test_the_value_area_grows_by_two_prices_at_a_time_to_the_heavier_side(name, expected):
    traded = {100: 0, 108: 30, 109: 30, 110: 100, 111: 20, 112: 20, 120: 50, 149: 0}
    rows = [
        (datetime(2024, 7, 1, 14, minute, tzinfo=UTC), price, volume)
        for minute, (price, volume) in enumerate(traded.items())
    ]
    bars = pl.DataFrame(
        [*rows, (datetime(2024, 7, 2, 14, tzinfo=UTC), 110, 1)],
        schema={
            "timestamp": pl.Datetime("us", "UTC"),
            "low": pl.Float64,
            "volume": pl.Float64,
        },
        orient="row",
    ).with_columns(
        pl.col("timestamp").dt.date().alias("session_date"),
        (pl.col("low") + 1).alias("high"),
        (pl.col("low") + 0.5).alias("close"),
    )

    assert values(bars, name)[-1] == pytest.approx(expected, rel=1e-12)
