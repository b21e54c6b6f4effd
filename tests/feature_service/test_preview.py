"""What a preview of stored features promises."""

import statistics
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_service import build
from feature_service.preview import NothingToPreviewError, described, drift, preview, psi
from lake.features import read_features

numbers = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=60)


def column(values) -> pl.Series:
    return pl.Series("x", values, dtype=pl.Float64)


@given(values=numbers)
def test_statistics_are_those_of_the_standard_library(values):
    row = described(column(values).to_frame()).row(0, named=True)
    known = [value for value in values if value is not None]

    assert row["count"] == len(known)
    assert row["null_share"] == pytest.approx(1 - len(known) / len(values))
    if len(known) > 1:
        assert row["mean"] == pytest.approx(statistics.fmean(known), rel=1e-9, abs=1e-6)
        assert row["std"] == pytest.approx(statistics.stdev(known), rel=1e-6, abs=1e-6)
        quartiles = statistics.quantiles(known, n=4, method="inclusive")
        assert [row["q25"], row["median"], row["q75"]] == pytest.approx(quartiles, abs=1e-6)
        assert (row["min"], row["max"]) == (min(known), max(known))


def test_a_worked_example_of_the_index():
    # Shares of three bins: 0.5 0.3 0.2 at first, 0.4 0.3 0.3 then. By hand:
    # (0.4-0.5)ln(0.4/0.5) + 0 + (0.3-0.2)ln(0.3/0.2) = 0.022314 + 0.040547
    first = column([1.0] * 50 + [2.0] * 30 + [3.0] * 20)
    second = column([1.0] * 40 + [2.0] * 30 + [3.0] * 30)

    assert psi(first, second) == pytest.approx(0.062861, abs=1e-6)


def test_normal_samples_that_move_apart_drift_as_theory_says():
    # Without binning the index of N(0, 1) and N(d, 1) is d²; ten bins see a little less of it.
    rng = np.random.default_rng(3)
    first = column(rng.normal(size=200_000))
    for shift in (0.2, 0.5, 1.0):
        found = psi(first, column(rng.normal(shift, 1.0, 200_000)))
        assert 0.9 * shift**2 < found < shift**2


@given(first=numbers, second=numbers)
def test_the_index_is_a_number_from_zero_up_and_zero_for_the_same(first, second):
    found = psi(column(first), column(second))

    assert np.isfinite(found)
    assert found >= 0
    assert psi(column(first), column(first)) == 0


def test_nulls_that_appear_are_drift():
    first = column([float(n) for n in range(100)])
    second = column([None if n % 2 else float(n) for n in range(100)])

    told = drift(first.to_frame(), second.to_frame()).row(0, named=True)

    assert told["psi"] > 0.25
    assert told["drift"] == "great"


def test_a_preview_tells_what_is_stored(store):
    build.build(store, "SPY")
    rows = read_features(store, "SPY", start="2024-06-24", end="2024-06-26")

    seen = preview(store, "spy", "core", "2024-06-24", "2024-06-26", columns=["sma_20", "rsi_14"])
    compared = preview(
        store, "SPY", "core", "2024-06-24", "2024-06-26", against=(date(2024, 7, 1), None)
    )

    assert seen.columns["feature"].to_list() == ["sma_20", "rsi_14"]
    assert seen.span.rows == rows.height
    assert (seen.span.first, seen.span.last) == (rows["timestamp"][0], rows["timestamp"][-1])
    sma = seen.columns.row(0, named=True)
    assert sma["mean"] == pytest.approx(rows["sma_20"].mean())
    assert sma["null_share"] == 19 / rows.height
    assert seen.against is None
    assert compared.against.first.date() == date(2024, 7, 1)
    assert compared.columns.height == 37
    assert set(compared.columns["drift"]) <= {"none", "some", "great"}


def test_a_range_without_rows_is_a_sentence(store):
    build.build(store, "SPY")

    with pytest.raises(NothingToPreviewError, match="no rows from 2023-01-03 to 2023-01-04"):
        preview(store, "SPY", "core", "2023-01-03", "2023-01-04")
