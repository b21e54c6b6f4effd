"""What the figures are: worked by hand."""

import math
import statistics
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation_service.metrics import max_drawdown, measure, session_ends, sharpe
from simulation_service.returns import CurveError
from simulation_service.run import Orders, Run, Trade


def trade(row: int, side: str, shares: int, price: float, costs: float = 0.0) -> Trade:
    """A long position's entry, or all of its exit."""
    buys = side == "buy"
    amount = shares * price + (costs if buys else -costs)
    why, after = ("entry", shares) if buys else ("exit", 0)
    return Trade(row, row, side, shares, price, costs, amount, why, after=after)


def orders(*trades: Trade) -> Orders:
    return Orders.of(trades)


#: Two sessions of two bars: 10 shares bought at 100 and sold at 110, and 10 again at 110, held.
RUN = Run(
    cash=1_100.0,
    orders=orders(
        trade(0, "buy", 10, 100.0, 1.0),
        trade(1, "sell", 10, 110.0, 1.0),
        trade(2, "buy", 10, 110.0, 1.0),
    ),
    equity=np.array([1_099.0, 1_198.0, 1_197.0, 998.0]),
    held=np.array([[10.0, 0, 10, 10]]),
)
SESSION = np.array([1, 1, 2, 2])


def test_the_figures_of_a_small_run():
    found = measure(RUN, SESSION, 252)

    assert found.total_return == pytest.approx(998 / 1_100 - 1)
    assert found.max_drawdown == pytest.approx(998 / 1_198 - 1)
    assert found.trades == 2
    assert found.win_rate == 1.0
    assert found.exposure == 0.75
    assert found.costs == 3.0
    assert found.final_equity == 998.0
    assert (found.sessions, found.bars) == (2, 4)
    daily = [1_198 / 1_100 - 1, 998 / 1_198 - 1]
    expected = statistics.mean(daily) / statistics.stdev(daily) * math.sqrt(252)
    assert found.sharpe == pytest.approx(expected)


def test_a_sharpe_needs_two_sessions_that_differ():
    assert sharpe(np.array([100.0, 101.0]), 252) is None
    assert sharpe(np.array([100.0, 100.0, 100.0]), 252) is None


def test_a_curve_that_lost_everything_has_no_sharpe():
    assert sharpe(np.array([100.0, 0.0, 0.0]), 252) is None


def test_a_fall_below_the_cash_at_the_beginning_is_a_drawdown():
    found = measure(Run(100.0, orders(), np.array([90.0]), np.zeros((1, 1))), np.array([1]), 252)

    assert found.max_drawdown == pytest.approx(-0.1)
    assert found.win_rate is None


def test_a_curve_that_only_rises_has_no_drawdown():
    assert max_drawdown(np.array([1.0, 2.0, 2.0, 3.0])) == 0


def test_a_trade_that_costs_more_than_it_brings_is_not_won():
    lost = Run(
        cash=100.0,
        orders=orders(trade(0, "buy", 1, 50.0, 1.0), trade(1, "sell", 1, 51.5, 1.0)),
        equity=np.array([99.0, 99.5]),
        held=np.array([[1.0, 0]]),
    )

    assert measure(lost, np.array([1, 1]), 252).win_rate == 0


def test_the_last_bar_of_each_session_counts_for_the_day():
    assert session_ends(np.array([5, 5, 5, 6, 8, 8])).tolist() == [2, 3, 5]


def test_the_other_figures_of_the_same_run():
    found = measure(RUN, SESSION, 252)

    assert found.annual_return == pytest.approx((998 / 1_100) ** 126 - 1)
    assert found.calmar == pytest.approx(found.annual_return / (1 - 998 / 1_198))
    assert (found.drawdown_sessions, found.longest_drawdown_sessions) == (1, 1)
    assert (found.round_trips, found.average_win, found.average_loss) == (1, 98.0, None)
    assert (found.profit_factor, found.expectancy, found.holding_bars) == (None, 98.0, 1.0)
    # Bought and sold for 1,000 + 1,100 + 1,100 in two sessions, over a mean of 1,198 and 998.
    assert found.turnover == pytest.approx(3_200 / 1_098 * 126)
    assert (found.alpha, found.beta, found.holding_minutes) == (None, None, None)


def test_bars_give_the_fall_its_dates_and_the_trades_their_minutes():
    times = [
        datetime(2024, 7, day, 13, minute, tzinfo=UTC) for day in (1, 2) for minute in (30, 35)
    ]
    bars = pl.DataFrame({"timestamp": times}).with_columns(
        pl.col("timestamp").cast(pl.Datetime("us", "UTC")),
        session_date=pl.col("timestamp").dt.date(),
    )

    found = measure(RUN, SESSION, 252, bars=bars)

    assert found.holding_minutes == 5
    assert (found.drawdown_start, found.drawdown_trough) == ("2024-07-01", "2024-07-02")
    assert found.drawdown_recovery is None


def test_a_run_beside_itself_has_beta_one():
    found = measure(RUN, SESSION, 252, benchmark=RUN)

    assert found.beta == pytest.approx(1)
    assert found.alpha == pytest.approx(0, abs=1e-9)


def test_shares_that_are_owed_are_exposure_too():
    short = replace(RUN, held=np.array([[-10.0, 0, -10, 0]]))

    assert measure(short, SESSION, 252).exposure == 0.5


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (replace(RUN, equity=np.array([])), "must be one row of numbers"),
        (replace(RUN, equity=np.array([1.0, math.nan, 1.0, 1.0])), "no finite number at place 1"),
        (replace(RUN, cash=0.0), "must be above 0 USD"),
        (replace(RUN, equity=RUN.equity[:3]), "for the same bars"),
    ],
)
def test_a_run_that_cannot_be_measured_says_why(run, sentence):
    with pytest.raises(CurveError, match=sentence):
        measure(run, SESSION, 252)


def test_a_benchmark_of_other_bars_is_refused():
    with pytest.raises(CurveError, match="The benchmark has 3 bars and the run 4"):
        measure(RUN, SESSION, 252, benchmark=replace(RUN, equity=RUN.equity[:3]))


@given(steps=st.lists(st.floats(-100, 100), min_size=1, max_size=30), width=st.integers(1, 5))
def test_no_figure_is_ever_nan_or_infinite(steps, width):
    equity = 100 + np.cumsum(steps)
    run = Run(100.0, orders(), equity, np.zeros((1, len(equity))))

    facts = measure(run, np.arange(len(equity)) // width, 252, benchmark=run).facts

    assert all(math.isfinite(one) for one in facts.values() if isinstance(one, float))
