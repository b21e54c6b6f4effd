"""What plans promise: what is written is read back, and each error names the part and what may be."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import InvalidError
from strategy_service.execution import EXECUTIONS, Execution
from strategy_service.parameters import Configured, ParameterError
from strategy_service.plans import Plan, plan_of, read_plan
from strategy_service.registry import Registry
from strategy_service.risk import RISK_RULES, MaximumPosition, NoLateEntry
from strategy_service.rule import STRATEGIES
from strategy_service.rules.sma_cross import SmaCross
from strategy_service.sizing import SIZINGS, AllIn, Fraction, VolatilityTarget
from strategy_service.strategies import BuyAndHold

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"
REGISTRIES: list[Registry] = [STRATEGIES, SIZINGS, RISK_RULES, EXECUTIONS]
EVERY = [one for registry in REGISTRIES for one in registry.all().values()]
every_one = pytest.mark.parametrize("kind", EVERY, ids=lambda one: one.key)

_SMA, _HOLD = (f'[strategy]\nname = "{name}"\n' for name in ("sma_cross", "buy_and_hold"))


@st.composite
def configured(draw, registry):
    kind = draw(st.sampled_from(list(registry.all().values())))
    given = {}
    for one in kind.declared():
        if one.kind == "choice":
            given[one.name] = draw(st.sampled_from(one.choices))
        elif one.kind == "whole number":
            given[one.name] = draw(st.integers(int(one.low), int(one.high)))
        else:
            given[one.name] = draw(st.floats(one.low, one.high))
    try:
        return kind.of(given)
    except ParameterError:  # two that do not go together
        return kind()


plans = st.builds(
    Plan,
    strategy=configured(STRATEGIES),
    sizing=configured(SIZINGS),
    risk=st.lists(configured(RISK_RULES), max_size=3).map(tuple),
    execution=configured(EXECUTIONS),
)


@given(plan=plans)
def test_what_is_written_is_read_back(plan):
    assert read_plan(plan.toml) == plan
    assert plan_of(plan.facts) == plan


def test_a_plan_is_read_as_the_page_shows_it():
    text = PAGE.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]

    assert read_plan(text) == Plan(
        SmaCross(fast=20, slow=50),
        Fraction(most=0.5),
        (NoLateEntry(minutes=30),),
        Execution(stop_loss=0.02),
    )


def test_what_a_plan_leaves_out_is_as_usual():
    assert read_plan('[strategy]\nname = "sma_cross"') == Plan(SmaCross(), AllIn(), (), Execution())


def test_a_whole_number_stands_for_a_number_too():
    text = '[strategy]\nname = "buy_and_hold"\n[[risk]]\nname = "maximum_position"\n[risk.parameters]\nshare = 1'
    (rule,) = read_plan(text).risk

    assert rule == MaximumPosition(share=1.0)
    assert type(rule.share) is float


def test_a_plan_names_what_strategy_and_sizing_read_once():
    plan = Plan(SmaCross(fast=7, slow=33), VolatilityTarget(bars=45))

    assert [one.name for one in plan.features] == ["sma_7", "sma_33", "volatility_45"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("strategy", "The plan is no TOML"),
        ("", 'The plan has no strategy: write it as [strategy] with name = "sma_cross".'),
        ("[strategies]", "A plan has no 'strategies'; it has strategy, sizing, risk, execution."),
        ('strategy = "sma_cross"', "strategy must be a table with name and parameters."),
        ("[strategy]", "needs a name, a text, and parameters in a table [strategy.parameters]."),
        (
            f"{_SMA}fast = 3",
            "strategy has a field 'fast'; it has name and parameters. Parameters stand in",
        ),
        (
            '[strategy]\nname = "sma_cros"',
            "no strategy 'sma_cros'. The nearest is sma_cross. There are bollinger_breakout, ",
        ),
        (
            f"{_SMA}parameters.fats = 3",
            "sma_cross: fats is no parameter of it; the nearest is fast. It has fast, ",
        ),
        (
            f"{_SMA}parameters.fast = 9999",
            "fast must be a whole number from 1 to 2,000 (bars), was 9999.",
        ),
        (
            f"{_SMA}parameters.fast = 3.0",
            "fast must be a whole number from 1 to 2,000 (bars), was 3.0.",
        ),
        (
            f"{_SMA}parameters.fast = true",
            "fast must be a whole number from 1 to 2,000 (bars), was True.",
        ),
        (f'{_HOLD}[sizing]\nname = "alin"', "There is no sizing 'alin'. The nearest is all_in."),
        (
            f'{_HOLD}[risk]\nname = "daily_loss"',
            "risk must be a list of rules: write each as [[risk]] with its name.",
        ),
        (
            f'{_HOLD}[[risk]]\nname = "daily_los"',
            "no risk rule 'daily_los'. The nearest is daily_loss.",
        ),
    ],
)
def test_a_plan_that_cannot_be_says_what_to_write(text, sentence):
    with pytest.raises(InvalidError) as error:
        read_plan(text)
    assert sentence in str(error.value)


@every_one
def test_a_parameter_says_what_it_may_be(kind):
    usual = kind()
    for one in kind.declared():
        assert one.about.endswith(".")
        assert one.default in one.values
        assert getattr(usual, one.name) == one.default
        assert one.kind == "choice" or (one.low < one.high and one.step > 0 and one.unit)
        assert one.facts["name"] == one.name


@every_one
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "x", True, [1], 10**400])
def test_no_parameter_takes_what_is_outside_its_range(kind, value):
    for one in kind.declared():
        with pytest.raises(ParameterError, match=f"{kind.key}: {one.name} must be "):
            kind.of({one.name: value})


@every_one
def test_the_ends_of_a_range_belong_to_it_and_nothing_beyond(kind):
    for one in kind.declared():
        if one.kind != "choice":
            assert one.checked(kind.key, one.low) == one.low
            assert one.checked(kind.key, one.high) == one.high
            assert one.values[0] == one.low
            assert one.values[-1] <= one.high
            for beyond in (one.low - one.step, one.high + one.step):
                with pytest.raises(ParameterError):
                    one.checked(kind.key, beyond)


def test_numbers_of_numpy_are_numbers():
    made = SmaCross.of({"fast": np.int64(7), "band_bps": np.float32(2.5)})

    assert made == SmaCross(fast=7, band_bps=2.5)
    assert type(made.fast) is int


def test_a_name_belongs_to_one_class():
    registry: Registry[Configured] = Registry("thing", "strategy_service.rules")

    class One(Configured): ...

    class Other(Configured): ...

    registry("one")(One)
    assert registry.find("one") is One
    with pytest.raises(ValueError, match="one is declared twice"):
        registry("one")(Other)


def test_facts_change_with_parameters_and_not_otherwise():
    assert SmaCross().facts == SmaCross().facts
    assert SmaCross().facts != SmaCross(fast=21).facts
    assert BuyAndHold().facts == {"strategy": "buy_and_hold"}
