"""What each rule strategy says, worked by hand, and what slow and obvious loops say of random markets."""

import math
from datetime import UTC, datetime
from statistics import fmean, pstdev

import numpy as np
import polars as pl
import pytest
import talib

from strategy_service.needs import widened
from strategy_service.parameters import ParameterError
from strategy_service.rule import STRATEGIES
from strategy_service.rules.bollinger import BollingerBreakout, BollingerReversion
from strategy_service.rules.opening_range import OpeningRangeBreakout
from strategy_service.rules.rsi_reversion import RsiReversion
from strategy_service.rules.sma_cross import SmaCross
from strategy_service.rules.volume_momentum import VolumeMomentum
from strategy_service.rules.weekly_pivot import WeeklyPivot

from .markets import bars_of

BUY, HOLD, SELL = 1, 0, -1


def said(strategy, bars):
    return strategy.signals(widened(bars, strategy.features))


def directions(strategy, bars):
    return said(strategy, bars)["direction"].to_list()


def walk(seed: int, rows: int = 800) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    closes = (100 + np.cumsum(rng.integers(-20, 21, rows)) / 100).tolist()
    volumes = (rng.integers(0, 2_000, rows) * (rng.random(rows) < 0.9)).astype(float).tolist()
    return bars_of(closes, volumes)


def test_a_fast_mean_above_the_slow_one_buys_and_below_it_sells():
    # SMA(2): -, 10, 11, 13, 12, 9; SMA(3): -, -, 10.67, 12, 12, 10.67
    bars = bars_of([10.0, 10.0, 12.0, 14.0, 10.0, 8.0])

    assert directions(SmaCross(fast=2, slow=3), bars) == [HOLD, HOLD, BUY, BUY, HOLD, SELL]


def test_the_strength_of_a_cross_is_the_gap_over_the_full_one():
    # 13 / 12 - 1 is 833 basis points, 9 / 10.67 - 1 is -1,562.5.
    bars = bars_of([10.0, 10.0, 12.0, 14.0, 10.0, 8.0])
    strength = said(SmaCross(fast=2, slow=3, full_bps=1_000.0), bars)["strength"]

    assert strength[3] == pytest.approx(1 / 12 / 0.1)
    assert strength[4] == 0
    assert strength[5] == 1


def test_a_cross_within_the_band_holds():
    bars = bars_of([10.0, 10.0, 12.0, 14.0, 10.0, 8.0])

    assert directions(SmaCross(fast=2, slow=3, band_bps=500.0), bars) == [0, 0, HOLD, BUY, 0, SELL]


def test_the_reason_of_a_cross_has_both_means():
    bars = bars_of([10.0, 10.0, 12.0, 14.0])
    strategy = SmaCross(fast=2, slow=3)
    rows = widened(bars, strategy.features)

    assert strategy.signal(rows).reason == "sma_2 13 is above sma_3 12"
    assert strategy.signal(rows.head(2)).reason == "sma_3 not known yet"


@pytest.mark.parametrize("seed", range(3))
def test_a_loop_over_closes_agrees_about_crosses(seed):
    bars = walk(seed)
    closes = bars["close"].to_list()
    expected = []
    for row in range(len(closes)):
        if row < 36:
            expected.append(HOLD)
            continue
        fast, slow = fmean(closes[row - 6 : row + 1]), fmean(closes[row - 36 : row + 1])
        gap = fast / slow - 1
        expected.append(HOLD if abs(gap) < 1e-12 else BUY if gap > 0 else SELL)

    assert directions(SmaCross(fast=7, slow=37), bars) == expected


def test_ever_falling_prices_are_oversold_and_ever_rising_ones_are_sold():
    falling = said(RsiReversion(bars=3), bars_of([10.0, 9.0, 8.0, 7.0, 6.0]))
    rising = said(RsiReversion(bars=3), bars_of([6.0, 7.0, 8.0, 9.0, 10.0]))

    assert falling["direction"].to_list() == [HOLD, HOLD, HOLD, BUY, BUY]
    assert falling["strength"].to_list() == pytest.approx([0, 0, 0, 1, 1])
    assert rising["direction"].to_list() == [HOLD, HOLD, HOLD, SELL, SELL]
    assert rising["strength"].to_list() == pytest.approx([0, 0, 0, 1, 1])


def test_between_oversold_and_exit_the_index_holds():
    # One rise and one fall of the same size: the index is 50.
    assert directions(RsiReversion(bars=2), bars_of([10.0, 11.0, 10.0])) == [0, 0, HOLD]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bars", [9, 14])
def test_ta_lib_agrees_about_the_index_of_any_width(seed, bars):
    market = walk(seed)
    index = talib.RSI(market["close"].to_numpy(), timeperiod=bars)
    expected = np.where(index >= 60, SELL, np.where(index < 35, BUY, HOLD))
    sure = np.isnan(index) | (np.minimum(abs(index - 60), abs(index - 35)) > 1e-9)
    found = np.array(directions(RsiReversion(bars=bars, oversold=35.0, exit=60.0), market))

    assert (found == expected)[sure].all()
    assert {BUY, SELL, HOLD} == set(found[sure].tolist())


@pytest.mark.parametrize("seed", range(3))
def test_a_loop_over_closes_agrees_about_both_bands(seed):
    bars = walk(seed)
    closes = bars["close"].to_list()
    back, out = [], []
    for row, close in enumerate(closes):
        window = closes[max(row - 22, 0) : row + 1]
        mean, wide = fmean(window), 1.75 * pstdev(window)
        known = row >= 22
        back.append(known * (BUY if close < mean - wide else SELL if close >= mean else HOLD))
        out.append(known * (BUY if close > mean + wide else SELL if close < mean else HOLD))

    assert directions(BollingerReversion(bars=23, width=1.75), bars) == back
    assert directions(BollingerBreakout(bars=23, width=1.75), bars) == out


def test_a_close_at_three_deviations_is_a_third_beyond_a_band_at_two():
    # Nine closes of 10 and one of 0: mean 9, deviation 3, so that the last lies 3 deviations below.
    bars = bars_of([10.0] * 9 + [0.01])
    last = said(BollingerReversion(bars=10, width=2.0), bars).row(-1)

    assert last[0] == BUY
    assert last[1] == pytest.approx(1 - 2 / 3)


def test_a_price_that_stands_still_breaks_out_of_nothing():
    still = bars_of([10.0] * 30)

    assert set(directions(BollingerBreakout(), still)) == {HOLD}
    assert directions(BollingerReversion(), still)[-1] == SELL


def test_a_rise_buys_only_in_unusual_volume():
    closes = [100.0, 100.0, 100.0, 101.0, 102.0, 100.0]
    quiet, loud = [100.0] * 6, [100.0, 100.0, 100.0, 200.0, 100.0, 100.0]
    rule = VolumeMomentum(bars=1, entry_bps=50.0, exit_bps=0.0, volume_bars=2, volume=1.5)

    assert directions(rule, bars_of(closes, quiet)) == [0, 0, 0, HOLD, HOLD, SELL]
    assert directions(rule, bars_of(closes, loud)) == [0, 0, 0, BUY, HOLD, SELL]
    # 100 basis points where 50 are needed; relative volume 200 / 100.
    assert said(rule, bars_of(closes, loud))["strength"][3] == pytest.approx(0.5)


def test_a_market_without_volume_buys_nothing_and_still_sells():
    rule = VolumeMomentum(bars=1, entry_bps=0.0, volume_bars=2, volume=0.0)

    assert directions(rule, bars_of([1.0, 2.0, 3.0, 4.0, 3.0], [0.0] * 5)) == [0, 0, 0, 0, SELL]


@pytest.mark.parametrize("seed", range(3))
def test_a_loop_over_bars_agrees_about_momentum(seed):
    bars = walk(seed)
    closes, volumes = bars["close"].to_list(), bars["volume"].to_list()
    expected = []
    for row in range(len(closes)):
        change = closes[row] / closes[row - 11] - 1 if row >= 11 else math.nan
        usual = fmean(volumes[row - 7 : row]) if row >= 7 else 0.0
        loud = usual > 0 and volumes[row] / usual >= 1.5
        expected.append(SELL if change < -0.0005 else BUY if change > 0.001 and loud else HOLD)
    rule = VolumeMomentum(bars=11, entry_bps=10.0, exit_bps=-5.0, volume_bars=7, volume=1.5)

    assert directions(rule, bars) == expected


def test_a_breakout_buys_above_the_range_and_sells_below_it_and_before_the_close():
    # Monday 3 June 2024, New York 9:30 is 13:30 UTC; the range of 15 minutes is 99 to 101.
    times = [
        "13:30",
        "13:40",
        "13:44",
        "13:45",
        "14:00",
        "14:10",
        "15:00",
        "19:00",
        "19:50",
        "19:59",
    ]
    closes = [100.0, 101.0, 99.0, 100.0, 101.5, 101.0, 98.0, 102.0, 102.0, 102.0]
    bars = bars_of(closes, times=[datetime.fromisoformat(f"2024-06-03T{one}Z") for one in times])
    rule = OpeningRangeBreakout(minutes=15, last_entry=60, flat=10)
    found = said(rule, bars)

    assert found["direction"].to_list() == [
        *[SELL] * 3,  # the range is not over
        HOLD,  # inside
        BUY,  # 0.5 above a range of 2
        HOLD,  # at its high
        SELL,  # below its low
        HOLD,  # above its high, with 60 minutes to go
        SELL,  # with 10
        SELL,
    ]
    assert found["strength"][4] == pytest.approx(0.25)


def test_a_breakout_with_its_stop_in_the_middle_sells_earlier():
    times = ["13:30", "13:40", "13:50", "13:55"]
    closes = [101.0, 99.0, 101.5, 99.5]
    bars = bars_of(closes, times=[datetime.fromisoformat(f"2024-06-03T{one}Z") for one in times])

    assert directions(OpeningRangeBreakout(minutes=15), bars) == [SELL, SELL, BUY, HOLD]
    assert directions(OpeningRangeBreakout(minutes=15, stop="middle"), bars)[-1] == SELL


def test_a_breakout_ends_early_on_a_half_day():
    # 3 July 2024 closes at 13:00 in New York, 17:00 UTC.
    times = [datetime(2024, 7, 3, 13, 30, tzinfo=UTC), datetime(2024, 7, 3, 16, 50, tzinfo=UTC)]
    strategy = OpeningRangeBreakout(minutes=15, flat=10)
    rows = widened(bars_of([100.0, 105.0], times=times), strategy.features)

    assert strategy.signal(rows).direction == SELL
    assert strategy.signal(rows).reason == "10 minutes are left of the session"


def _weeks(closes):
    """A week with high 110, low 90 and close 100 (P 100, R1 110, S1 90), and the Monday after it."""
    days = [datetime(2024, 6, day, 14, tzinfo=UTC) for day in (3, 4, 5, 7)]
    monday = [datetime(2024, 6, 10, 14, minute, tzinfo=UTC) for minute in range(len(closes))]
    return bars_of([110.0, 90.0, 95.0, 100.0, *closes], times=[*days, *monday])


def test_the_pivot_is_bought_just_above_and_sold_at_r1_and_below_s1():
    # The zone of a quarter ends at 102.5.
    closes = [100.0, 100.5, 102.5, 103.0, 109.9, 110.0, 102.0, 99.0, 90.0, 89.9]
    found = said(WeeklyPivot(entry="pivot", zone=0.25), _weeks(closes))

    assert found["direction"].to_list() == [
        *[HOLD] * 4, HOLD, BUY, BUY, HOLD, HOLD, SELL, BUY, HOLD, HOLD, SELL,
    ]  # fmt: skip
    assert found["strength"][5] == pytest.approx(0.95)


def test_support_is_bought_when_touched_and_closed_above():
    # A bar opens at the close before it, so that the third has its low at 89.5.
    closes = [95.0, 89.5, 91.0, 92.0, 95.0, 110.0]
    found = said(WeeklyPivot(entry="support", zone=0.25), _weeks(closes))

    assert found["direction"].to_list()[4:] == [HOLD, SELL, BUY, HOLD, HOLD, SELL]
    assert found["strength"][6] == pytest.approx((110 - 91) / (110 - 90))


def test_the_reason_of_a_pivot_has_its_levels():
    strategy = WeeklyPivot()
    reason = strategy.signal(widened(_weeks([101.0]), strategy.features)).reason

    assert reason == (
        "the close 101 is just above the pivot (the week before: S1 90, P 100, R1 110)"
    )


def test_a_week_without_a_range_buys_nothing():
    days = [datetime(2024, 6, day, 14, tzinfo=UTC) for day in (3, 4, 10, 11)]
    bars = bars_of([100.0, 100.0, 100.0, 100.0], times=days)

    assert directions(WeeklyPivot(), bars) == [HOLD, HOLD, SELL, SELL]


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("sma_cross", {"fast": 50}, "sma_cross: fast must be below slow, which is 50, was 50."),
        ("sma_cross", {"fast": 0}, "sma_cross: fast must be a whole number from 1 to 2,000 (bars), was 0."),
        ("rsi_reversion", {"oversold": 40, "exit": 30}, "oversold must be below exit, which is 30"),
        ("volume_momentum", {"exit_bps": 30}, "exit_bps must be at most entry_bps, which is 20"),
        ("opening_range_breakout", {"flat": 90}, "last_entry must be at least flat, which is 90"),
        ("opening_range_breakout", {"stop": "high"}, "stop must be one of low, middle, was 'high'."),
        ("buy_and_hold", {"bars": 3}, "buy_and_hold: bars is no parameter of it: it has none."),
    ],
)  # fmt: skip
def test_parameters_that_do_not_go_together_are_refused(name, given, sentence):
    with pytest.raises(ParameterError) as error:
        STRATEGIES.make(name, given)
    assert sentence in str(error.value)
