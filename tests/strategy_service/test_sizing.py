"""What sizing and costs promise: whole shares, never more than the cash, nothing for free."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_service.costs import FREE, Costs, CostsError
from strategy_service.sizing import all_in

money = st.floats(0.01, 1e7)
rates = st.floats(0, 5)
costs = st.builds(Costs, slippage_bps=rates, fee_per_share=rates, fee_percent=rates)


@given(cash=money, price=money, costs=costs)
def test_the_cash_pays_for_the_shares_and_their_fees(cash, price, costs):
    shares = all_in(cash, price, costs)

    assert shares >= 0
    assert shares * price + costs.fee(shares, price) <= cash


@given(cash=st.floats(1, 1e6), price=st.floats(0.5, 1e4), costs=costs)
def test_one_share_more_would_not_be_paid_for(cash, price, costs):
    more = all_in(cash, price, costs) + 1

    assert more * price + costs.fee(more, price) > cash * (1 - 1e-9)


def test_a_thousand_dollars_buy_nine_shares_of_a_hundred_with_a_dollar_each_to_pay():
    assert all_in(1_000.0, 100.0, FREE) == 10
    assert all_in(1_000.0, 100.0, Costs(slippage_bps=0, fee_per_share=1.0)) == 9


def test_slippage_is_against_the_trader_on_both_sides():
    ten = Costs(slippage_bps=10.0)

    assert ten.buy_price(100.0) == pytest.approx(100.1)
    assert ten.sell_price(100.0) == pytest.approx(99.9)


def test_fees_are_per_share_and_of_the_amount():
    both = Costs(slippage_bps=0.0, fee_per_share=0.01, fee_percent=0.1)

    assert both.fee(200, 50.0) == pytest.approx(200 * 0.01 + 10_000 * 0.001)


def test_fees_never_take_more_than_the_amount_traded():
    assert Costs(fee_per_share=1.0).fee(10, 0.25) == pytest.approx(2.5)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_cost_that_cannot_be_is_named(value):
    with pytest.raises(CostsError, match="fee_per_share must be a number from 0"):
        Costs(fee_per_share=value)
