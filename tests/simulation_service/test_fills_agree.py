"""What always holds of fills: both ways agree to the cent, no money appears, the future changes nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulation_service.market import Market
from simulation_service.round_trips import round_trips
from simulation_service.trading import Said
from tests.simulation_service.filling import modes as any_mode
from tests.simulation_service.filling import (
    quickly,
    sayings,
    slowly,
    thin_markets,
    tradings,
)

lenient = settings(deadline=None, suppress_health_check=list(HealthCheck))
money = st.sampled_from([30.0, 1_000.0, 25_000.0])


@settings(lenient, max_examples=250)
@given(one=thin_markets(), mode=any_mode, trading=tradings, cash=money, data=st.data())
def test_the_fast_way_gives_the_orders_and_the_curve_of_the_slow_one(
    one, mode, trading, cash, data
):
    said = data.draw(sayings(one))
    slow, quick = (way(one, said, cash, mode, trading) for way in (slowly, quickly))

    for name in ("decided", "filled", "sides", "purpose"):
        assert getattr(quick.orders, name).tolist() == getattr(slow.orders, name).tolist()
    for name in ("shares", "price", "costs", "amount", "after"):
        mine, theirs = getattr(quick.orders, name), getattr(slow.orders, name)
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(quick.equity, slow.equity, rtol=1e-12, atol=1e-6)
    np.testing.assert_allclose(quick.held, slow.held, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(quick.income.amount, slow.income.amount, rtol=1e-12, atol=1e-9)
    assert quick.income.row.tolist() == slow.income.row.tolist()
    assert quick.counts == slow.counts
    assert quick.orders_hash == slow.orders_hash


@settings(lenient, max_examples=60)
@given(one=thin_markets(), mode=any_mode, trading=tradings, cash=money, data=st.data())
def test_profits_of_round_trips_are_what_the_purse_gained(one, mode, trading, cash, data):
    run = quickly(one, data.draw(sayings(one)), cash, mode, trading)
    trips = round_trips(run)

    gained = (trips["received"] - trips["paid"]).sum()
    assert gained == pytest.approx(run.equity[-1] - cash, abs=1e-6)
    assert trips["costs"].sum() == pytest.approx(run.orders.costs.sum())
    assert trips["open"].sum() == (run.held[0, -1] != 0)


@settings(lenient, max_examples=60)
@given(one=thin_markets(), mode=any_mode, trading=tradings, cash=money, data=st.data())
def test_the_future_never_changes_the_past_of_a_curve(one, mode, trading, cash, data):
    # The last bar there is counts as its session's last, so flat at the close must be off.
    trading = replace(trading, execution=replace(trading.execution, flat_at_close="no"))
    said = data.draw(sayings(one))
    seen = data.draw(st.integers(1, len(one.close)))
    so_far = Market.of("SPY", one.bars.head(seen), halted=one.halted[:seen])
    so_far = replace(
        so_far,
        splits=tuple(each for each in one.splits if each.row < seen),
        dividends=tuple(each for each in one.dividends if each.row < seen),
    )
    part = Said(said.directions[:seen], said.strengths[:seen], said.volatility[:seen])

    whole = quickly(one, said, cash, mode, trading)
    known = quickly(so_far, part, cash, mode, trading)

    np.testing.assert_array_equal(whole.equity[:seen], known.equity)


@settings(lenient, max_examples=60)
@given(one=thin_markets(), mode=any_mode, trading=tradings, cash=money, data=st.data())
def test_no_order_spends_more_than_there_is(one, mode, trading, cash, data):
    run = quickly(one, data.draw(sayings(one)), cash, mode, trading)
    purse, owed = cash, 0.0
    came = zip(run.income.row, run.income.amount, strict=True)
    moments = [(row, 0, amount, None) for row, amount in came]
    moments += [(each.filled, 1, 0.0, each) for each in run.trades]
    for _, _, income, order in sorted(moments, key=lambda each: each[:2]):
        if order is None:
            purse += income
            continue
        purse += order.amount if order.side == "sell" else -order.amount
        owed = max(-order.after, 0.0)
        if order.purpose == "entry" and order.side == "buy":
            assert purse >= -1e-6
        if order.purpose == "entry" and order.side == "sell":
            # What was sold short is worth no more than all there is.
            assert purse - owed * order.price >= owed * order.price - 1e-6 * (1 + abs(purse))


@settings(lenient, max_examples=60)
@given(one=thin_markets(), mode=any_mode, trading=tradings, cash=money, data=st.data())
def test_sides_fractions_halts_and_sessions_are_kept(one, mode, trading, cash, data):
    run = quickly(one, data.draw(sayings(one)), cash, mode, trading)
    execution, held = trading.execution, run.held[0]

    assert execution.sides != "long" or (held >= 0).all()
    assert execution.sides != "short" or (held <= 0).all()
    assert not execution.whole or (held == np.floor(held)).all()
    for each in run.trades:
        if each.purpose == "cash_in_lieu":
            continue
        assert not one.halted[each.filled]
        assert one.session[each.filled] == one.session[each.decided] or each.purpose not in (
            "entry",
            "exit",
        )
        volume = one.volume[each.filled]
        assert mode.participation == 0 or each.shares <= mode.participation * volume + 1e-9
        if mode.costs.volume_share == 0 and mode.fill == "next_open":
            slipped = (mode.costs.slippage_bps + mode.costs.spread_bps / 2) * 1e-4 + 1e-12
            worst, best = one.high[each.filled], one.low[each.filled]
            assert best * (1 - slipped) <= each.price <= worst * (1 + slipped)
    assert math.isfinite(run.equity.sum())
