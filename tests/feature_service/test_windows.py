"""Windows merged from halves are what the plain arithmetic over each window's bars says."""

import numpy as np
import polars as pl
import pytest

from feature_service import windows


def average(values, weights):
    return np.average(values, weights=weights) if weights.any() else np.nan


def moment(values, power):
    return np.mean((values - values.mean()) ** power)


def over(part, whole):
    return part / whole if whole else np.nan


def newest_highest(values):
    return np.argmax(values[::-1])


PLAIN = {
    "rolling_mean": np.mean,
    "rolling_sum": np.sum,
    "rolling_zscore": lambda v: over(v[-1] - v.mean(), v.std()),
    "rolling_skew": lambda v: over(moment(v, 3), moment(v, 2) ** 1.5),
    "rolling_kurtosis": lambda v: over(moment(v, 4), moment(v, 2) ** 2) - 3,
    "rolling_highest": np.max,
    "rolling_lowest": np.min,
    "rolling_age_of_highest": newest_highest,
    "rolling_age_of_lowest": lambda v: newest_highest(-v),
    "rolling_mean_deviation": lambda v: np.mean(np.abs(v - v.mean())),
    "rolling_weighted_mean": lambda v: np.average(v, weights=np.arange(len(v)) + 1),
}
every_window = pytest.mark.parametrize("width", [2, 3, 20, 60])


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    """More rows than a block has: walks that stand still at times, beside weights that are often zero."""
    rng = np.random.default_rng(5)
    rows = 8_400
    stops = np.repeat(rng.random(rows // 100) < 0.3, 100)
    walk = 100 + np.where(stops, 0, rng.integers(-3, 4, rows)).cumsum() / 64
    return pl.DataFrame(
        {
            "walk": walk,
            "other": rng.normal(size=rows),
            "weight": rng.integers(0, 9, rows) * ~np.roll(stops, 50) * 1.0,
        }
    )


def agree(expression, width, function, frame, *columns):
    """Compare the first rows, and those about the end of the first block, with the plain arithmetic."""
    found = frame.select(x=expression)["x"].fill_null(np.nan).to_numpy()
    rows = np.r_[width - 1 : 300, 8_150:8_400]
    values = [frame[name].to_numpy() for name in columns]
    expected = [function(*(one[row - width + 1 : row + 1] for one in values)) for row in rows]

    assert np.isnan(found[: width - 1]).all()
    np.testing.assert_allclose(found[rows], expected, rtol=1e-9, atol=1e-9)


@every_window
@pytest.mark.parametrize("name", PLAIN)
def test_a_window_is_what_its_bars_say(frame, name, width):
    agree(getattr(windows, name)("walk", width), width, PLAIN[name], frame, "walk")


@every_window
@pytest.mark.parametrize("ddof", [0, 1])
def test_deviations_are_those_of_the_bars(frame, width, ddof):
    variance = windows.rolling_variance("walk", width, ddof=ddof)
    deviation = windows.rolling_std("walk", width, ddof=ddof)

    agree(variance, width, lambda v: v.var(ddof=ddof), frame, "walk")
    agree(deviation, width, lambda v: v.std(ddof=ddof), frame, "walk")


@every_window
def test_windows_of_two_columns_are_what_their_bars_say(frame, width):
    def slope(left, right):
        return np.mean((left - left.mean()) * (right - right.mean())) / right.var()

    def correlation(left, right):
        return over(slope(left, right) * right.std(), left.std())

    mean = windows.rolling_average("walk", "weight", width)
    agree(mean, width, average, frame, "walk", "weight")
    agree(windows.rolling_beta("walk", "other", width), width, slope, frame, "walk", "other")
    both = windows.rolling_correlation("walk", "other", width)
    agree(both, width, correlation, frame, "walk", "other")


@every_window
def test_bars_outside_a_window_cannot_change_a_bit_of_it(frame, width):
    shock = pl.when(pl.int_range(pl.len()) < 4_000).then(pl.col("walk") * 1e9 / 3)
    shocked = frame.with_columns(shock.otherwise(pl.col("walk")).alias("walk"))
    for name in PLAIN:
        column = getattr(windows, name)("walk", width).alias(name)
        late = frame.select(column)[4_000 + width :]

        assert late.equals(shocked.select(column)[4_000 + width :]), name
        assert late.equals(frame[4_000:].select(column)[width:]), name
