"""What costs, short positions, splits and dividends do to the purse: worked by hand, both ways."""

from datetime import date

import pytest

from simulation_service.market import Mode, realistic
from simulation_service.round_trips import round_trips
from strategy_service.costs import FREE, Costs
from tests.simulation_service.filling import (
    BUY,
    DAYS,
    HOLD,
    NEXT_OPEN,
    SELL,
    both_ways,
    dividends,
    market,
    splits,
    told,
    within,
)

DAY = [(100, 100), (100, 100)]


def charging(**costs) -> Mode:
    chosen = {"slippage_bps": 0.0, "fee_per_share": 0.0, "borrow_percent": 0.0, **costs}
    return realistic(Costs(**chosen))


@both_ways
def test_half_the_spread_is_paid_each_way(run):
    bars = market([(100, 100), (100, 100), (100, 100)])
    found = run(bars, [BUY, SELL, HOLD], 1_010.0, charging(spread_bps=200.0))

    assert told(found) == [(1, "buy", 10, 101, "entry"), (2, "sell", 10, 99, "exit")]


@both_ways
def test_the_price_moves_by_the_square_of_the_share_of_the_volume(run):
    """100 of 1,000 shares are a tenth: 0.1 x 0.01 of the price each way."""
    bars = market([(10, 10), (10, 10), (10, 10)])
    found = run(bars, [BUY, SELL, HOLD], 1_001.0, charging(volume_share=0.1))

    assert told(found) == [(1, "buy", 100, 10.01, "entry"), (2, "sell", 100, 9.99, "exit")]


@both_ways
def test_a_bar_without_volume_fills_nothing_where_volume_decides(run):
    bars = market([(10, 10), (10, 10, 10, 10, 0), (11, 11, 11, 11, 1_000)])

    assert run(bars, [BUY, HOLD, HOLD], 100.0, charging(volume_share=0.1)).trades[0].filled == 2
    assert run(bars, [BUY, HOLD, HOLD], 100.0, NEXT_OPEN).trades[0].filled == 1


@both_ways
def test_a_fee_of_an_order_is_paid_for_each(run):
    found = run(market([(100, 100)] * 3), [BUY, SELL, HOLD], 1_001.0, charging(fee_per_order=1.0))

    assert found.equity[-1] == pytest.approx(999)
    assert found.orders.costs.tolist() == [1, 1]


@both_ways
def test_regulators_take_what_they_took_on_the_day(run):
    """1 July 2024, 10 shares of 100: 27.80 of a million sold and 166 of a million shares, no audit yet."""
    found = run(market([(100, 100)] * 3), [BUY, SELL, HOLD], 1_000.0, charging(regulatory=True))

    assert found.orders.costs.tolist() == pytest.approx([0, 1_000 * 27.8e-6 + 10 * 166e-6])


@both_ways
def test_a_short_position_earns_when_the_price_falls(run):
    bars = market([(100, 100), (100, 90), (80, 80)])
    found = run(bars, [SELL, BUY, HOLD], 1_000.0, NEXT_OPEN, within(sides="short"))

    assert told(found) == [(1, "sell", 10, 100, "entry"), (2, "buy", 10, 80, "exit")]
    assert found.held.tolist() == [[0, -10, 0]]
    assert found.equity.tolist() == [1_000, 1_100, 1_200]


@both_ways
def test_with_both_sides_a_position_is_closed_before_the_other_is_opened(run):
    bars = market([(100, 100), (100, 110), (110, 110), (110, 110)])
    found = run(bars, [BUY, SELL, HOLD, HOLD], 1_000.0, NEXT_OPEN, within(sides="both"))

    assert told(found) == [
        (1, "buy", 10, 100, "entry"),
        (2, "sell", 10, 110, "exit"),
        (2, "sell", 10, 110, "entry"),
    ]


@both_ways
def test_a_short_is_worth_no_more_than_the_equity(run):
    """12 shares at 80 were wanted; at 120 the 1,000 USD are collateral for 8."""
    bars = market([(80, 80), (120, 120)])
    found = run(bars, [SELL, HOLD], 1_000.0, NEXT_OPEN, within(sides="short"))

    assert told(found) == [(1, "sell", 8, 120, "entry")]
    assert found.counts.cut == 1


@both_ways
def test_a_short_pays_for_each_night(run):
    """10 shares of 100 at 25.2 % a year are a dollar a session."""
    bars = market(DAY, DAY, DAY)
    found = run(
        bars, [SELL] + [HOLD] * 5, 1_000.0, charging(borrow_percent=25.2), within(sides="short")
    )

    assert found.equity.tolist() == pytest.approx([1_000, 1_000, 999, 999, 998, 998])
    assert found.borrowed == pytest.approx(2)
    trips = round_trips(found)
    assert (trips["received"] - trips["paid"]).to_list() == pytest.approx([-2])


@both_ways
def test_a_dividend_goes_to_who_held_over_the_night(run):
    bars = market(DAY, DAY, DAY, dividends=dividends(DAYS[1], 2.5))
    held = run(bars, [BUY] + [HOLD] * 5, 1_000.0, NEXT_OPEN)
    late = run(bars, [HOLD, HOLD, BUY] + [HOLD] * 3, 1_000.0, NEXT_OPEN)
    owed = run(bars, [SELL] + [HOLD] * 5, 1_000.0, NEXT_OPEN, within(sides="short"))

    assert held.equity.tolist() == [1_000, 1_000, 1_025, 1_025, 1_025, 1_025]
    assert (held.dividends, late.dividends, owed.dividends) == (25, 0, -25)
    assert late.equity[-1] == 1_000


@both_ways
def test_a_dividend_of_a_day_without_bars_comes_with_the_next_ones(run):
    bars = market(DAY, DAY, DAY, DAY, dividends=dividends(date(2024, 7, 4), 1.0))

    assert run(bars, [BUY] + [HOLD] * 7, 1_000.0, NEXT_OPEN).income.row.tolist() == [6]


@both_ways
def test_a_split_changes_shares_and_not_what_they_are_worth(run):
    bars = market(DAY, [(50, 50), (55, 55)], splits=splits(DAYS[1], 2))
    found = run(bars, [BUY, HOLD, SELL, HOLD], 1_000.0, NEXT_OPEN)

    assert found.held.tolist() == [[0, 10, 20, 0]]
    assert found.equity.tolist() == [1_000, 1_000, 1_000, 1_100]
    assert told(found)[1] == (3, "sell", 20, 55, "exit")


@both_ways
def test_a_fraction_of_a_share_is_paid_out_at_the_open(run):
    """7 shares at 3 for 2 are 10 and a half; the half is worth 33 at an open of 66."""
    bars = market(DAY, [(66, 60), (60, 60)], splits=splits(DAYS[1], 1.5))
    found = run(bars, [BUY, HOLD, HOLD, HOLD], 700.0, NEXT_OPEN)

    assert told(found)[1] == (2, "sell", 0.5, 66, "cash_in_lieu")
    assert found.held[0, -1] == 10
    assert found.equity[-1] == 33 + 600
    fractional = run(bars, [BUY, HOLD, HOLD, HOLD], 700.0, NEXT_OPEN, within(shares="fractional"))
    assert fractional.held[0, -1] == 10.5


@both_ways
def test_a_reverse_split_may_leave_nothing_and_ends_the_round_trip(run):
    bars = market(DAY, [(1_000, 1_000), (1_000, 1_000)], splits=splits(DAYS[1], 0.1))
    found = run(bars, [BUY, HOLD, HOLD, HOLD], 700.0, NEXT_OPEN)

    assert found.held.tolist() == [[0, 7, 0, 0]]
    assert found.equity[-1] == pytest.approx(700)
    assert round_trips(found)["open"].to_list() == [False]


@both_ways
def test_stops_are_in_the_shares_of_the_day(run):
    """Bought at 100, two for one: the stop of 95 is 47.5."""
    bars = market(DAY, [(50, 51, 47.5, 48), (48, 48)], splits=splits(DAYS[1], 2))
    found = run(bars, [BUY, HOLD, HOLD, HOLD], 1_000.0, NEXT_OPEN, within(stop_loss=0.05))
    trailing = run(bars, [BUY, HOLD, HOLD, HOLD], 1_000.0, NEXT_OPEN, within(trailing_stop=0.05))

    assert told(found)[1] == (2, "sell", 20, 47.5, "stop_loss")
    assert told(trailing)[1] == (2, "sell", 20, 47.5, "trailing_stop")


@both_ways
def test_a_dividend_counts_the_shares_before_a_split_of_the_same_day(run):
    both = {"splits": splits(DAYS[1], 2), "dividends": dividends(DAYS[1], 1.0)}
    bars = market(DAY, [(50, 50), (50, 50)], **both)

    assert run(bars, [BUY, HOLD, HOLD, HOLD], 1_000.0, NEXT_OPEN).dividends == 10


@both_ways
def test_a_loss_beyond_everything_is_bought_back_all_the_same(run):
    bars = market([(100, 100), (100, 100), (300, 300)])
    mode = Mode("next_open", "next_open", FREE)
    found = run(bars, [SELL, BUY, BUY], 1_000.0, mode, within(sides="both"))

    assert told(found)[1] == (2, "buy", 10, 300, "exit")
    assert found.equity[-1] == -1_000
    assert found.counts.refused == 1
