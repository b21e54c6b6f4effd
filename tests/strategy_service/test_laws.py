"""What every rule strategy promises, on bars as thin as real ones; one that is registered is tested by that alone."""

import math

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from strategy_service.needs import widened
from strategy_service.parameters import ParameterError
from strategy_service.rule import STRATEGIES
from strategy_service.signals import SIGNALS, Direction
from tests.feature_service.thin_bars import thin_bars, thin_weeks

from .markets import bars_of

RULES = STRATEGIES.all()
every_rule = pytest.mark.parametrize("name", RULES)
few = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
quick = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def made(draw, name):
    """A strategy with short windows, so that thin bars fill them, and otherwise any parameters."""
    given = {}
    for one in RULES[name].declared():
        if one.kind == "choice":
            given[one.name] = draw(st.sampled_from(one.choices))
        elif one.kind == "whole number":
            low = int(one.low)
            given[one.name] = draw(st.integers(low, min(int(one.high), low + 30)))
        else:
            given[one.name] = draw(st.one_of(st.just(one.default), st.floats(one.low, one.high)))
    try:
        return RULES[name].of(given)
    except ParameterError:  # two that do not go together
        return RULES[name]()


@every_rule
@quick
@given(data=st.data())
def test_the_newest_bar_and_all_at_once_say_the_same_for_every_prefix(name, data):
    strategy, bars = data.draw(made(name)), data.draw(thin_bars(max_bars=45))
    history = strategy.signals(widened(bars, strategy.features))

    assert history.schema == SIGNALS
    assert history.height == bars.height
    for seen in range(1, bars.height + 1):
        live = strategy.signal(widened(bars.head(seen), strategy.features))
        assert (live.direction, live.strength) == history.row(seen - 1)
        assert live.reason


@every_rule
@few
@given(data=st.data(), seen=st.integers(1, 900))
def test_the_future_never_changes_what_was_said(name, data, seen):
    strategy, bars = data.draw(made(name)), data.draw(thin_weeks())
    whole = strategy.signals(widened(bars, strategy.features))
    so_far = strategy.signals(widened(bars.head(seen), strategy.features))

    assert_frame_equal(whole.head(seen), so_far, check_exact=True)


@every_rule
@few
@given(data=st.data())
def test_strength_lies_between_0_and_1_and_is_0_for_holding(name, data):
    strategy, bars = data.draw(made(name)), data.draw(thin_weeks())
    said = strategy.signals(widened(bars, strategy.features))

    assert said.null_count().sum_horizontal().item() == 0
    assert said["strength"].is_between(0, 1).all()
    assert said["direction"].is_in([-1, 0, 1]).all()
    assert (said.filter(direction=int(Direction.HOLD))["strength"] == 0).all()


@every_rule
@few
@given(data=st.data(), doublings=st.integers(-3, 3))
def test_prices_in_other_shares_change_nothing(name, data, doublings):
    strategy, bars = data.draw(made(name)), data.draw(thin_weeks())
    scaled = bars.with_columns(
        pl.col("open", "high", "low", "close", "vwap", "context_close") * 2.0**doublings
    )

    assert_frame_equal(
        strategy.signals(widened(bars, strategy.features)),
        strategy.signals(widened(scaled, strategy.features)),
        check_exact=True,
    )


@every_rule
def test_it_trades_on_a_market_with_swings(name):
    bars = _swings()
    said = RULES[name]()
    directions = said.signals(widened(bars, said.features))["direction"]

    assert (directions == int(Direction.BUY)).any()
    assert name == "buy_and_hold" or (directions == int(Direction.SELL)).any()


@every_rule
@pytest.mark.parametrize("value", [None, math.nan])
def test_nothing_known_means_that_nothing_is_bought(name, value):
    strategy = RULES[name]()
    columns = (*strategy.reads, *strategy.needs)
    rows = pl.DataFrame(
        {column: [value] for column in columns}, schema_overrides=dict.fromkeys(columns, pl.Float64)
    )
    said = strategy.signal(rows if columns else pl.DataFrame({"close": [value]}))

    assert name == "buy_and_hold" or said.direction != Direction.BUY
    if said.direction == Direction.HOLD:
        assert said.reason.endswith("not known yet")


@every_rule
@quick
@given(data=st.data())
def test_any_row_has_a_signal_and_a_reason_whatever_of_it_is_unknown(name, data):
    strategy = data.draw(made(name))
    value = st.one_of(st.none(), st.just(math.nan), st.floats(0.01, 1e6))
    row = {column: [data.draw(value)] for column in (*strategy.reads, *strategy.needs)}
    columns = dict.fromkeys(row, pl.Float64)
    said = strategy.signal(pl.DataFrame(row or {"close": [1.0]}, schema_overrides=columns))

    assert 0 <= said.strength <= 1
    assert said.reason


@every_rule
def test_no_bars_give_no_signals_and_say_so_when_one_is_asked_for(name):
    strategy = RULES[name]()
    none = pl.DataFrame(
        schema=dict.fromkeys(("close", *strategy.reads, *strategy.needs), pl.Float64)
    )

    assert strategy.signals(none).height == 0
    with pytest.raises(Exception, match=f"{name} has seen no bar yet"):
        strategy.signal(none)


@every_rule
def test_columns_that_are_missing_are_named(name):
    strategy = RULES[name]()
    if name == "buy_and_hold":
        pytest.skip("it reads nothing")
    with pytest.raises(Exception, match=f"{name} reads .*{strategy.needs[0]}.* Add them"):
        strategy.signals(pl.DataFrame({"open": [1.0]}))


@every_rule
def test_it_says_what_it_is(name):
    strategy = RULES[name]
    about = strategy.__doc__

    assert strategy.title
    assert strategy.source
    assert "**Why it might work.**" in about
    assert "**Rules.**" in about
    assert strategy().facts["strategy"] == name
    for one in strategy.declared():
        assert f"`{one.name}`" in about or one.name in ("bars", "fast", "slow"), one.name


def _swings() -> pl.DataFrame:
    """Six weeks of ten-minute bars that rise and fall by several per cent in some days, volume in bursts."""
    closes = [
        100 + 5 * math.sin(row / 90) + 1.5 * math.sin(row / 7) + 0.2 * math.sin(row)
        for row in range(30 * 39)
    ]
    volumes = [1_000.0 + 3_000.0 * (row % 13 == 0) for row in range(len(closes))]
    return bars_of(closes, volumes, minutes=10)
