"""What every registered feature promises, on bars as thin as real ones.

A feature that is registered is tested here by that alone.
"""

import os
from functools import cache

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_service import catalog, engine
from feature_service.registry import GROUPS

from .thin_bars import thin_bars, thin_weeks

FEATURES = list(catalog.features().values())
RECURSIONS = engine.recursions(FEATURES)
PRICES = ["open", "high", "low", "close", "vwap", "context_close"]
NAMES = [feature.name for feature in FEATURES]
every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
#: `make chaos` draws more, and anew.
MANY, FEW = (200, 60) if "BARLAKE_CHAOS" in os.environ else (15, 8)
few = settings(max_examples=FEW, deadline=None, suppress_health_check=list(HealthCheck))
quick = settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))


def same_bits(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_exact=True)


@few
@given(bars=thin_weeks(), seen=st.integers(0, 500))
def test_the_future_never_changes_the_past_of_long_windows(bars, seen):
    all_days = engine.compute(bars.lazy(), FEATURES).collect()
    so_far = engine.compute(bars.head(seen).lazy(), FEATURES).collect()

    same_bits(all_days.head(seen), so_far)


@few
@given(bars=thin_weeks(), share=st.floats(0.2, 0.95))
def test_going_on_from_stored_rows_gives_the_bits_of_the_whole_history(bars, share):
    whole = engine.compute(bars.lazy(), FEATURES).collect()
    days = bars["session_date"].unique(maintain_order=True).to_list()
    first = int(len(days) * share)
    for wanted in _alike():
        start, known = _context(bars, days, first, *engine.reach(wanted))
        own = engine.recursions(wanted)
        if start is None or any(
            whole[start + known - 1, one.name] is None for one in own if one.always_held
        ):
            continue
        held = whole.slice(start, known).select(
            "timestamp", *(pl.col(one.name).alias(one.held) for one in own)
        )
        part = bars.slice(start).join(held, on="timestamp", how="left", maintain_order="left")
        found = engine.compute(part.lazy(), wanted, known).collect().slice(known)

        names = [feature.name for feature in wanted]
        same_bits(found.select(names), whole.slice(start + known).select(names))


@cache
def _alike():
    """Features that look back alike, together; each recursion with what it needs apart from others."""
    found = {}
    for feature in FEATURES:
        own = tuple(one.name for one in engine.recursions([feature]))
        found.setdefault((engine.reach([feature]), own), []).append(feature)
    return list(found.values())


def _context(bars, days, first, memory, sessions):
    """The row at which the context of a session begins and its length; None if there is too little."""
    end = bars["session_date"].search_sorted(days[first])
    for back in range(max(sessions, 1), first):
        start = bars["session_date"].search_sorted(days[first - back])
        if end - start >= memory:
            return start, end - start
    return None, 0


@quick
@given(bars=thin_bars(), seen=st.integers(0, 90))
def test_the_future_never_changes_the_past(bars, seen):
    all_days = engine.compute(bars.lazy(), FEATURES).collect()
    so_far = engine.compute(bars.head(seen).lazy(), FEATURES).collect()

    same_bits(all_days.head(seen), so_far)


@quick
@given(bars=thin_bars())
def test_rows_and_their_order_are_kept(bars):
    wide = engine.compute(bars.lazy(), FEATURES).collect()

    same_bits(wide.select(bars.columns), bars)
    assert wide.columns == [*bars.columns, *(feature.name for feature in FEATURES)]


@quick
@given(bars=thin_bars())
def test_nulls_are_where_they_are_declared_and_nowhere_else(bars):
    wide = engine.compute(bars.lazy(), FEATURES).collect()
    warming = pl.int_range(pl.len())
    declared = _with_session(wide).select(
        ((warming < feature.warm_up) | feature.null_when.fill_null(value=False)).alias(feature.name)
        for feature in FEATURES
    )

    same_bits(wide.select(pl.col(declared.columns).is_null()), declared)


def _with_session(wide):
    day = pl.col("session_date")
    return wide.with_columns(
        (day != day.shift(1)).fill_null(value=False).cum_sum().alias("session")
    )


@few
@given(bars=thin_weeks())
def test_values_lie_in_the_range_that_is_declared(bars):
    wide = engine.compute(bars.lazy(), FEATURES).collect()
    for feature in FEATURES:
        low, high = feature.value_range
        assert low is None or (wide[feature.name].min() or low) >= low, feature.name
        assert high is None or (wide[feature.name].max() or high) <= high, feature.name


@quick
@given(bars=thin_bars())
def test_no_value_is_infinite_or_not_a_number(bars):
    wide = engine.compute(bars.lazy(), FEATURES).collect().select(NAMES)

    assert all(values.drop_nulls().is_finite().all() for values in wide)


@quick
@given(bars=thin_bars(), cut=st.integers(0, 90))
def test_another_chunking_gives_the_same_bits(bars, cut):
    chunked = pl.concat([bars.head(cut), bars.tail(max(bars.height - cut, 0))], rechunk=False)

    same_bits(
        engine.compute(bars.lazy(), FEATURES).collect(),
        engine.compute(chunked.lazy(), FEATURES).collect(),
    )


@quick
@given(bars=thin_bars(), doublings=st.integers(-3, 3))
def test_doubled_prices_double_what_is_in_dollars_and_nothing_else(bars, doublings):
    factor = 2.0**doublings
    scaled = bars.with_columns(pl.col(PRICES) * factor)
    wide = engine.compute(bars.lazy(), FEATURES).collect()
    expected = wide.select(
        pl.col(feature.name) * (factor if feature.unit in ("USD per share", "USD") else 1.0)
        for feature in FEATURES
    )

    same_bits(engine.compute(scaled.lazy(), FEATURES).collect().select(NAMES), expected)


@every_feature
def test_a_feature_says_what_it_is(feature):
    assert feature.about.endswith(".")
    assert feature.unit
    assert feature.source
    assert feature.group in GROUPS
    assert bool(feature.null_rule) == (not feature.null_when.meta.eq(pl.lit(value=False)))
