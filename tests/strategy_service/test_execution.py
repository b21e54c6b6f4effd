"""What executions and regulators' fees promise: targets become orders, and fees are those of the day."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_service import regulatory
from strategy_service.costs import FREE, Costs
from strategy_service.execution import Execution
from strategy_service.signals import Direction, Signal
from strategy_service.situation import Situation
from strategy_service.sizing import AllIn, FixedShares

NOW = Situation("SPY", price=100.0, cash=10_000.0)
THEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
BUY, SELL = (Signal(one, 1.0, "so") for one in (Direction.BUY, Direction.SELL))
HOLD = Signal(Direction.HOLD, 0.0, "wait")


def asked(execution, target, held):
    found = execution.orders(target, replace(NOW, shares=held), THEN)
    return [(one.side, one.shares, one.kind, one.purpose) for one in found]


@pytest.mark.parametrize(
    ("sides", "signal", "held", "target"),
    [
        ("long", SELL, 5, 0),
        ("both", SELL, 0, -100),
        ("both", SELL, 50, -150),  # 15,000 USD in all once the 50 are sold
        ("both", BUY, -50, 50),  # 5,000 USD in all once the 50 are bought back
        ("short", BUY, -50, 0),
        ("short", SELL, -50, -50),
        ("both", HOLD, -50, -50),
    ],
)
def test_what_a_signal_means_for_each_side(sides, signal, held, target):
    now = replace(NOW, shares=held)

    assert Execution(sides=sides).target(AllIn(), signal, now) == target


def test_a_short_position_binds_its_worth_as_collateral():
    """10,000 USD, of which 4,000 are from a short sale: 6,000 of equity, 4,000 of it bound."""
    now = replace(NOW, shares=-40)

    assert now.equity == 6_000
    assert now.free == 2_000
    assert Execution(sides="both").target(FixedShares(shares=70), SELL, now) == -60
    assert replace(NOW, others=-4_000.0, others_gross=4_000.0).free == 2_000


@pytest.mark.parametrize(
    ("target", "held", "orders"),
    [
        (10, 10, []),
        (10, 4, [("buy", 6, "market", "entry")]),
        (4, 10, [("sell", 6, "market", "exit")]),
        (0, -10, [("buy", 10, "market", "exit")]),
        (-3, 10, [("sell", 10, "market", "exit"), ("sell", 3, "market", "entry")]),
        (-8, -3, [("sell", 5, "market", "entry")]),
        (-3, -8, [("buy", 5, "market", "exit")]),
    ],
)
def test_a_target_becomes_orders_that_close_before_they_open(target, held, orders):
    assert asked(Execution(), target, held) == orders


@given(target=st.integers(-100, 100), held=st.integers(-100, 100))
def test_the_orders_of_a_target_reach_it(target, held):
    moves = [
        (1 if side == "buy" else -1) * size for side, size, _, _ in asked(Execution(), target, held)
    ]

    assert held + sum(moves) == target


def test_a_limit_lies_below_the_close_to_buy_and_above_to_sell():
    limited = Execution(entry="limit", limit_bps=50.0)
    (buy,), (sell,) = (list(limited.orders(one, NOW, THEN)) for one in (5, -5))

    assert (buy.kind, buy.limit) == ("limit", pytest.approx(99.5))
    assert (sell.kind, sell.limit) == ("limit", pytest.approx(100.5))


def test_fractions_are_millionths():
    now = replace(NOW, cash=100.0, price=30.0, whole=False)

    assert Execution(shares="fractional").target(AllIn(), BUY, now) == 3.333333


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        (date(2019, 4, 15), 13.0e-6),
        (date(2019, 4, 16), 20.7e-6),
        (date(2020, 2, 18), 22.1e-6),
        (date(2021, 2, 25), 5.1e-6),
        (date(2010, 1, 1), 0.0),
    ],
)
def test_section_31_has_the_rate_of_the_day(day, rate):
    assert regulatory.rates(day).section_31 == pytest.approx(rate)


def test_regulators_take_of_sales_up_to_a_bound_and_of_both_for_the_audit():
    costs = Costs(slippage_bps=0, fee_per_share=0, regulatory=True)
    rates = costs.rates(date(2025, 1, 2))

    assert costs.fee(1_000, 10.0, "buy", rates) == pytest.approx(1_000 * 53e-6)
    assert costs.fee(100_000, 10.0, "sell", rates) == pytest.approx(27.8 + 8.30 + 5.3)
    assert FREE.rates(date(2025, 1, 2)) == regulatory.NONE


def test_every_rate_has_its_date_in_order_and_its_source():
    for table in (regulatory.SECTION_31, regulatory.ACTIVITY, regulatory.AUDIT):
        days = [one.first for one in table]
        assert days == sorted(set(days))
        assert all(one.source and one.value >= 0 for one in table)
    assert [day for day, _ in regulatory.changes()] == sorted(
        {day for day, _ in regulatory.changes()}
    )


def test_facts_of_costs_name_all_of_them():
    assert Costs().facts == {
        "slippage_bps": 1.0,
        "fee_per_share": 0.001,
        "fee_percent": 0.0,
        "spread_bps": 0.0,
        "volume_share": 0.0,
        "fee_per_order": 0.0,
        "regulatory": False,
        "borrow_percent": 3.0,
    }
