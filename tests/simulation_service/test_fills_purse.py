"""What several symbols with one purse promise, and which way a run goes."""

import numpy as np
import pytest

from simulation_service import engine
from simulation_service.market import as_specified
from simulation_service.returns import CurveError
from simulation_service.round_trips import round_trips
from simulation_service.simulated_broker import SimulatedBroker
from simulation_service.trade_statistics import attribution
from simulation_service.trading import Said, Trading
from strategy_service.execution import Execution
from strategy_service.plans import read_plan
from strategy_service.risk import DailyLoss, MaximumShares, NoLateEntry
from strategy_service.sizing import FixedShares, Fraction
from tests.simulation_service.filling import BUY, HOLD, NEXT_OPEN, SELL, market, told, within


def together(said, *markets, cash=1_000.0, trading=None, mode=NEXT_OPEN):
    spoken = [Said.plainly(one) for one in said]
    return engine.run(list(markets), spoken, trading or Trading(), cash, mode)


def test_the_first_symbol_is_served_first_and_the_next_with_what_is_left():
    spy, qqq = market([(100, 100)] * 3), market([(30, 30)] * 3, symbol="QQQ")
    half = Trading(Fraction(least=0.6, most=0.6))
    found = together([[BUY, HOLD, HOLD]] * 2, spy, qqq, trading=half)

    # 600 USD of each were wanted: 6 shares of SPY, and 13 of 20 of QQQ for the 400 that are left.
    assert [(one.symbol, one.shares) for one in found.trades] == [(0, 6), (1, 13)]
    assert found.counts.cut == 1
    assert found.held.tolist() == [[0, 6, 6], [0, 13, 13]]


def test_what_is_sold_at_an_open_pays_for_what_is_bought_there():
    spy, qqq = market([(100, 100)] * 4), market([(10, 10)] * 4, symbol="QQQ")
    fixed = Trading(FixedShares(shares=5))
    said = [[HOLD, BUY, HOLD, HOLD], [BUY, SELL, HOLD, HOLD]]
    found = together(said, spy, qqq, cash=510.0, trading=fixed)

    assert [(one.symbol, one.side, one.filled) for one in found.trades] == [
        (1, "buy", 1),
        (1, "sell", 2),
        (0, "buy", 2),
    ]


def test_minutes_are_those_of_any_symbol_and_prices_the_newest_ones():
    spy = market([(100, 100), (100, 110)], minutes=[0, 2])
    qqq = market([(10, 10), (10, 10), (10, 12)], symbol="QQQ", minutes=[0, 1, 3])
    found = together([[BUY, HOLD], [HOLD] * 3], spy, qqq)

    assert len(found.equity) == 4
    assert found.trades[0].filled == 2
    assert found.equity.tolist() == [1_000, 1_000, 1_100, 1_100]


def test_profit_is_attributed_to_the_symbols_and_adds_up():
    spy, qqq = (
        market([(100, 100), (100, 100), (120, 120)]),
        market([(10, 10), (10, 9), (9, 8)], symbol="QQQ"),
    )
    found = together([[BUY, HOLD, HOLD]] * 2, spy, qqq, trading=Trading(FixedShares(shares=4)))
    by = attribution(round_trips(found), "symbol", 1_000.0)

    assert by.select("symbol", "profit").rows() == [("QQQ", -8), ("SPY", 80)]
    assert by["contribution"].sum() == pytest.approx(found.equity[-1] / 1_000 - 1)


def test_one_symbol_among_several_that_do_nothing_is_what_it_is_alone():
    rng = np.random.default_rng(4)
    prices = 100 + np.cumsum(rng.normal(size=(40, 2)), axis=0)
    spy = market(*[[tuple(map(float, one)) for one in prices[at : at + 10]] for at in (0, 10, 20)])
    idle = market([(10, 10)] * 10, [(10, 10)] * 10, [(10, 10)] * 10, symbol="QQQ")
    said = rng.integers(-1, 2, 30)
    trading = within(sides="both", stop_loss=0.01, entry="limit")
    alone = together([said], spy, trading=trading)
    beside = together([said, [HOLD] * 30], spy, idle, trading=trading)

    assert len(alone.orders) > 5
    assert beside.orders_hash == alone.orders_hash
    np.testing.assert_allclose(beside.equity, alone.equity, rtol=1e-12)


def test_sales_within_a_bar_pay_for_nothing_within_it():
    """SPY is stopped in bar 2, in which QQQ comes to its limit: there is no cash for it yet."""
    spy = market([(100, 100), (98, 100), (100, 100, 90, 95)])
    qqq = market([(10, 10), (10, 10), (10, 10, 9.8, 9.9)], symbol="QQQ")
    trading = Trading(
        FixedShares(shares=10), (), Execution(entry="limit", limit_bps=100, stop_loss=0.05)
    )
    found = together([[BUY, HOLD, HOLD], [HOLD, BUY, HOLD]], spy, qqq, trading=trading)

    assert told(found)[0] == (1, "buy", 10, 98, "entry")
    assert [one.purpose for one in found.trades] == ["entry", "stop_loss", "entry"]
    assert found.trades[2].shares == 2  # of the 20 USD that were left


def test_risk_rules_bound_what_is_added():
    bars = market([(10, 10)] * 3)
    found = together([[BUY, BUY, HOLD]], bars, trading=Trading(risk=(MaximumShares(shares=7),)))

    assert told(found) == [(1, "buy", 7, 10, "entry")]
    assert found.counts.bounded == 1


def test_a_daily_loss_limit_sells_and_keeps_out_for_the_session():
    day = [(100, 100), (100, 100), (90, 90), (90, 90), (90, 90)]
    rule = (DailyLoss(share=0.05, then="sell"),)
    found = together([[BUY] * 7], market(day, [(90, 90), (90, 90)]), trading=Trading(risk=rule))

    assert [(one.filled, one.side) for one in found.trades] == [(1, "buy"), (3, "sell"), (6, "buy")]


def test_a_rule_of_minutes_reads_them():
    bars = market([(10, 10)] * 3)
    said = Said(
        np.array([BUY, BUY, BUY], dtype=np.int8), minutes_to_close=np.array([3.0, 30.0, 29.0])
    )
    rules = Trading(risk=(NoLateEntry(minutes=15),))
    found = engine.run([bars], [said], rules, 100.0, NEXT_OPEN)

    assert [one.decided for one in found.trades] == [1]


def test_a_rule_that_never_binds_gives_the_fast_ways_orders():
    bars = market([(10, 11), (11, 12), (12, 11), (11, 10)], [(10, 10), (9, 9)])
    said = [[BUY, HOLD, SELL, BUY, BUY, HOLD]]
    free = Trading(risk=(MaximumShares(shares=1_000_000),))

    assert together(said, bars, trading=free).orders_hash == together(said, bars).orders_hash


def test_a_plan_says_how_to_trade():
    plan = read_plan(
        '[strategy]\nname = "sma_cross"\n[sizing]\nname = "fixed_shares"\n'
        '[execution]\nname = "orders"\n[execution.parameters]\nsides = "both"'
    )

    assert Trading.of(plan) == Trading(FixedShares(), (), Execution(sides="both"))


def test_as_specified_several_symbols_share_the_purse_alike():
    """1,000 USD: 500 for 5 shares at 100; then 500 for 50 at 10, while the first go."""
    spy, qqq = market([(100, 100)] * 3), market([(10, 10)] * 3, symbol="QQQ")
    found = together([[BUY, SELL, HOLD], [HOLD, BUY, BUY]], spy, qqq, mode=as_specified())

    assert [(one.symbol, one.side, one.filled, one.shares) for one in found.trades] == [
        (0, "buy", 0, 5),
        (0, "sell", 1, 5),
        (1, "buy", 1, 50),
    ]


def test_a_simulated_broker_says_what_is_owned_and_what_was_filled():
    bars = market([(10, 10), (10, 10)])
    broker = SimulatedBroker([bars], Execution(), 100.0, NEXT_OPEN)

    assert broker.account.cash == 100
    assert broker.account.shares("SPY") == 0
    assert broker.account.shares("QQQ") == 0
    assert list(broker.fills) == []


@pytest.mark.parametrize(
    ("markets", "said", "sentence"),
    [
        ([], [], "one market or more"),
        ([market([(1, 1)])] * 2, [Said.plainly([0])] * 2, "each symbol once"),
        ([market([(1, 1)])], [Said.plainly([0, 0])], "SPY has 1 bars and 2 signals"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(markets, said, sentence):
    with pytest.raises(CurveError, match=sentence):
        engine.run(markets, said, Trading(), 1_000.0, NEXT_OPEN)
