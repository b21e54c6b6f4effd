"""What filling promises: worked by hand, never flattering, and the fast way is the slow way."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation_service import fast, reference
from simulation_service.market import Market, Mode, PricesError, as_specified, realistic
from strategy_service.costs import FREE, Costs

BUY, HOLD, SELL = 1, 0, -1
DAYS = [date(2024, 7, 1), date(2024, 7, 2), date(2024, 7, 3)]


def market(*sessions: list[tuple[float, float]]) -> Market:
    """Bars as (open, close), a minute apart; a list a session."""
    rows = [
        {
            "timestamp": datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC)
            + timedelta(minutes=minute),
            "session_date": day,
            "open": opening,
            "close": close,
        }
        for day, bars in zip(DAYS, sessions, strict=False)
        for minute, (opening, close) in enumerate(bars)
    ]
    return Market.of("SPY", pl.DataFrame(rows))


both_ways = pytest.mark.parametrize("run", [fast.run, reference.run], ids=["fast", "reference"])
next_open = Mode("next_open", "next_open", FREE)


def signals(*wanted: int) -> np.ndarray:
    return np.array(wanted, dtype=np.int8)


@both_ways
def test_as_specified_by_hand(run):
    """1,000 USD: 9 shares at the close of 105, sold at 110; 9 at 100, worth 95 at the end."""
    bars = market([(100, 105), (106, 108), (109, 110), (111, 100), (99, 95)])
    found = run(bars, signals(BUY, BUY, SELL, BUY, HOLD), 1_000.0, as_specified())

    assert [(one.filled, one.side, one.shares, one.price) for one in found.trades] == [
        (0, "buy", 9, 105),
        (2, "sell", 9, 110),
        (3, "buy", 10, 100),
    ]
    assert found.equity.tolist() == [1000, 1027, 1045, 1045, 995]
    assert found.held.tolist() == [9, 9, 0, 10, 10]


@both_ways
def test_realistic_by_hand(run):
    """10,000 USD at 100 with 1 % slippage and 1 USD a share: 98 shares at 101, and 98 USD of fees."""
    costs = Costs(slippage_bps=100, fee_per_share=1.0)
    bars = market([(90, 95), (100, 110), (120, 130), (140, 100)])
    found = run(bars, signals(BUY, HOLD, SELL, HOLD), 10_000.0, realistic(costs))

    buy, sell = found.trades
    assert (buy.decided, buy.filled, buy.shares) == (0, 1, 98)
    assert buy.price == pytest.approx(101)
    assert buy.amount == pytest.approx(98 * 101 + 98)
    assert buy.costs == pytest.approx(98 * 1 + 98)
    assert (sell.decided, sell.filled, sell.shares) == (2, 3, 98)
    assert sell.price == pytest.approx(138.6)
    assert sell.amount == pytest.approx(98 * 138.6 - 98)
    cash = 10_000 - (98 * 101 + 98)
    end = cash + 98 * 138.6 - 98
    assert found.equity.tolist() == pytest.approx([10_000, cash + 98 * 110, cash + 98 * 130, end])


@both_ways
def test_a_decision_at_the_last_bar_of_a_session_lapses(run):
    bars = market([(100, 100), (100, 100)], [(50, 50), (60, 60)])
    found = run(bars, signals(HOLD, BUY, HOLD, HOLD), 1_000.0, next_open)

    assert found.trades == ()


@both_ways
def test_a_lapsed_decision_is_repeated_by_the_next_signal(run):
    bars = market([(100, 100), (100, 100)], [(50, 50), (60, 60)])
    found = run(bars, signals(HOLD, BUY, BUY, HOLD), 1_000.0, next_open)

    assert [(one.decided, one.filled, one.price) for one in found.trades] == [(2, 3, 60)]


@both_ways
def test_as_specified_fills_at_the_last_bar_of_a_session_too(run):
    bars = market([(100, 100), (100, 100)], [(50, 50)])
    found = run(bars, signals(HOLD, BUY, HOLD), 1_000.0, as_specified())

    assert [(one.filled, one.price) for one in found.trades] == [(1, 100)]
    assert found.equity.tolist() == [1000, 1000, 500]


@both_ways
def test_selling_without_shares_and_buying_with_them_change_nothing(run):
    bars = market([(10, 10)] * 5)
    found = run(bars, signals(SELL, BUY, BUY, SELL, SELL), 100.0, as_specified())

    assert [one.side for one in found.trades] == ["buy", "sell"]


@both_ways
def test_cash_for_less_than_a_share_waits_until_it_pays_for_one(run):
    bars = market([(150, 150), (120, 120), (90, 90)])
    found = run(bars, signals(BUY, BUY, BUY), 100.0, as_specified())

    assert [(one.filled, one.shares) for one in found.trades] == [(2, 1)]


@both_ways
def test_no_signal_no_trade(run):
    found = run(market([(10, 10)] * 3), signals(HOLD, HOLD, HOLD), 100.0, realistic())

    assert found.trades == ()
    assert found.equity.tolist() == [100, 100, 100]


price = st.integers(1, 30_000).map(lambda cents: cents / 100)
sessions = st.lists(
    st.lists(st.tuples(price, price), min_size=1, max_size=12), min_size=1, max_size=3
)
rates = st.floats(0, 200)
modes = st.one_of(
    st.just(as_specified()),
    st.builds(
        lambda slippage, fee, percent: realistic(Costs(slippage, fee, percent)),
        rates,
        st.floats(0, 1),
        st.floats(0, 2),
    ),
)


@settings(max_examples=300, deadline=None)
@given(bars=sessions, mode=modes, cash=st.floats(1, 1e5), data=st.data())
def test_the_fast_way_gives_the_orders_and_the_curve_of_the_slow_one(bars, mode, cash, data):
    prices = market(*bars)
    rows = len(prices.close)
    wanted = data.draw(st.lists(st.sampled_from([BUY, HOLD, SELL]), min_size=rows, max_size=rows))
    slow = reference.run(prices, wanted, cash, mode)
    quick = fast.run(prices, signals(*wanted), cash, mode)

    assert quick.trades == slow.trades
    assert quick.held.tolist() == slow.held.tolist()
    np.testing.assert_allclose(quick.equity, slow.equity, rtol=0, atol=0.005)
    assert quick.orders_hash == slow.orders_hash


@settings(max_examples=100, deadline=None)
@given(bars=sessions, mode=modes, cash=st.floats(1, 1e5), data=st.data())
def test_the_future_never_changes_the_past_of_a_curve(bars, mode, cash, data):
    prices = market(*bars)
    rows = len(prices.close)
    wanted = data.draw(st.lists(st.sampled_from([BUY, HOLD, SELL]), min_size=rows, max_size=rows))
    seen = data.draw(st.integers(1, rows))
    so_far = Market.of("SPY", prices.bars.head(seen))

    whole = fast.run(prices, signals(*wanted), cash, mode)
    part = fast.run(so_far, signals(*wanted[:seen]), cash, mode)

    np.testing.assert_array_equal(whole.equity[:seen], part.equity)


@settings(max_examples=100, deadline=None)
@given(bars=sessions, mode=modes, cash=st.floats(1, 1e5), data=st.data())
def test_cash_is_never_owed(bars, mode, cash, data):
    prices = market(*bars)
    rows = len(prices.close)
    wanted = data.draw(st.lists(st.sampled_from([BUY, HOLD, SELL]), min_size=rows, max_size=rows))
    found = fast.run(prices, signals(*wanted), cash, mode)

    assert (found.equity - found.held * prices.close >= -1e-6).all()


@pytest.mark.parametrize("odd", [0.0, -3.0, float("nan"), float("inf")])
def test_a_price_nobody_can_trade_at_is_named(odd):
    with pytest.raises(PricesError, match="SPY has a price at 2024-07-01T13:31"):
        market([(1.0, 1.0), (odd, 1.0)])
