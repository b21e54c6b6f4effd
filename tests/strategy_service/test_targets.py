"""What sizings promise: whole shares, never more than the cash pays for, nothing sold by a signal to buy."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strategy_service.costs import FREE, Costs
from strategy_service.parameters import ParameterError
from strategy_service.signals import Direction, Signal
from strategy_service.situation import Situation, SituationError
from strategy_service.sizing import SIZINGS, AllIn, FixedShares, Fraction, VolatilityTarget

HELD = Situation("SPY", price=100.0, cash=10_000.0, shares=50)
FLAT = replace(HELD, shares=0)
BUY = Signal(Direction.BUY, 0.5, "up")

every_sizing = pytest.mark.parametrize(
    "sizing", [one() for one in SIZINGS.all().values()], ids=lambda one: one.key
)
situations = st.builds(
    Situation,
    symbol=st.just("SPY"),
    price=st.floats(0.01, 1e4),
    cash=st.floats(-1e4, 1e7),
    shares=st.integers(0, 10_000),
    costs=st.builds(Costs, slippage_bps=st.floats(0, 50), fee_per_share=st.floats(0, 2), fee_percent=st.floats(0, 2)),
    volatility=st.none() | st.floats(0, 0.1),
)  # fmt: skip


@every_sizing
@given(now=situations, strength=st.floats(0, 1))
def test_what_is_bought_is_paid_for_with_its_fees(sizing, now, strength):
    target = sizing.target(Signal(Direction.BUY, strength, "up"), now)
    more = target - now.shares

    assert isinstance(target, int)
    assert target >= 0
    assert more >= 0 or sizing.trims
    if more > 0:
        paid = now.costs.buy_price(now.price)
        assert more * paid + now.costs.fee(more, paid) <= now.cash


@every_sizing
@given(now=situations, strength=st.floats(0, 1))
def test_selling_wants_nothing_and_holding_what_is_held(sizing, now, strength):
    assert sizing.target(Signal(Direction.SELL, strength, "down"), now) == 0
    assert sizing.target(Signal(Direction.HOLD, 0.0, "wait"), now) == now.shares


@given(now=situations, one=st.floats(0, 1), other=st.floats(0, 1))
def test_a_surer_signal_is_worth_as_much_or_more(now, one, other):
    assume(one <= other)
    less, more = (
        Fraction().target(Signal(Direction.BUY, each, "up"), now) for each in (one, other)
    )

    assert less <= more


def test_all_in_buys_when_flat_and_keeps_what_it_has():
    assert AllIn().target(BUY, FLAT) == 100
    assert AllIn().target(BUY, HELD) == 50


def test_a_fraction_lies_between_least_and_most_by_strength():
    # Half way between 20 and 60 per cent of 10,000 USD is 4,000 USD.
    assert Fraction(least=0.2, most=0.6).target(BUY, FLAT) == 40


def test_a_fraction_pays_the_price_with_slippage():
    now = replace(FLAT, costs=Costs(slippage_bps=100.0, fee_per_share=0.0))

    assert Fraction(most=1.0, least=1.0).target(BUY, now) == 99  # 10,000 / 101


def test_what_is_held_stays_within_the_band_and_grows_beyond_it():
    # 15,000 USD in all, of which 5,000 are held and 7,500 wanted.
    assert Fraction(band=0.2).target(BUY, HELD) == 50
    assert Fraction(band=0.1).target(BUY, HELD) == 75


def test_a_signal_that_grows_weaker_sells_nothing():
    assert Fraction(band=0.0).target(Signal(Direction.BUY, 0.0, "up"), HELD) == 50


def test_fixed_shares_are_as_many_as_the_cash_pays_for():
    assert FixedShares(shares=30).target(BUY, FLAT) == 30
    assert FixedShares(shares=300).target(BUY, FLAT) == 100


def test_a_wild_symbol_gets_a_small_share():
    # 1 % a bar and 100 bars a year are 10 % a year: a target of 5 % is half of the equity.
    now = replace(FLAT, volatility=0.01, bars_per_year=100.0)

    assert VolatilityTarget(annual=0.05).target(BUY, now) == 50
    assert VolatilityTarget(annual=0.5, most=0.8).target(BUY, now) == 80


def test_a_symbol_that_grew_wilder_is_sold_in_part():
    # 15,000 USD in all; a quarter of them are 37 shares.
    now = replace(HELD, volatility=0.01, bars_per_year=100.0)

    assert VolatilityTarget(annual=0.025, band=0.0).target(BUY, now) == 37


@pytest.mark.parametrize("volatility", [None, 0.0, math.nan, math.inf])
def test_a_volatility_that_is_not_known_changes_nothing(volatility):
    assert VolatilityTarget().target(BUY, replace(FLAT, volatility=volatility)) == 0
    assert VolatilityTarget().target(BUY, replace(HELD, volatility=volatility)) == 50


def test_a_volatility_target_names_the_feature_it_reads():
    assert VolatilityTarget(bars=45).needs == ("volatility_45",)


def test_least_above_most_is_refused():
    with pytest.raises(
        ParameterError, match=r"fraction: least must be at most most, which is 0\.5"
    ):
        Fraction(least=0.6, most=0.5)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("price", 0.0, "SPY: price must be a finite number above 0, was 0."),
        ("price", math.nan, "SPY: price must be a finite number above 0, was nan."),
        ("cash", math.inf, "SPY: cash must be a finite number, was inf."),
    ],
)
def test_a_situation_that_cannot_be_is_refused(name, value, sentence):
    with pytest.raises(SituationError) as error:
        replace(FLAT, **{name: value})
    assert str(error.value) == sentence


def test_equity_is_cash_and_positions_at_the_price_now():
    assert replace(HELD, others=-2_000.0, costs=FREE).equity == 10_000 + 5_000 - 2_000
