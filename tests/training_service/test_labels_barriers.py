"""What barriers and scaled returns promise: widths are known at the bar, and the first touch counts."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.feature_service.thin_bars import thin_weeks
from training_service import labels

quick = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
OPENING = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)
CALM = 101  # bars, each 1% above the one before: 100 returns


def usual_move(bars: list[dict], row: int, span: int, *, clock: bool) -> float | None:
    """Root mean square of the newest 100 returns within sessions, times the root of the span."""
    squares, minutes = [], []
    for before, now in pairwise(bars[: row + 1]):
        if before["session_date"] == now["session_date"]:
            squares.append((now["close"] / before["close"] - 1) ** 2)
            minutes.append((now["timestamp"] - before["timestamp"]) / timedelta(minutes=1))
    if len(squares) < 100 or not any(squares[-100:]):
        return None
    over = math.fsum(minutes[-100:]) if clock else 100
    return math.sqrt(math.fsum(squares[-100:]) / over * span)


def window(bars: list[dict], row: int, span: int, *, clock: bool) -> list[dict] | None:
    day, moment = bars[row]["session_date"], bars[row]["timestamp"] + timedelta(minutes=span)
    there = [one for one in bars[row + 1 :] if one["session_date"] == day]
    if not clock:
        return there[:span] if len(there) >= span else None
    if max([bars[row], *there], key=lambda one: one["timestamp"])["timestamp"] < moment:
        return None
    return [one for one in there if one["timestamp"] <= moment]


def touched(bar: dict, upper: float, lower: float, *, closes: bool) -> int:
    high, low = (bar["close"], bar["close"]) if closes else (bar["high"], bar["low"])
    return -1 if low <= lower else 1 if high >= upper else 0


@st.composite
def wide_weeks(draw) -> pl.DataFrame:
    """Thin bars whose ranges are often wide enough to touch two barriers at once."""
    bars = draw(thin_weeks())
    rng = np.random.default_rng(bars.height)
    up, down = rng.exponential(3e-4, (2, bars.height))
    return bars.with_columns(
        high=pl.max_horizontal("open", "close") * (1 + pl.Series(up)),
        low=pl.min_horizontal("open", "close") * (1 - pl.Series(down)),
    )


@quick
@given(
    bars=wide_weeks(),
    span=st.integers(1, 20),
    clock=st.booleans(),
    widths=st.sampled_from([(1.0, 1.0), (2.0, 0.5), (0.5, 1.5)]),
    kind=st.sampled_from(["triple_barrier", "triple_barrier_close", "profit_first"]),
)
def test_a_slow_loop_finds_the_same_first_touches(bars, span, clock, widths, kind):
    up, down = widths
    name = f"{kind}_{up:g}x{down:g}_{span}{'m' if clock else ''}"
    found = labels.add(bars, labels.find(name)).to_dicts()

    for row, one in enumerate(found):
        usual = usual_move(found, row, span, clock=clock) if row >= 100 else None
        ahead = window(found, row, span, clock=clock)
        if usual is None or ahead is None:
            assert (one["label"], one["label_end"]) == (None, None)
            continue
        upper, lower = one["close"] * (1 + up * usual), one["close"] * (1 - down * usual)
        side, end = 0, (ahead[-1] if ahead else one)["timestamp"]
        for bar in ahead:
            if side := touched(bar, upper, lower, closes=kind == "triple_barrier_close"):
                end = bar["timestamp"]
                break
        assert one["label"] == (side if kind != "profit_first" else int(side == 1))
        assert one["label_end"] == end


@quick
@given(bars=thin_weeks(), span=st.integers(1, 20), clock=st.booleans())
def test_a_scaled_return_is_the_return_over_what_was_usual(bars, span, clock):
    ending = "m" if clock else ""
    found = labels.add(bars, labels.find(f"scaled_return_{span}{ending}")).to_dicts()
    plain = labels.add(bars, labels.find(f"return_{span}{ending}"))["label"].to_list()

    for row, one in enumerate(found):
        usual = usual_move(found, row, span, clock=clock) if row >= 100 else None
        if usual is None or plain[row] is None:
            assert one["label"] is None
        else:
            assert one["label"] == pytest.approx(plain[row] / usual, rel=1e-12)


def after_calm(*ahead: tuple[float, float]) -> pl.DataFrame:
    """Bars that rise 1% each, then highs and lows in parts of the last of their closes."""
    closes = [100 * 1.01**row for row in range(CALM)]
    highs, lows = closes.copy(), closes.copy()
    for high, low in ahead:
        highs.append(closes[CALM - 1] * high)
        lows.append(closes[CALM - 1] * low)
    closes += [closes[CALM - 1]] * len(ahead)
    return pl.DataFrame(
        {
            "timestamp": [OPENING + timedelta(minutes=row) for row in range(len(closes))],
            "session_date": [OPENING.date()] * len(closes),
            "high": highs,
            "low": lows,
            "close": closes,
        }
    )


# Over 4 bars a deviation of 1% a bar is 2%: barriers at 1.02 and 0.98.
STILL = (1.001, 0.999)


@pytest.mark.parametrize(
    ("ahead", "value", "bars"),
    [
        ([(1.01, 0.99), (1.021, 0.99), (1.0, 0.97), STILL], 1, 2),
        ([(1.01, 0.979), (1.03, 0.99), STILL, STILL], -1, 1),
        ([STILL, STILL, (1.03, 0.97), STILL], -1, 3),
        ([STILL, STILL, STILL, (1.021, 1.0)], 1, 4),
        ([STILL, STILL, STILL, (1.019, 0.981)], 0, 4),
        ([STILL, STILL, STILL, STILL, (1.03, 0.97)], 0, 4),
    ],
    ids=[
        "upper first",
        "lower first",
        "both in a bar is the lower",
        "the last bar counts",
        "neither",
        "too late",
    ],
)
def test_the_first_touch_decides(ahead, value, bars):
    found = labels.add(after_calm(*ahead), labels.find("triple_barrier_1x1_4"))
    one = found.row(CALM - 1, named=True)

    assert one["label"] == value
    assert one["label_end"] == one["timestamp"] + timedelta(minutes=bars)
    profit = labels.add(after_calm(*ahead), labels.find("profit_first_1x1_4"))
    assert profit["label"][CALM - 1] == int(value == 1)
    assert profit["label_end"][CALM - 1] == one["label_end"]


def test_closes_alone_do_not_see_highs_and_lows():
    bars = after_calm((1.03, 0.97), STILL, STILL, STILL).drop("high", "low")
    found = labels.add(bars, labels.find("triple_barrier_close_1x1_4"))

    assert found["label"][CALM - 1] == 0


def test_a_window_that_the_session_cuts_off_has_no_label_even_if_a_barrier_was_touched():
    found = labels.add(after_calm((1.05, 0.99), STILL), labels.find("triple_barrier_1x1_4"))

    assert found["label"][CALM - 1] is None


def test_widths_are_unknown_before_a_hundred_returns():
    found = labels.add(after_calm(*[STILL] * 4), labels.find("triple_barrier_1x1_4"))

    assert found["label"].head(CALM - 1).null_count() == CALM - 1
    assert found["label"][CALM - 1] == 0


def test_a_price_that_never_moved_has_no_barriers():
    still = after_calm(*[STILL] * 9).with_columns(close=pl.lit(100.0))

    for name in ("triple_barrier_1x1_4", "scaled_return_4"):
        assert labels.add(still, labels.find(name))["label"].null_count() == still.height


def test_the_night_is_no_part_of_the_volatility():
    night = timedelta(days=1)
    evening = after_calm()
    morning = evening.with_columns(
        pl.col("timestamp") + night, pl.col("session_date") + night, pl.col("close") * 3
    )
    found = labels.add(pl.concat([evening, morning]), labels.find("scaled_return_1"))

    assert found["label"][CALM] == pytest.approx(1.0)
