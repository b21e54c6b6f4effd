"""What features of any width promise: those of the catalog, with another parameter."""

import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from polars.testing import assert_frame_equal

from feature_service import catalog, engine
from feature_service.expressions import derived
from strategy_service import needs
from strategy_service.needs import NeedError, Varied, feature, features, widened
from tests.feature_service.thin_bars import thin_weeks

from .markets import bars_of

#: One of the catalog, and a sibling of it that it is made from when it is taken away.
SIBLINGS = [
    "sma_5", "std_20", "rsi_7", "rsi_14", "return_1", "relative_volume_20", "volatility_20",
    "opening_range_high_15m", "opening_range_low_15m", "high_14", "ema_12",
]  # fmt: skip
few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def taken_away(monkeypatch):
    """Forget features of the catalog for a test, hidden parents of the same width among them."""

    def take(name):
        known = catalog.features()
        width = known[name].params
        gone = {one.name for one in known[name].ancestors if one.params == width} | {name}
        left = {key: one for key, one in known.items() if key not in gone}
        monkeypatch.setattr(needs.catalog, "features", lambda: left)
        needs.feature.cache_clear()
        return known[name]

    yield take
    needs.feature.cache_clear()


@pytest.mark.parametrize("name", SIBLINGS)
def test_a_feature_of_the_catalog_made_from_its_sibling_is_declared_alike(name, taken_away):
    expected = taken_away(name)
    found = feature(name)

    assert isinstance(found, Varied)
    for what in ("name", "params", "warm_up", "memory", "sessions", "parents", "unit", "intraday"):
        assert getattr(found, what) == getattr(expected, what), what
    assert found.hash == expected.hash


def test_a_feature_of_the_catalog_is_itself():
    assert feature("sma_20") is catalog.features()["sma_20"]


@few
@given(bars=thin_weeks())
def test_another_width_is_what_an_expression_of_it_says(bars):
    known = catalog.features()
    expressions = {
        "sma_37": "mean(close, 37)",
        "std_33": "std(close, 33)",
        "return_11": "close / lag(close, 11) - 1",
        "relative_volume_7": "volume / lag(mean(volume, 7), 1)",
    }
    wide = widened(bars, features(expressions))
    other = [derived(f"own_{name}", text, known) for name, text in expressions.items()]
    expected = engine.compute(bars.lazy(), other).collect()

    for name in expressions:
        assert_frame_equal(
            wide.select(name),
            expected.select(name=f"own_{name}").rename({"name": name}),
            abs_tol=1e-12,
        )


@few
@given(bars=thin_weeks())
def test_another_width_is_null_in_its_warm_up_and_then_known(bars):
    wanted = features(["sma_37", "rsi_9", "std_33", "return_11", "volatility_45"])
    wide = widened(bars, wanted)

    for one in wanted:
        assert wide[one.name].is_null().arg_true().to_list() == list(range(one.warm_up))


def test_bars_keep_their_rows_and_get_a_column_for_each_feature_once():
    bars = bars_of([1.0, 2.0, 3.0, 4.0, 5.0])
    wide = widened(bars, features(["sma_3", "sma_4", "sma_3"]))

    assert wide.columns == [*bars.columns, "sma_3", "sma_4"]
    assert_frame_equal(wide.select(bars.columns), bars)
    assert widened(bars, []) is bars


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("smo_20", "There is no feature 'smo_20', in any width. The nearest are sma_20"),
        ("sma_0", "There is no feature 'sma_0'"),
        ("sma_6000", "sma_6000: a window is 1 to 5,000 wide"),
        ("sma_99999999999", "sma_99999999999: a window is 1 to 5,000 wide"),
        ("macd_1_2_3", "There is no feature 'macd_1_2_3'"),
    ],
)
def test_a_feature_that_cannot_be_is_named_with_the_nearest(name, sentence):
    with pytest.raises(NeedError) as error:
        feature(name)
    assert sentence in str(error.value)
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
