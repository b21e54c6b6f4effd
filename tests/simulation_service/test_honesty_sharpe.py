"""What the tests of Sharpe ratios promise: the papers' examples, and simulated luck."""

import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from simulation_service.honesty.sharpe_tests import (
    Sample,
    deflated,
    expected_maximum,
    interval,
    lo_error,
    mertens_error,
    minimum_length,
    probabilistic,
    sample,
)
from simulation_service.honesty.verdict import judge
from simulation_service.returns import CurveError, sharpe

#: Bailey, Lopez de Prado 2014: an annual ratio of 2.5 from 1,250 days, 250 in a year.
CHOSEN = Sample(2.5 / math.sqrt(250), 1250, skewness=-3, kurtosis=10)
#: Bailey, Lopez de Prado 2012: a fund with 24 months.
FUND = Sample(0.458, 24, skewness=-2.448, kurtosis=10.164)


@pytest.mark.parametrize(
    ("ratio", "observations", "error"),
    [(0.5, 12, 0.306), (1.5, 24, 0.298), (0.5, 60, 0.137), (3.0, 125, 0.210)],
)
def test_the_error_is_that_of_lo(ratio, observations, error):
    # root((1 + SR²/2) / T): root(1.125/12), root(2.125/24), root(1.125/60), root(5.5/125).
    assert lo_error(Sample(ratio, observations)) == pytest.approx(error, abs=5e-4)


def test_normal_returns_have_the_same_error_but_for_one_observation():
    of = Sample(0.2, 500)

    assert mertens_error(of) == pytest.approx(lo_error(of) * math.sqrt(500 / 499))


def test_falls_that_are_steeper_than_rises_make_the_error_larger():
    assert mertens_error(Sample(0.2, 500, -1.0, 6.0)) > mertens_error(Sample(0.2, 500, 1.0, 6.0))


def test_the_error_is_how_far_estimates_are_apart():
    # 4,000 samples of 250 skewed returns each: minus an exponential, moved up.
    random = np.random.default_rng(3)
    drawn = 1.15 - random.exponential(size=(4_000, 250))
    ratios = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1)

    expected = mertens_error(Sample(0.15, 251, skewness=-2, kurtosis=9))

    assert ratios.std() == pytest.approx(expected, rel=0.05)
    assert abs(ratios.std() - lo_error(Sample(0.15, 250))) > 0.1 * expected


def test_the_interval_holds_the_true_ratio_as_often_as_it_says():
    random = np.random.default_rng(4)
    held = 0
    for drawn in random.normal(0.1, 1, size=(2_000, 250)):
        of = sample(drawn)
        around = interval(of, mertens_error(of), 0.9)
        held += around.low <= 0.1 <= around.high

    assert held / 2_000 == pytest.approx(0.9, abs=0.02)


def test_the_moments_are_those_of_scipy():
    returns = np.random.default_rng(1).standard_t(5, 300) / 100

    of = sample(returns)

    assert of.observations == 300
    assert of.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert of.skewness == pytest.approx(stats.skew(returns))
    assert of.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))


def test_the_fund_of_2012_looks_surer_than_it_is():
    assert probabilistic(Sample(0.458, 24)) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic(FUND) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(("periods", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_the_shortest_track_record_of_2012(periods, years):
    # An annual ratio of 2 to be above 1 with 95 %, normal returns.
    year = math.sqrt(periods)

    length = minimum_length(Sample(2 / year, 100), 1 / year)

    assert length / periods == pytest.approx(years, abs=0.005)


def test_the_shortest_track_record_of_returns_that_are_not_normal():
    year = math.sqrt(12)

    length = minimum_length(Sample(2 / year, 100, -0.72, 5.78), 1 / year)

    assert length / 12 == pytest.approx(4.99, abs=0.005)


def test_a_track_record_of_that_length_has_that_probability():
    length = minimum_length(CHOSEN, 0.05, 0.95)

    of = Sample(CHOSEN.sharpe, round(length), CHOSEN.skewness, CHOSEN.kurtosis)

    assert probabilistic(of, 0.05) == pytest.approx(0.95, abs=2e-3)


def test_no_length_shows_what_is_not_so():
    assert minimum_length(Sample(0.1, 100), 0.1) is None
    assert minimum_length(Sample(-0.1, 100)) is None
    assert minimum_length(Sample(1e-200, 100)) is None


def test_the_deflated_ratio_of_2014():
    # 100 trials whose annual ratios have a variance of 1/2.
    found = deflated(CHOSEN, 100, variance=0.5 / 250)

    assert found.expected_maximum == pytest.approx(0.1132, abs=5e-5)
    assert found.probability == pytest.approx(0.9004, abs=5e-5)
    assert not found.variance_assumed


@pytest.mark.parametrize(("trials", "skewness", "kurtosis"), [(46, -3, 10), (88, 0, 3)])
def test_fewer_trials_or_normal_returns_would_have_passed(trials, skewness, kurtosis):
    of = Sample(CHOSEN.sharpe, 1250, skewness, kurtosis)

    assert deflated(of, trials, variance=0.5 / 250).probability == pytest.approx(0.9505, abs=5e-5)


def test_one_trial_is_not_deflated():
    assert deflated(CHOSEN, 1).probability == probabilistic(CHOSEN)
    assert deflated(CHOSEN, 1).expected_maximum == 0


def test_the_variance_of_known_trials_is_measured():
    found = deflated(CHOSEN, 5, sharpes=np.array([0.1, 0.2, 0.3]))

    assert found.variance == pytest.approx(0.01)
    assert not found.variance_assumed


def test_trials_of_which_only_the_number_is_known_have_no_skill():
    found = deflated(CHOSEN, 100)

    assert found.variance == 1 / 1249
    assert found.variance_assumed


@pytest.mark.parametrize("trials", [10, 100, 1_000])
def test_the_best_of_many_is_as_good_as_drawn(trials):
    drawn = np.random.default_rng(trials).normal(0, 0.3, size=(2_000, trials))

    assert expected_maximum(trials, 0.09) == pytest.approx(drawn.max(axis=1).mean(), rel=0.04)


def test_the_best_of_very_many_is_still_a_number():
    assert 8 < expected_maximum(10**17, 1.0) < 9


def test_the_best_of_trials_without_skill_is_deflated_to_a_coin():
    random, found = np.random.default_rng(8), []
    for _ in range(300):
        returns = random.normal(0, 0.01, size=(250, 50))
        ratios = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        best = sample(returns[:, ratios.argmax()])
        found.append((probabilistic(best), deflated(best, 50, sharpes=ratios).probability))
    undeflated, left = np.array(found).T

    assert left.mean() == pytest.approx(0.5, abs=0.05)
    assert (left > 0.95).mean() <= 0.05
    assert (undeflated > 0.95).mean() > 0.8


def test_skill_survives_deflation():
    random = np.random.default_rng(9)
    returns = random.normal(0, 0.01, size=(1_000, 50))
    returns[:, 7] += 0.002
    ratios = returns.mean(axis=0) / returns.std(axis=0, ddof=1)

    assert deflated(sample(returns[:, 7]), 50, sharpes=ratios).probability > 0.95


@given(
    ratio=st.floats(-2, 2),
    observations=st.integers(2, 10_000),
    skewness=st.floats(-3, 3),
    beyond=st.floats(0, 20),
    trials=st.integers(1, 10**6),
)
def test_more_trials_never_leave_more(ratio, observations, skewness, beyond, trials):
    of = Sample(ratio, observations, skewness, 1 + skewness**2 + beyond)

    few, many = deflated(of, trials).probability, deflated(of, trials + 1).probability

    assert few is None or 0 <= many <= few <= 1


def test_returns_of_two_values_may_have_no_error():
    # Half of the returns are 0 and half are 1: the ratio is 1 in every long sample.
    of = Sample(1.0, 100, skewness=0.0, kurtosis=1.0)
    flat = Sample(1.0, 100, skewness=2.0, kurtosis=5.0)

    assert mertens_error(of) > 0
    assert mertens_error(flat) == 0
    assert probabilistic(flat) is None
    assert deflated(flat, 10).probability is None


def test_returns_that_say_nothing_have_no_sample():
    assert sample(np.array([])) is None
    assert sample(np.array([0.01])) is None
    assert sample(np.full(20, 0.01)) is None
    assert judge(np.zeros(20), 252) is None


def test_a_verdict_speaks_of_a_year():
    returns = np.random.default_rng(2).normal(0.001, 0.01, 500)
    known = np.array([0.5, 1.5, -0.5])

    found = judge(returns, 252, trials=40, sharpes=known, seed=1, resamples=500)

    of = sample(returns)
    assert found.sharpe == pytest.approx(sharpe(np.append(1, np.cumprod(1 + returns)), 252))
    assert found.error == pytest.approx(mertens_error(of) * math.sqrt(252))
    assert (found.low + found.high) / 2 == pytest.approx(found.sharpe)
    assert found.bootstrap_low < found.sharpe < found.bootstrap_high
    assert found.expected_maximum == pytest.approx(expected_maximum(40, 1.0))
    assert found.deflated == deflated(of, 40, sharpes=known / math.sqrt(252)).probability
    assert found.minimum_sessions == math.ceil(minimum_length(of))
    assert not found.variance_assumed
    assert orjson.loads(orjson.dumps(found.facts))["trials"] == 40


@given(
    returns=arrays.arrays(np.float64, st.integers(0, 40), elements=st.floats(-1.5, 10)),
    trials=st.integers(1, 100),
)
def test_no_figure_of_a_verdict_is_ever_nan_or_infinite(returns, trials):
    found = judge(returns, 252, trials=trials, resamples=20)

    figures = found.facts.values() if found else ()
    assert all(math.isfinite(one) for one in figures if isinstance(one, float))


def test_a_verdict_of_a_search_that_nobody_noted_says_what_it_assumes():
    returns = np.random.default_rng(2).normal(0.001, 0.01, 500)

    assert judge(returns, 252, trials=40, sharpes=np.array([1.0])).variance_assumed


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Sample(0.1, 1), "two returns at least"),
        (lambda: Sample(0.1, 9, -3.0, 3.0), "No returns have a skewness of -3"),
        (lambda: interval(CHOSEN, 0.1, 95), "between 0 and 1"),
        (lambda: minimum_length(CHOSEN, 0, 1.0), "between 0 and 1"),
        (lambda: expected_maximum(0, 1.0), "one trial at least"),
        (lambda: expected_maximum(5, -1.0), "a variance of 0 or more"),
        (lambda: deflated(CHOSEN, 2, variance=1.0, sharpes=np.ones(2)), "Give either"),
        (lambda: deflated(CHOSEN, 2, sharpes=np.ones(3)), "not more than there were"),
        (lambda: sample(np.array([0.1, math.inf])), "no finite number at place 1"),
    ],
)
def test_what_cannot_be_is_refused(call, sentence):
    with pytest.raises(CurveError, match=sentence):
        call()
