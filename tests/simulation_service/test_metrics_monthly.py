"""What the table of months promises."""

import warnings
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import sessions
from simulation_service.monthly import MONTHS, monthly, monthly_table
from simulation_service.returns import CurveError

DATES = pl.Series([date(2023, 12, 28), date(2023, 12, 29), date(2024, 1, 31), date(2024, 2, 1)])
VALUES = np.array([100.0, 105.0, 110.0, 99.0, 108.9])
CALENDAR = pl.Series(
    [date(2023, 12, 28), date(2023, 12, 29), date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2)]
)


def test_months_begin_at_the_end_of_the_month_before():
    found = monthly(DATES, VALUES, CALENDAR)

    assert found["month"].to_list() == [12, 1, 2]
    assert found["return"].to_list() == pytest.approx([0.10, -0.10, 0.10])
    assert found["sessions"].to_list() == [2, 1, 1]
    assert found["partial"].to_list() == [False, False, True]


def test_a_year_compounds_its_months():
    table = monthly_table(monthly(DATES, VALUES, CALENDAR))

    assert table.columns == ["year", *MONTHS, "total", "partial"]
    assert table["year"].to_list() == [2023, 2024]
    assert table["total"].to_list() == pytest.approx([0.10, 0.9 * 1.1 - 1])
    assert table["jan"].to_list() == [None, pytest.approx(-0.10)]
    assert table["partial"].to_list() == [[], [2]]


def test_the_calendar_of_the_exchange_tells_what_is_partial():
    # January 2024 had 21 sessions, the first on the 2nd; February's first was the 1st.
    days = sessions.schedule(date(2024, 1, 2), date(2024, 2, 1))["session_date"]

    found = monthly(days, np.linspace(100, 120, len(days) + 1))

    assert found["sessions"].to_list() == [21, 1]
    assert found["expected"].to_list() == [21, 20]
    assert found["partial"].to_list() == [False, True]
    assert monthly(days[1:], np.linspace(100, 120, len(days)))["partial"].to_list() == [True, True]


def test_behind_a_loss_of_everything_months_are_null():
    found = monthly_table(monthly(DATES, np.array([100.0, 50.0, 0.0, 0.0, 5.0]), CALENDAR))

    assert found["dec"].to_list() == [-1.0, None]
    assert found["jan"].to_list() == [None, None]
    assert found["total"].to_list() == [-1.0, None]


@given(steps=st.lists(st.tuples(st.integers(1, 40), st.floats(-0.5, 0.5)), min_size=1, max_size=40))
def test_the_years_compound_to_the_whole(steps):
    days = np.cumsum([days for days, _ in steps]).tolist()
    dates = pl.Series([date(2020, 1, 1) + timedelta(days=day) for day in days])
    values = np.append(100.0, 100 * np.cumprod([1 + step for _, step in steps]))

    found = monthly(dates, values, dates)

    assert found["sessions"].sum() == len(steps)
    assert (monthly_table(found)["total"] + 1).product() == pytest.approx(values[-1] / 100)
    assert not found["partial"].any()


def test_an_independent_library_agrees():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        empyrical = pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed")
        import pandas as pd

        days = sessions.schedule(date(2022, 11, 1), date(2024, 2, 15))["session_date"]
        returns = np.random.default_rng(2).normal(0.0004, 0.01, len(days))
        series = pd.Series(returns, index=pd.DatetimeIndex(days.to_list()))
        expected = empyrical.aggregate_returns(series, "monthly").to_numpy()

    found = monthly(days, np.append(1.0, np.cumprod(1 + returns)))

    assert found["return"].to_list() == pytest.approx(expected.tolist())


@pytest.mark.parametrize(
    ("dates", "values", "sentence"),
    [
        (DATES, VALUES[1:], "one value more than dates"),
        (DATES[:0], VALUES[:1], "at least one session"),
        (DATES.reverse(), VALUES, "must ascend"),
        (DATES.cast(pl.String), VALUES, "must be dates"),
    ],
)
def test_what_is_no_curve_of_sessions_is_refused(dates, values, sentence):
    with pytest.raises(CurveError, match=sentence):
        monthly(dates, values, CALENDAR)
