"""What trying several plans at once promises: the figures of one after another, in their order."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from simulation_service import trying
from simulation_service.hearing import heard, places
from simulation_service.market import Market, realistic
from simulation_service.trying import Ground, attempt, attempt_in_processes
from strategy_service.costs import Costs
from strategy_service.plans import Plan
from strategy_service.rules.sma_cross import SmaCross


def made_up(sessions: int = 6, minutes: int = 60) -> pl.DataFrame:
    draw = np.random.default_rng(7)
    count = sessions * minutes
    close = np.round(100 * np.exp(np.cumsum(draw.normal(0, 1e-3, count))), 2)
    opening = datetime.fromisoformat("2024-07-08T13:30:00+00:00")
    times = [
        opening + timedelta(days=day, minutes=minute)
        for day in range(sessions)
        for minute in range(minutes)
    ]
    dates = [date(2024, 7, 8) + timedelta(days=at // minutes) for at in range(count)]
    return pl.DataFrame(
        {
            "timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
            "session_date": dates,
            "open": close + 0.01,
            "high": close + 0.05,
            "low": close - 0.05,
            "close": close,
            "volume": np.full(count, 1_000.0),
        }
    )


@pytest.fixture(scope="module")
def ground() -> Ground:
    bars = made_up()
    return Ground((Market.of("SPY", bars),), (bars,), 10_000.0, 252)


TRIALS = [
    (Plan(SmaCross(fast=fast, slow=slow)), realistic(Costs()))
    for fast in (2, 3, 5, 8)
    for slow in (10, 15, 20, 30, 40)
]


def same(one, other):
    assert one.returns.tobytes() == other.returns.tobytes()
    for name in ("sharpe", "total_return", "max_drawdown", "trades", "problem"):
        assert getattr(one, name) == getattr(other, name)


def test_two_at_once_come_to_the_same_in_the_same_order(ground):
    alone = list(attempt(ground, TRIALS))
    together = list(attempt_in_processes(ground, TRIALS, 2))

    assert len({one.total_return for one in alone}) > len(TRIALS) // 2  # no order would go unseen
    assert len(together) == len(alone)
    for one, other in zip(alone, together, strict=True):
        same(one, other)


def test_features_computed_for_few_trials_at_a_time_change_nothing(ground, monkeypatch):
    alone = list(attempt(ground, TRIALS))
    monkeypatch.setattr(trying, "_CELLS", 4 * ground.bars[0].height)  # the clock and three means

    for one, other in zip(alone, attempt(ground, TRIALS, threads=2), strict=True):
        same(one, other)


def test_one_may_stop_asking_after_the_first(ground):
    some = attempt_in_processes(ground, TRIALS, 2)
    first = next(some)
    some.close()

    same(first, next(attempt(ground, TRIALS[:1])))


def test_signals_reach_their_bars_whether_or_not_rows_are_missing(ground):
    bars = ground.bars[0]
    market = ground.markets[0].between(date(2024, 7, 9), date(2024, 7, 11))
    signals = pl.DataFrame(
        {"direction": np.arange(bars.height) % 3 - 1, "strength": np.linspace(0, 1, bars.height)},
        schema_overrides={"direction": pl.Int8},
    )
    kept = np.arange(bars.height) != 100

    whole = heard(signals, places(market, bars["timestamp"]))
    holed = heard(signals.filter(kept), places(market, bars["timestamp"].filter(kept)))

    assert whole.directions.tolist() == (np.arange(60, 240) % 3 - 1).tolist()
    assert whole.strengths.tolist() == np.linspace(0, 1, bars.height)[60:240].tolist()
    expected = whole.directions.copy()
    expected[40] = 0
    assert holed.directions.tolist() == expected.tolist()
    assert holed.strengths[40] == 0.0
