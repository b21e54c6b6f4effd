"""What the figures of a curve promise: worked by hand, an independent library, and never NaN."""

import math
import statistics
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from simulation_service.returns import (
    CurveError,
    annual_return,
    finite,
    relation,
    returns_of,
    sharpe,
    sortino,
    volatility,
)

#: Returns of +10 %, -5 %, +4 %, -1 %.
CURVE = np.array([100.0, 110.0, 104.5, 108.68, 107.5932])
RETURNS = [0.10, -0.05, 0.04, -0.01]
ANY_CURVE = arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e12))


@pytest.fixture(scope="module")
def empyrical():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed")


@pytest.fixture(scope="module")
def walk():
    random = np.random.default_rng(5)
    returns = random.normal(0.0005, 0.011, size=(2, 700))
    returns[1] += 0.4 * returns[0]
    return np.cumprod(np.column_stack([[50.0, 80.0], 1 + returns]), axis=1)


def test_four_returns_by_hand():
    assert returns_of(CURVE) == pytest.approx(RETURNS)
    deviation = statistics.stdev(RETURNS)
    assert volatility(CURVE, 252) == pytest.approx(deviation * math.sqrt(252))
    assert sharpe(CURVE, 252) == pytest.approx(0.02 / deviation * math.sqrt(252))
    # Downside: root((0.05² + 0.01²) / 4) = root(0.00065).
    assert sortino(CURVE, 252) == pytest.approx(0.02 / math.sqrt(0.00065) * math.sqrt(252))


def test_the_year_compounds_to_the_whole():
    assert annual_return(np.array([100.0, 110.0, 121.0]), 2) == pytest.approx(0.21)
    assert annual_return(np.array([100.0, 110.0, 121.0]), 1) == pytest.approx(0.10)
    assert annual_return(np.array([100.0, 50.0]), 2) == pytest.approx(-0.75)


def test_a_curve_that_lost_everything_lost_it_in_a_year_too():
    assert annual_return(np.array([100.0, 40.0, 0.0]), 252) == -1
    assert annual_return(np.array([100.0, -20.0]), 252) == -1


def test_a_year_too_good_to_be_a_number_is_none():
    assert annual_return(np.array([1.0, 1e5]), 252) is None


def test_a_short_curve_has_no_figures():
    for curve in ([100.0], [100.0, 101.0]):
        assert sharpe(np.array(curve), 252) is None
        assert sortino(np.array(curve), 252) is None
        assert volatility(np.array(curve), 252) is None
    assert annual_return(np.array([100.0]), 252) is None


def test_a_constant_growth_is_constant_in_spite_of_rounding():
    curve = 100 * 1.01 ** np.arange(50)

    assert volatility(curve, 252) == 0
    assert sharpe(curve, 252) is None
    assert sortino(curve, 252) is None
    assert annual_return(curve, 252) == pytest.approx(1.01**252 - 1)


def test_a_curve_without_a_fall_has_no_sortino():
    assert sortino(np.array([100.0, 101.0, 101.0, 103.0]), 252) is None


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_a_curve_that_is_not_above_zero_has_no_returns(value):
    curve = np.array([100.0, 90.0, value, 95.0])

    assert returns_of(curve) is None
    assert sharpe(curve, 252) is None
    assert volatility(curve, 252) is None
    assert relation(curve, CURVE[:4], 252) is None


def test_beta_and_alpha_by_hand():
    # The curve moves twice as much as the benchmark, and 0.1 % a session beside it.
    other = np.array([0.01, -0.02, 0.03])
    own = 2 * other + 0.001

    found = relation(np.append(1, np.cumprod(1 + own)), np.append(1, np.cumprod(1 + other)), 250)

    assert found.beta == pytest.approx(2)
    assert found.alpha == pytest.approx(0.25)
    assert found.correlation == pytest.approx(1)


def test_a_curve_moves_with_itself_and_not_with_what_stands_still():
    assert relation(CURVE, CURVE, 252).beta == pytest.approx(1)
    assert relation(CURVE, CURVE, 252).alpha == pytest.approx(0, abs=1e-12)
    assert relation(CURVE, np.ones(5), 252) is None
    still = relation(np.ones(5), CURVE, 252)
    assert (still.beta, still.correlation) == (0, None)


def test_a_benchmark_of_other_sessions_is_refused():
    with pytest.raises(CurveError, match="for the same sessions"):
        relation(CURVE, CURVE[:3], 252)


def test_numbers_that_are_none_are_named():
    with pytest.raises(CurveError, match="no finite number at place 1"):
        finite(np.array([1.0, math.nan]), "returns")
    with pytest.raises(CurveError, match="one row"):
        finite(np.ones((2, 2)), "returns")


@given(curve=ANY_CURVE, other=ANY_CURVE)
def test_no_figure_is_ever_nan_or_infinite(curve, other):
    count = min(len(curve), len(other))
    related = relation(curve[:count], other[:count], 252)
    figures = [
        annual_return(curve, 252),
        *(each(curve, 252) for each in (volatility, sharpe, sortino)),
        *((related.alpha, related.beta, related.correlation) if related else ()),
    ]

    assert all(one is None or math.isfinite(one) for one in figures)


@given(
    curve=arrays.arrays(np.float64, st.integers(3, 30), elements=st.floats(1, 1e6)),
    exponent=st.integers(-6, 6),
)
def test_the_currency_does_not_matter(curve, exponent):
    other = curve * 2.0**exponent

    assert sharpe(other, 252) == sharpe(curve, 252)
    assert sortino(other, 252) == sortino(curve, 252)
    assert volatility(other, 252) == volatility(curve, 252)


def test_an_independent_library_agrees(empyrical, walk):
    curve, benchmark = walk
    own, other = np.diff(curve) / curve[:-1], np.diff(benchmark) / benchmark[:-1]

    assert annual_return(curve, 252) == pytest.approx(empyrical.annual_return(own))
    assert volatility(curve, 252) == pytest.approx(empyrical.annual_volatility(own))
    assert sharpe(curve, 252) == pytest.approx(empyrical.sharpe_ratio(own))
    assert sortino(curve, 252) == pytest.approx(empyrical.sortino_ratio(own))
    alpha, beta = empyrical.alpha_beta(own, other)
    found = relation(curve, benchmark, 252)
    assert found.beta == pytest.approx(beta)
    # The library compounds the intercept where Jensen's alpha is taken times the sessions.
    assert (1 + found.alpha / 252) ** 252 - 1 == pytest.approx(alpha)


def test_least_squares_agree_on_alpha_and_beta(walk):
    own, other = (np.diff(curve) / curve[:-1] for curve in walk)
    slope, intercept = np.polynomial.Polynomial.fit(other, own, 1).convert().coef[::-1]

    found = relation(*walk, 252)

    assert found.beta == pytest.approx(slope)
    assert found.alpha == pytest.approx(intercept * 252)
    assert found.correlation == pytest.approx(np.corrcoef(own, other)[0, 1])
