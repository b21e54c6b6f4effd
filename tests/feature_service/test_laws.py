"""What every registered feature promises, on bars as thin as real ones.

A feature that is registered is tested here by that alone.
"""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_service import catalog

from .thin_bars import thin_bars

FEATURES = list(catalog.features().values())
NAMES = [feature.name for feature in FEATURES]
every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def same_bits(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_exact=True)


@quick
@given(bars=thin_bars(), seen=st.integers(0, 90))
def test_the_future_never_changes_the_past(bars, seen):
    all_days = catalog.compute(bars.lazy(), FEATURES).collect()
    so_far = catalog.compute(bars.head(seen).lazy(), FEATURES).collect()

    same_bits(all_days.head(seen), so_far)


@quick
@given(bars=thin_bars())
def test_rows_and_their_order_are_kept(bars):
    wide = catalog.compute(bars.lazy(), FEATURES).collect()

    same_bits(wide.select(bars.columns), bars)
    assert wide.columns == [*bars.columns, *(feature.name for feature in FEATURES)]


@quick
@given(bars=thin_bars())
def test_nulls_are_where_they_are_declared_and_nowhere_else(bars):
    wide = catalog.compute(bars.lazy(), FEATURES).collect()
    warming = pl.int_range(pl.len())
    declared = wide.select(
        ((warming < feature.warm_up) | feature.null_when.fill_null(value=False)).alias(feature.name)
        for feature in FEATURES
    )

    same_bits(wide.select(pl.col(declared.columns).is_null()), declared)


@quick
@given(bars=thin_bars())
def test_no_value_is_infinite_or_not_a_number(bars):
    wide = catalog.compute(bars.lazy(), FEATURES).collect().select(NAMES)

    assert all(values.drop_nulls().is_finite().all() for values in wide)


@quick
@given(bars=thin_bars(), cut=st.integers(0, 90))
def test_another_chunking_gives_the_same_bits(bars, cut):
    chunked = pl.concat([bars.head(cut), bars.tail(max(bars.height - cut, 0))], rechunk=False)

    same_bits(
        catalog.compute(bars.lazy(), FEATURES).collect(),
        catalog.compute(chunked.lazy(), FEATURES).collect(),
    )


@quick
@given(bars=thin_bars(), doublings=st.integers(-3, 3))
def test_doubled_prices_double_what_is_in_dollars_and_nothing_else(bars, doublings):
    factor = 2.0**doublings
    scaled = bars.with_columns(pl.col("open", "high", "low", "close") * factor)
    wide = catalog.compute(bars.lazy(), FEATURES).collect()
    expected = wide.select(
        pl.col(feature.name) * (factor if feature.unit == "USD per share" else 1.0)
        for feature in FEATURES
    )

    same_bits(catalog.compute(scaled.lazy(), FEATURES).collect().select(NAMES), expected)


@every_feature
def test_a_feature_says_what_it_is(feature):
    assert feature.about.endswith(".")
    assert feature.unit
    assert feature.source
    assert feature.group in {"trend", "momentum", "volatility", "returns", "lags", "volume"}
    assert bool(feature.null_rule) == (not feature.null_when.meta.eq(pl.lit(value=False)))
