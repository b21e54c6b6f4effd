"""Names of sets say their form; a form is found by its name or by arguments."""

import pytest

from feature_service import sets
from feature_service.sets import FeatureFormError, FeatureSetError


def form(name: str, **asked: str):
    found = sets.feature_set(name, **asked)
    return found.timeframe, found.hours, found.adjust


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("core", ("1min", "regular", "split")),
        ("core_all", ("1min", "all", "split")),
        ("core_1h", ("1h", "regular", "split")),
        ("wide_1d_raw", ("1d", "regular", "raw")),
        ("core_5min_all_raw", ("5min", "all", "raw")),
    ],
)
def test_a_name_says_its_form(name, expected):
    assert form(name) == expected
    assert sets.feature_set(name).name == name


def test_arguments_say_the_same_as_the_name():
    asked = sets.feature_set("core", timeframe="1h", hours="all", adjust="raw")

    assert asked == sets.feature_set("core_1h_all_raw")


def test_every_form_is_a_version_of_its_own():
    forms = ["core", "core_all", "core_raw", "core_1h", "core_1d"]

    assert len({sets.feature_set(name).version for name in forms}) == len(forms)


def test_wide_has_every_feature_of_a_symbols_own_bars_and_each_group_is_a_set():
    wide = set(sets.feature_set("wide").columns)

    assert set(sets.feature_set("core").columns) <= wide
    assert set(sets.feature_set("momentum").columns) <= wide
    assert not any(name.startswith("_") for name in wide)


def test_bars_of_a_day_leave_out_what_says_where_in_a_session_they_lie():
    daily = sets.feature_set("wide_1d")

    assert not any(feature.intraday for feature in daily.features)


@pytest.mark.parametrize(
    ("name", "nearest"), [("cor", "core"), ("core_7h", "core"), ("core_all_all", "core")]
)
def test_a_set_that_is_not_there_names_the_nearest(name, nearest):
    with pytest.raises(FeatureSetError, match=f"Did you mean {nearest}"):
        sets.feature_set(name)


def test_a_form_that_is_not_there_names_those_that_are():
    with pytest.raises(FeatureFormError, match="no timeframe '7min'; choose one of 1min"):
        sets.feature_set("core", timeframe="7min")
    with pytest.raises(FeatureFormError, match="no hours 'night'; choose one of regular, all"):
        sets.feature_set("core", hours="night")
    with pytest.raises(FeatureFormError, match="context symbol"):
        sets.feature_set("core", context="QQQ")
