"""What the probability of backtest overfitting promises: noise, skill, and the obvious way."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from simulation_service.honesty.overfitting import overfitting
from simulation_service.returns import CurveError


def slow(returns, blocks):
    """Each split by itself, with ranks and a regression of scipy."""
    cut = np.split(returns, blocks)
    logits, inside, outside = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        first = np.concatenate([cut[at] for at in chosen])
        other = np.concatenate([cut[at] for at in range(blocks) if at not in chosen])
        own, later = (half.mean(axis=0) / half.std(axis=0, ddof=1) for half in (first, other))
        best = int(np.argmax(own))
        relative = stats.rankdata(later)[best] / (returns.shape[1] + 1)
        logits.append(math.log(relative / (1 - relative)))
        inside.append(own[best])
        outside.append(later[best])
    return np.array(logits), np.array(inside), np.array(outside)


def test_it_is_what_the_obvious_way_finds():
    returns = np.random.default_rng(0).standard_t(4, size=(48, 7)) / 100
    logits, inside, outside = slow(returns, 6)

    found = overfitting(returns, 6)

    assert len(found.logits) == math.comb(6, 3)
    np.testing.assert_allclose(found.logits, logits)
    np.testing.assert_allclose(found.chosen_sharpe, inside)
    np.testing.assert_allclose(found.other_sharpe, outside)
    line = stats.linregress(inside, outside)
    assert found.slope == pytest.approx(line.slope)
    assert found.intercept == pytest.approx(line.intercept)
    assert found.probability == np.mean(logits <= 0)
    assert found.probability_of_loss == np.mean(outside < 0)


def test_two_trials_that_take_turns_are_overfitting_altogether():
    # The first one gains in the first half and loses in the second one; the other the other way.
    tide = np.array([0.02, 0.01, -0.02, -0.01])

    found = overfitting(np.column_stack([tide, -tide]), 2)

    # The chosen one is the worst of two in the other half: rank 1 of 3, ln(1/2).
    assert found.logits == pytest.approx([math.log(0.5)] * 2)
    assert found.best.tolist() == [0, 1]
    assert (found.probability, found.probability_of_loss) == (1, 1)
    assert found.slope is None


def test_choosing_among_noise_is_overfitting_half_of_the_time():
    random = np.random.default_rng(1)

    found = [overfitting(random.normal(0, 0.01, size=(240, 40)), 8) for _ in range(60)]

    assert np.mean([one.probability for one in found]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([one.slope for one in found]) < -0.2


def test_one_real_strategy_is_found_again():
    returns = np.random.default_rng(2).normal(0, 0.01, size=(480, 40))
    returns[:, 11] += 0.002

    found = overfitting(returns, 10)

    assert found.probability < 0.05
    assert found.probability_of_loss < 0.05
    assert (found.best == 11).mean() > 0.9


def test_trials_that_are_all_the_same_are_not_better_than_the_middle():
    one = np.random.default_rng(3).normal(0, 0.01, size=(64, 1))

    found = overfitting(np.repeat(one, 5, axis=1), 8)

    assert found.logits == pytest.approx(np.zeros(70))
    assert found.probability == 1


def test_a_trial_that_did_nothing_counts_as_zero():
    random = np.random.default_rng(4)
    returns = np.column_stack([random.normal(-0.01, 0.005, 32), np.zeros(32)])

    assert overfitting(returns, 4).chosen_sharpe.tolist() == [0] * 6


@pytest.mark.parametrize("seed", range(20))
def test_a_trial_that_stopped_trading_ties_with_one_that_never_did(seed):
    random = np.random.default_rng(seed)
    returns = np.zeros((44, 3))
    returns[:22, 0] = random.normal(0.013, 0.01, 22)
    returns[:22, 1] = random.normal(-0.013, 0.01, 22)

    found = overfitting(returns, 2)

    # Chosen in the first half, one of three that stand still in the second: rank 2 of 4.
    assert found.best[0] == 0
    assert found.logits[0] == pytest.approx(0)
    assert found.other_sharpe[0] == 0


def test_the_oldest_sessions_beyond_whole_blocks_are_left_out():
    returns = np.random.default_rng(7).normal(0, 0.01, size=(35, 3))

    found, shorter = overfitting(returns, 8), overfitting(returns[3:], 8)

    assert found.sessions == 32
    np.testing.assert_array_equal(found.logits, shorter.logits)


def test_many_trials_are_looked_at_a_part_at_a_time(monkeypatch):
    returns = np.random.default_rng(8).normal(0, 0.01, size=(64, 9))
    whole = overfitting(returns, 8)
    monkeypatch.setattr("simulation_service.honesty.overfitting._CELLS", 100)

    parts = overfitting(returns, 8)

    np.testing.assert_array_equal(parts.logits, whole.logits)
    np.testing.assert_array_equal(parts.best, whole.best)


@pytest.mark.parametrize(
    ("returns", "blocks", "sentence"),
    [
        (np.zeros(10), 2, "two trials or more"),
        (np.zeros((10, 1)), 2, "two trials or more"),
        (np.zeros((10, 2)), 3, "even number from 2 to 20"),
        (np.zeros((10, 2)), 22, "even number from 2 to 20"),
        (np.zeros((10, 2)), 8, "Take 4 blocks or more sessions"),
        (np.full((10, 2), math.nan), 2, "Trial 0 has no finite return in session 0"),
    ],
)
def test_a_table_that_says_nothing_is_refused(returns, blocks, sentence):
    with pytest.raises(CurveError, match=sentence):
        overfitting(returns, blocks)
