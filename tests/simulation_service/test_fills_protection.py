"""What limits, stops, take-profits and trailing stops promise: the table of docs/fills.md, a row a test."""

import pytest

from simulation_service.market import Mode, realistic
from strategy_service.costs import FREE, Costs
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

SLIPPED = realistic(Costs(slippage_bps=100, fee_per_share=0.0))
ENTER = [(100, 100), (100, 100, 100, 100)]
BOUGHT = (1, "buy", 10, 100, "entry")
GUARDED = {"stop_loss": 0.05, "take_profit": 0.05}


def after_entry(run, *bars, mode=NEXT_OPEN, cash=1_000.0, **execution):
    """10 shares bought at 100 in bar 1, then some bars."""
    said = [BUY, HOLD] + [HOLD] * len(bars)
    return told(run(market([*ENTER, *bars]), said, cash, mode, within(**execution)))


@both_ways
@pytest.mark.parametrize(
    ("bar", "fill"),
    [
        ((100, 101, 95, 98), (95, "stop_loss")),  # touching is enough
        ((100, 101, 95.01, 98), None),
        ((90, 99, 89, 98), (90, "stop_loss")),  # jumped over: the open
        ((100, 105.01, 99, 101), (105, "take_profit")),
        ((100, 105, 99, 101), None),  # touching is not enough
        ((107, 108, 106, 107), (107, "take_profit")),  # a better open
        ((100, 106, 95, 105), (95, "stop_loss")),  # both: the stop
        ((105, 110, 90, 91), (105, "take_profit")),  # the open was there before the stop
    ],
)
def test_stop_and_take_profit_of_a_long_position(run, bar, fill):
    expected = [BOUGHT] if fill is None else [BOUGHT, (2, "sell", 10, *fill)]

    assert after_entry(run, bar, **GUARDED) == expected


@both_ways
@pytest.mark.parametrize(
    ("bar", "fill"),
    [
        ((100, 105, 99, 98), (105, "stop_loss")),
        ((110, 111, 99, 98), (110, "stop_loss")),
        ((100, 101, 94.99, 98), (95, "take_profit")),
        ((100, 101, 95, 98), None),
        ((93, 94, 92, 93), (93, "take_profit")),
        ((100, 106, 94, 95), (105, "stop_loss")),
    ],
)
def test_a_short_position_is_the_mirror(run, bar, fill):
    said = [SELL, HOLD, HOLD]
    found = run(market([*ENTER, bar]), said, 1_000.0, NEXT_OPEN, within(sides="short", **GUARDED))
    opened = (1, "sell", 10, 100, "entry")

    assert told(found) == ([opened] if fill is None else [opened, (2, "buy", 10, *fill)])


@both_ways
def test_stops_slip_and_take_profits_do_not(run):
    """Bought at 101: the stop stands at 95.95, the take-profit at 106.05."""
    stopped = after_entry(run, (100, 101, 95, 98), mode=SLIPPED, cash=1_010.0, **GUARDED)
    won = after_entry(run, (100, 110, 99, 98), mode=SLIPPED, cash=1_010.0, **GUARDED)
    better = after_entry(run, (106.5, 110, 99, 98), mode=SLIPPED, cash=1_010.0, **GUARDED)

    assert stopped[1] == (2, "sell", 10, pytest.approx(95.95 * 0.99), "stop_loss")
    assert won[1] == (2, "sell", 10, pytest.approx(106.05), "take_profit")
    assert better[1] == (2, "sell", 10, pytest.approx(106.05), "take_profit")  # not 105.44


@both_ways
def test_in_the_bar_of_an_entry_at_the_open_both_may_fill_and_the_stop_comes_first(run):
    for bar, expected in [
        ((100, 106, 99, 100), (105, "take_profit")),
        ((100, 101, 94, 100), (95, "stop_loss")),
        ((100, 106, 94, 100), (95, "stop_loss")),
    ]:
        found = run(market([(100, 100), bar]), [BUY, HOLD], 1_000.0, NEXT_OPEN, within(**GUARDED))

        assert told(found) == [BOUGHT, (1, "sell", 10, *expected)]


@both_ways
def test_a_stop_above_the_open_of_its_entry_fills_at_the_open(run):
    """10 % slippage, 1 % stop: paid 110, the stop stands at 108.9, above anything the bar saw."""
    mode = realistic(Costs(slippage_bps=1_000, fee_per_share=0.0))
    bars = market([(100, 100), (100, 101, 99, 100)])
    found = run(bars, [BUY, HOLD], 1_101.0, mode, within(stop_loss=0.01))

    assert told(found)[1] == (1, "sell", 10, pytest.approx(90), "stop_loss")


@both_ways
def test_a_trailing_stop_follows_the_best_price_of_the_bars_before(run):
    # 120 is the best of bar 2; bar 3 rises to 200 and falls to 108 within itself: the stop is 108.
    found = after_entry(run, (100, 120, 110, 115), (115, 200, 108, 150), trailing_stop=0.1)

    assert found == [BOUGHT, (3, "sell", 10, 108, "trailing_stop")]


@both_ways
def test_of_two_stops_the_nearer_one_holds(run):
    early = after_entry(run, (100, 101, 91, 95), trailing_stop=0.1, stop_loss=0.05)
    late = after_entry(
        run, (100, 120, 99, 115), (115, 116, 90, 95), trailing_stop=0.1, stop_loss=0.05
    )

    assert early[1] == (2, "sell", 10, 95, "stop_loss")
    assert late[1] == (3, "sell", 10, 108, "trailing_stop")


LIMIT = {"entry": "limit", "limit_bps": 100}  # 99 for a close of 100


@both_ways
@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((100, 101, 98.99, 100), 99),  # through it
        ((100, 101, 99, 100), None),  # touching is not enough
        ((98, 100, 97, 99), 98),  # a better open
        ((99, 100, 99, 99), 99),  # the open is at it
    ],
)
def test_a_limit_to_buy(run, bar, price):
    found = run(market([(100, 100), bar]), [BUY, HOLD], 1_000.0, NEXT_OPEN, within(**LIMIT))

    assert told(found) == ([] if price is None else [(1, "buy", 10, price, "entry")])


@both_ways
def test_a_limit_is_never_filled_worse(run):
    bars = market([(100, 100), (98.5, 99, 98, 99)])

    assert told(run(bars, [BUY, HOLD], 990.0, SLIPPED, within(**LIMIT))) == [
        (1, "buy", 9, 99, "entry")  # 98.5 and 1 % of it is more than the limit
    ]


@both_ways
def test_a_limit_waits_for_the_session_and_lapses(run):
    quiet, deep = (100, 100), (100, 100, 90, 95)
    later = run(
        market([(100, 100), quiet, deep]), [BUY, BUY, HOLD], 990.0, NEXT_OPEN, within(**LIMIT)
    )
    lapsed = run(
        market([(100, 100), quiet], [deep]), [BUY, HOLD, HOLD], 990.0, NEXT_OPEN, within(**LIMIT)
    )

    assert [(one.decided, one.filled) for one in later.trades] == [(0, 2)]
    assert (len(lapsed.orders), lapsed.counts.lapsed) == (0, 1)


@both_ways
def test_in_the_bar_of_an_entry_within_it_only_the_stop_fills(run):
    """Bought at 99 within the bar: the take-profit of 100.98 waits, the stop of 97.02 does not."""
    guard = {**LIMIT, "stop_loss": 0.02, "take_profit": 0.02}
    won = run(
        market([(100, 100), (100, 120, 98, 110)]), [BUY, HOLD], 1_000.0, NEXT_OPEN, within(**guard)
    )
    lost = run(
        market([(100, 100), (100, 120, 97, 110)]), [BUY, HOLD], 1_000.0, NEXT_OPEN, within(**guard)
    )

    assert told(won) == [(1, "buy", 10, 99, "entry")]
    assert told(lost)[1] == (1, "sell", 10, 97.02, "stop_loss")


@both_ways
def test_a_stop_withdraws_what_waits_and_a_repeated_signal_enters_again(run):
    bars = market([*ENTER, (100, 100, 90, 92), (93, 93)])
    found = run(bars, [BUY, HOLD, BUY, HOLD], 1_000.0, NEXT_OPEN, within(stop_loss=0.05))

    assert told(found)[1:] == [(2, "sell", 10, 95, "stop_loss"), (3, "buy", 10, 93, "entry")]


@both_ways
def test_what_the_cap_leaves_of_a_stop_goes_on_as_a_market_order(run):
    mode = Mode("capped", "next_open", FREE, participation=0.1)
    bars = market(
        [(100, 100), (100, 100, 100, 100, 100), (100, 100, 90, 99, 60), (102, 103, 102, 103, 900)]
    )
    found = run(bars, [BUY, HOLD, BUY, HOLD], 1_000.0, mode, within(stop_loss=0.05))

    assert told(found)[1:] == [
        (2, "sell", 6, 95, "stop_loss"),
        (3, "sell", 4, 102, "stop_loss"),
    ]


@both_ways
def test_a_halted_bar_stops_nothing_and_the_next_open_does(run):
    bars = market([*ENTER, (100, 100, 80, 85), (84, 85)], halted=[False, False, True, False])
    found = run(bars, [BUY, HOLD, HOLD, HOLD], 1_000.0, NEXT_OPEN, within(stop_loss=0.05))

    assert told(found)[1] == (3, "sell", 10, 84, "stop_loss")


@both_ways
def test_stops_live_through_the_night(run):
    bars = market(ENTER, [(80, 81)])
    found = run(bars, [BUY, HOLD, HOLD], 1_000.0, NEXT_OPEN, within(stop_loss=0.05))

    assert told(found)[1] == (2, "sell", 10, 80, "stop_loss")
