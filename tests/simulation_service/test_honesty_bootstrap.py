"""What the stationary bootstrap promises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation_service.honesty.bootstrap import stationary_bootstrap, stationary_rows
from simulation_service.returns import CurveError

RETURNS = np.random.default_rng(0).normal(0.0005, 0.01, 500)


def test_blocks_go_on_and_have_the_length_that_was_asked_for():
    rows = stationary_rows(200, 400, 10.0, np.random.default_rng(1))

    goes_on = (rows[:, 1:] - rows[:, :-1]) % 200 == 1
    # A tenth begins anew, and a two-hundredth of those goes on by chance.
    assert goes_on.mean() == pytest.approx(0.9 + 0.1 / 200, abs=0.005)
    lengths = np.diff(np.flatnonzero(~goes_on.ravel()))
    assert lengths.var() == pytest.approx(90, rel=0.15)  # of a geometric length: (1 - p) / p²


def test_every_session_is_drawn_as_often_as_another():
    rows = stationary_rows(50, 20_000, 7.0, np.random.default_rng(2))

    counts = np.bincount(rows.ravel(), minlength=50)

    assert counts / counts.mean() == pytest.approx(np.ones(50), abs=0.05)


@given(sessions=st.integers(1, 60), resamples=st.integers(1, 5), block=st.floats(1, 100))
def test_rows_are_sessions(sessions, resamples, block):
    rows = stationary_rows(sessions, resamples, block, np.random.default_rng(3))

    assert rows.shape == (resamples, sessions)
    assert rows.min() >= 0
    assert rows.max() < sessions


def test_the_same_seed_gives_the_same_ranges():
    first, second = (stationary_bootstrap(RETURNS, 252, seed=7) for _ in range(2))

    assert first == second
    assert first != stationary_bootstrap(RETURNS, 252, seed=8)


def test_the_range_is_that_of_theory_where_returns_are_independent():
    found = stationary_bootstrap(RETURNS, 252, seed=1, resamples=4_000, mean_block=1)

    ratio = RETURNS.mean() / RETURNS.std(ddof=1)
    error = math.sqrt((1 + ratio**2 / 2) / 500) * math.sqrt(252)
    assert found.sharpe.high - found.sharpe.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    assert found.sharpe.low < ratio * math.sqrt(252) < found.sharpe.high


def test_returns_that_follow_one_another_have_a_wider_range_in_blocks():
    random = np.random.default_rng(4)
    steps, trending = random.normal(0, 0.01, 2_000), np.zeros(2_000)
    for at in range(1, 2_000):
        trending[at] = 0.6 * trending[at - 1] + steps[at]

    alone = stationary_bootstrap(trending, 252, seed=1, resamples=500, mean_block=1)
    blocks = stationary_bootstrap(trending, 252, seed=1, resamples=500, mean_block=30)

    # The long-run deviation is root((1 + 0.6) / (1 - 0.6)) = 2 times as large.
    wider = (blocks.sharpe.high - blocks.sharpe.low) / (alone.sharpe.high - alone.sharpe.low)
    assert wider == pytest.approx(2, rel=0.2)


def test_the_range_of_the_total_return_holds_the_return():
    found = stationary_bootstrap(RETURNS, 252, seed=1, resamples=500)

    assert found.mean_block == pytest.approx(500 ** (1 / 3))
    assert found.total_return.low < np.prod(1 + RETURNS) - 1 < found.total_return.high


def test_a_constant_growth_has_one_return_and_no_ratio():
    found = stationary_bootstrap(np.full(20, 0.01), 252, seed=1, resamples=50)

    assert found.sharpe is None
    assert found.total_return.low == pytest.approx(1.01**20 - 1)
    assert found.total_return.high == pytest.approx(1.01**20 - 1)


@pytest.mark.parametrize("returns", [[], [0.01]])
def test_too_few_returns_have_no_range(returns):
    found = stationary_bootstrap(np.array(returns), 252, seed=1)

    assert (found.sharpe, found.total_return) == (None, None)


def test_behind_a_loss_of_everything_there_is_no_return():
    found = stationary_bootstrap(np.array([0.1, -1.0, 0.2, 0.1]), 252, seed=1)

    assert found.total_return is None


def test_growth_beyond_all_numbers_is_none():
    assert stationary_bootstrap(np.array([1e50] * 9 + [0.1]), 252, seed=1).total_return is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"resamples": 0}, "one resample at least"),
        ({"mean_block": 0.5}, "one session or more"),
        ({"confidence": 1.0}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(options, sentence):
    with pytest.raises(CurveError, match=sentence):
        stationary_bootstrap(RETURNS, 252, seed=1, **options)
