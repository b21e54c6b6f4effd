"""What the comparison with random entries promises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation_service.honesty.random_entry import _placed, random_entry
from simulation_service.returns import CurveError

#: Rises for the first 10 bars of every 50 and falls in the others.
TIDE = 100 * np.exp(np.cumsum(np.where(np.arange(1_000) % 50 < 10, 0.004, -0.001)))
CRESTS = np.arange(49, 949, 50)


def test_trades_at_the_right_moments_are_not_matched_by_chance():
    found = random_entry(TIDE, CRESTS, CRESTS + 10, seed=1, runs=500)

    assert found.total_return == pytest.approx(math.exp(0.04 * len(CRESTS)) - 1)
    assert found.as_well == 0
    assert found.p_value == pytest.approx(1 / 501)
    assert found.median < 0.05


def test_the_other_direction_is_what_everybody_beats():
    sides = np.full(len(CRESTS), -1)

    assert random_entry(TIDE, CRESTS, CRESTS + 10, seed=1, sides=sides).as_well == 1


def test_random_trades_are_in_the_middle_on_average():
    random = np.random.default_rng(6)
    prices = 100 * np.exp(np.cumsum(random.normal(0, 0.01, 2_000)))
    found = []
    for seed in range(200):
        entries = np.sort(random.choice(np.arange(0, 1_980, 20), 30, replace=False))
        found.append(random_entry(prices, entries, entries + 7, seed=seed, runs=200).p_value)

    assert np.mean(found) == pytest.approx(0.5, abs=0.07)
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.06)


def test_a_market_that_never_moves_gives_everybody_the_same():
    found = random_entry(np.full(50, 10.0), np.array([3, 20]), np.array([9, 30]), seed=1)

    assert (found.total_return, found.median, found.as_well, found.p_value) == (0, 0, 1, 1)


def test_a_trade_through_all_bars_has_one_place_only():
    prices = np.array([10.0, 12.0, 9.0, 15.0])

    found = random_entry(prices, np.array([0]), np.array([3]), seed=1, runs=10)

    assert (found.total_return, found.median, found.as_well) == (0.5, 0.5, 1)


def test_a_trade_of_one_bar_falls_on_every_bar_as_often():
    # One of the ten steps doubles; a tenth of the random trades meets it.
    prices = np.where(np.arange(11) < 5, 1.0, 2.0)

    found = random_entry(prices, np.array([4]), np.array([5]), seed=1, runs=20_000)

    assert found.as_well == pytest.approx(0.1, abs=0.01)


def test_a_short_trade_loses_everything_at_most():
    found = random_entry(
        np.array([1.0, 5.0]), np.array([0]), np.array([1]), seed=1, sides=np.array([-1])
    )

    assert found.total_return == -1


def test_each_trade_keeps_its_direction_and_its_length_wherever_it_falls():
    # Where every bar grows by a percent, only lengths and directions matter, not the moments.
    growing = 1.01 ** np.arange(60)

    found = random_entry(
        growing, np.array([2, 9]), np.array([3, 29]), seed=1, sides=np.array([1, -1])
    )

    assert found.total_return == pytest.approx(1.01 * (2 - 1.01**20) - 1)
    assert found.median == pytest.approx(found.total_return)
    assert found.as_well == 1


def test_the_same_seed_gives_the_same_runs():
    first, second = (random_entry(TIDE, CRESTS, CRESTS + 20, seed=7) for _ in range(2))

    assert first == second


def test_without_trades_there_is_nothing_to_compare():
    assert random_entry(TIDE, np.array([]), np.array([]), seed=1) is None


@given(
    held=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    idle=st.integers(0, 30),
    seed=st.integers(0, 100),
)
def test_random_trades_never_overlap_and_are_held_as_long(held, idle, seed):
    lengths, bars = np.array(held), sum(held) + idle + 1

    for entries, exits, order in _placed(lengths, bars, 5, np.random.default_rng(seed)):
        assert entries.shape == (5, len(held))
        assert (exits - entries == lengths[order]).all()
        assert (np.sort(order, axis=1) == np.arange(len(held))).all()
        assert (entries[:, 1:] >= exits[:, :-1]).all()
        assert entries.min() >= 0
        assert exits.max() < bars


@pytest.mark.parametrize(
    ("entries", "exits", "options", "sentence"),
    [
        ([5], [5], {}, "exit behind its entry"),
        ([5, 7], [8, 9], {}, "without overlap"),
        ([5], [1_000], {}, "within the prices"),
        ([-1], [4], {}, "within the prices"),
        ([5, 6], [9], {}, "needs an entry, an exit"),
        ([5], [9], {"sides": np.array([2])}, "1 for long or -1 for short"),
        ([5], [9], {"runs": 0}, "one random run at least"),
    ],
)
def test_trades_that_cannot_be_are_refused(entries, exits, options, sentence):
    with pytest.raises(CurveError, match=sentence):
        random_entry(TIDE, np.array(entries), np.array(exits), seed=1, **options)


def test_prices_that_cannot_be_are_refused():
    with pytest.raises(CurveError, match="above zero"):
        random_entry(TIDE - 200, np.array([5]), np.array([9]), seed=1)
