"""What filling promises: worked by hand, both ways. docs/fills.md is the same in words."""

import numpy as np
import pytest

from simulation_service.market import Mode, PricesError, as_specified, realistic
from strategy_service.costs import FREE, Costs, CostsError
from strategy_service.execution import Execution
from strategy_service.sizing import FixedShares
from tests.simulation_service.filling import (
    BUY,
    HOLD,
    NEXT_OPEN,
    SELL,
    both_ways,
    market,
    told,
    within,
)


@both_ways
def test_as_specified_by_hand(run):
    """1,000 USD: 9 shares at the close of 105, sold at 110; 10 at 100, worth 95 at the end."""
    bars = market([(100, 105), (106, 108), (109, 110), (111, 100), (99, 95)])
    found = run(bars, [BUY, BUY, SELL, BUY, HOLD], 1_000.0, as_specified())

    assert told(found) == [
        (0, "buy", 9, 105, "entry"),
        (2, "sell", 9, 110, "exit"),
        (3, "buy", 10, 100, "entry"),
    ]
    assert found.equity.tolist() == [1000, 1027, 1045, 1045, 995]
    assert found.held.tolist() == [[9, 9, 0, 10, 10]]


@both_ways
def test_as_specified_leaves_out_stops_caps_and_sizes(run):
    bars = market([(100, 100), (100, 50), (50, 50)])
    trading = within(stop_loss=0.01, flat_at_close="yes", entry="limit")
    found = run(bars, [BUY, HOLD, HOLD], 1_000.0, as_specified(), trading)

    assert told(found) == [(0, "buy", 10, 100, "entry")]


@both_ways
def test_realistic_by_hand(run):
    """10,000 USD at 100 with 1 % slippage and 1 USD a share: 98 shares at 101, and 98 USD of fees."""
    costs = Costs(slippage_bps=100, fee_per_share=1.0)
    bars = market([(90, 95), (100, 110), (120, 130), (140, 100)])
    found = run(bars, [BUY, HOLD, SELL, HOLD], 10_000.0, realistic(costs))

    buy, sell = found.trades
    assert (buy.decided, buy.filled, buy.shares) == (0, 1, 98)
    assert buy.price == pytest.approx(101)
    assert buy.amount == pytest.approx(98 * 101 + 98)
    assert buy.costs == pytest.approx(98 * 1 + 98)
    assert (sell.decided, sell.filled, sell.shares) == (2, 3, 98)
    assert sell.amount == pytest.approx(98 * 138.6 - 98)
    cash = 10_000 - (98 * 101 + 98)
    end = cash + 98 * 138.6 - 98
    assert found.equity.tolist() == pytest.approx([10_000, cash + 98 * 110, cash + 98 * 130, end])
    assert found.counts.cut == 1  # 103 shares were wanted at 95


@both_ways
def test_a_decision_at_the_last_bar_of_a_session_lapses_and_is_repeated_by_the_next(run):
    bars = market([(100, 100), (100, 100)], [(50, 50), (60, 60)])
    once = run(bars, [HOLD, BUY, HOLD, HOLD], 1_000.0, NEXT_OPEN)
    again = run(bars, [HOLD, BUY, BUY, HOLD], 1_000.0, NEXT_OPEN)

    assert len(once.orders) == 0
    assert once.counts.lapsed == 1
    assert told(again) == [(3, "buy", 16, 60, "entry")]
    assert once.counts.sentences == (
        "1 orders lapsed at the end of a session, unfilled or filled in part.",
    )


@both_ways
def test_as_specified_fills_at_the_last_bar_of_a_session_too(run):
    found = run(market([(100, 100)], [(50, 50)]), [BUY, HOLD], 1_000.0, as_specified())

    assert told(found) == [(0, "buy", 10, 100, "entry")]
    assert found.equity.tolist() == [1000, 500]


@both_ways
def test_selling_without_shares_and_buying_with_them_change_nothing(run):
    found = run(market([(10, 10)] * 5), [SELL, BUY, BUY, SELL, SELL], 100.0, as_specified())

    assert [one.side for one in found.trades] == ["buy", "sell"]


@both_ways
def test_cash_for_less_than_a_share_waits_until_it_pays_for_one(run):
    bars = market([(150, 150), (120, 120), (90, 90)])
    found = run(bars, [BUY, BUY, BUY], 100.0, as_specified())

    assert told(found) == [(2, "buy", 1, 90, "entry")]


@both_ways
def test_an_order_that_the_cash_no_longer_pays_for_is_refused(run):
    found = run(market([(90, 90), (120, 120)]), [BUY, HOLD], 100.0, NEXT_OPEN)

    assert len(found.orders) == 0
    assert found.counts.refused == 1


@both_ways
def test_no_signal_no_trade(run):
    found = run(market([(10, 10)] * 3), [HOLD, HOLD, HOLD], 100.0, realistic())

    assert found.equity.tolist() == [100, 100, 100]
    assert found.counts.sentences == ()


@both_ways
def test_a_minute_without_a_bar_fills_nothing_and_the_next_one_does(run):
    bars = market([(100, 100), (70, 70)], minutes=[0, 9])

    assert told(run(bars, [BUY, HOLD], 700.0, NEXT_OPEN)) == [(1, "buy", 7, 70, "entry")]


@both_ways
def test_a_halted_bar_fills_nothing_in_either_mode(run):
    bars = market([(100, 100), (101, 101), (102, 102)], halted=[True, True, False])

    assert told(run(bars, [BUY, HOLD, HOLD], 1_000.0, NEXT_OPEN)) == [(2, "buy", 9, 102, "entry")]
    assert len(run(bars, [BUY, HOLD, HOLD], 1_000.0, as_specified()).orders) == 0


@both_ways
def test_one_order_takes_its_share_of_the_volume_and_its_rest_waits_then_lapses(run):
    """A tenth of 55, 30 and 90 shares: 5, 3 and 9 of the 20 that were wanted; 3 lapse."""
    day = [(10, 10, 10, 10, volume) for volume in (500, 55, 30, 90)]
    capped = Mode("capped", "next_open", FREE, participation=0.1)
    found = run(market(day, day), [BUY] + [HOLD] * 7, 200.0, capped)

    assert [(one.filled, one.shares) for one in found.trades] == [(1, 5), (2, 3), (3, 9)]
    assert found.counts.lapsed == 1
    assert found.held[0, -1] == 17


@both_ways
def test_a_signal_of_the_other_direction_withdraws_what_waits(run):
    day = [(10, 10, 10, 10, volume) for volume in (500, 50, 50, 50)]
    capped = Mode("capped", "next_open", FREE, participation=0.1)
    found = run(market(day), [BUY, SELL, HOLD, HOLD], 200.0, capped)

    assert [(one.filled, one.side, one.shares) for one in found.trades] == [
        (1, "buy", 5),
        (2, "sell", 5),
    ]
    assert found.counts.withdrawn == 1


@both_ways
def test_fractions_of_a_share_are_bought_by_choice(run):
    trading = within(shares="fractional")
    found = run(market([(30, 30), (30, 30)]), [BUY, HOLD], 100.0, NEXT_OPEN, trading)

    assert found.trades[0].shares == 3.333333
    assert found.equity[-1] == pytest.approx(100)


@both_ways
def test_everything_is_sold_at_the_close_by_choice_with_slippage(run):
    mode = realistic(Costs(slippage_bps=100, fee_per_share=0))
    bars = market([(100, 100), (100, 110), (115, 120)], [(90, 90)])
    found = run(bars, [BUY, HOLD, HOLD, HOLD], 1_010.0, mode, within(flat_at_close="yes"))

    assert told(found) == [
        (1, "buy", 10, 101, "entry"),
        (2, "sell", 10, 118.8, "flat"),
    ]
    assert found.equity.tolist() == pytest.approx([1_010, 1_100, 1_188, 1_188])


@both_ways
def test_a_sizing_of_fixed_shares_buys_them(run):
    from simulation_service.trading import Trading

    trading = Trading(FixedShares(shares=3), (), Execution())

    assert told(run(market([(10, 10)] * 2), [BUY, HOLD], 100.0, NEXT_OPEN, trading)) == [
        (1, "buy", 3, 10, "entry")
    ]


@pytest.mark.parametrize("odd", [0.0, -3.0, float("nan"), float("inf")])
def test_a_price_nobody_can_trade_at_is_named(odd):
    with pytest.raises(PricesError, match="SPY has a price at 2024-07-01T13:31"):
        market([(1.0, 1.0), (odd, 1.0)])


def test_a_cap_that_cannot_be_is_named():
    with pytest.raises(CostsError, match="participation must be a number from 0, was -1"):
        realistic(participation=-1.0)


def test_a_mode_names_all_its_costs():
    facts = realistic(Costs(spread_bps=3.0), participation=0.1).facts

    assert facts["spread_bps"] == 3.0
    assert facts["participation"] == 0.1
    assert np.isfinite([value for value in facts.values() if not isinstance(value, str)]).all()
