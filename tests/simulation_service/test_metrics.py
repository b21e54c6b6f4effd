"""What the figures are: worked by hand."""

import math
import statistics

import numpy as np
import pytest

from simulation_service.metrics import max_drawdown, measure, session_ends, sharpe
from simulation_service.run import Run, Trade


def trade(row: int, side: str, shares: int, price: float, costs: float = 0.0) -> Trade:
    amount = shares * price + (costs if side == "buy" else -costs)
    return Trade(row, row, side, shares, price, costs, amount)


#: Two sessions of two bars: 10 shares bought at 100 and sold at 110, and 10 again at 110, held.
RUN = Run(
    cash=1_100.0,
    trades=(
        trade(0, "buy", 10, 100.0, 1.0),
        trade(1, "sell", 10, 110.0, 1.0),
        trade(2, "buy", 10, 110.0, 1.0),
    ),
    equity=np.array([1_099.0, 1_198.0, 1_197.0, 998.0]),
    held=np.array([10, 0, 10, 10]),
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
    found = measure(Run(100.0, (), np.array([90.0]), np.array([0])), np.array([1]), 252)

    assert found.max_drawdown == pytest.approx(-0.1)
    assert found.win_rate is None


def test_a_curve_that_only_rises_has_no_drawdown():
    assert max_drawdown(np.array([1.0, 2.0, 2.0, 3.0])) == 0


def test_a_trade_that_costs_more_than_it_brings_is_not_won():
    lost = Run(
        cash=100.0,
        trades=(trade(0, "buy", 1, 50.0, 1.0), trade(1, "sell", 1, 51.5, 1.0)),
        equity=np.array([99.0, 99.5]),
        held=np.array([1, 0]),
    )

    assert measure(lost, np.array([1, 1]), 252).win_rate == 0


def test_the_last_bar_of_each_session_counts_for_the_day():
    assert session_ends(np.array([5, 5, 5, 6, 8, 8])).tolist() == [2, 3, 5]
