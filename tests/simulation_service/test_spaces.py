"""What a search's space promises: only what the parameters declare, each combination once."""

import pytest

from simulation_service.spaces import MOST_TRIALS, SpaceError, space_of
from strategy_service.costs import Costs
from strategy_service.parameters import ParameterError
from strategy_service.plans import Plan
from strategy_service.rules.buy_and_hold import BuyAndHold
from strategy_service.rules.sma_cross import SmaCross
from strategy_service.sizing import Fraction

PLAN = Plan(SmaCross(), Fraction())


def space(*axes):
    return space_of(PLAN, Costs(), axes)


def test_a_grid_has_every_combination_that_goes_together_once():
    found = list(space("fast=10:30:10", "slow=20,40").grid())

    assert found == [
        {"fast": 10, "slow": 20},
        {"fast": 10, "slow": 40},
        {"fast": 20, "slow": 40},
        {"fast": 30, "slow": 40},
    ]


def test_values_go_to_the_part_of_the_plan_that_they_name():
    searched = space("slow=80", "sizing.most=0.5", "costs.slippage_bps=0,2.5")
    plan, costs = searched.at({"slow": 80, "sizing.most": 0.5, "costs.slippage_bps": 2.5})

    assert plan == Plan(SmaCross(slow=80), Fraction(most=0.5))
    assert costs == Costs(slippage_bps=2.5)


def test_a_parameter_alone_takes_all_that_it_declares():
    (axis,) = space("sizing.most").axes

    assert axis.values[:2] == (0.05, 0.1)
    assert axis.values[-1] == 1.0


def test_decimal_steps_are_the_numbers_a_person_would_write():
    (axis,) = space("sizing.band=0:0.3:0.1").axes

    assert axis.values == (0.0, 0.1, 0.2, 0.3)


def test_random_draws_are_different_go_together_and_come_again_with_the_seed():
    searched = space("fast=5:100:5", "slow=10:200:10")
    drawn = list(searched.random(50, seed=3))

    assert drawn == list(searched.random(50, seed=3)) != list(searched.random(50, seed=4))
    assert len({tuple(one.values()) for one in drawn}) == 50
    assert all(one["fast"] < one["slow"] for one in drawn)


def test_there_are_no_more_random_draws_than_combinations():
    assert len(list(space("fast=5,10", "slow=10,20").random(100, seed=0))) == 3


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ([], "name a parameter of sma_cross"),
        (["fsat=5"], "the nearest is fast"),
        (["fast=5", "fast=6"], "is named twice"),
        (["fast=5:1:1"], "is no range"),
        (["fast=5:50"], "is no range"),
        (["fast=1:2000:1", "slow=2:5000:1"], "more than 20,000"),
        (["costs.slip=1"], "costs have slippage_bps"),
        (["costs.slippage_bps"], "give its values"),
        (["costs.slippage_bps=cheap"], "costs are numbers"),
        (["risk.share=1"], "stands alone or after sizing"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(axes, words):
    with pytest.raises(SpaceError, match=words) as raised:
        list(space(*axes).grid())
    assert str(raised.value).count(". ") == 0


def test_a_value_outside_its_range_is_a_sentence():
    with pytest.raises(ParameterError, match=r"fast must be a whole number from 1 to 2,000"):
        space("fast=0,5")


def test_a_strategy_without_parameters_is_searched_by_its_other_parts():
    with pytest.raises(SpaceError, match=r"like sizing\.most"):
        space_of(Plan(BuyAndHold()), Costs(), [])


@pytest.mark.parametrize("trials", [0, MOST_TRIALS + 1])
def test_a_number_of_trials_that_cannot_be_is_a_sentence(trials):
    with pytest.raises(SpaceError, match="there are 1 to 20,000"):
        list(space("fast").random(trials, seed=0))
