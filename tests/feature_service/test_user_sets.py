"""What sets of users promise in a lake: the bits of any set, one place that knows their names, versions that go."""

import threading
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_service import build, main, sets, user_sets
from feature_service.catalog import FeatureNameError
from feature_service.choosing import choose, readable
from feature_service.reading import TooFewBarsError
from feature_service.sets import FeatureFormError, FeatureSetError
from feature_service.user_sets import NoSuchUserSetError, UserSetError, from_facts
from lake.features import (
    VersionInUseError,
    VersionMissingError,
    content_hash,
    drop_version,
    read_features,
    reading,
    store_set,
    stored_versions,
)
from training_service.training import FeaturesDifferError, load, train

from .walks import put, random_walk

FACTS = {
    "features": ["sma_20", "volume_zscore_20"],
    "expressions": {
        "trend": "ema(close, 12) / ema(close, 26) - 1",
        "signal": "ema(trend, 9)",
        "calm": "where(volume > 0, zscore(log(volume), 50), 0)",
        "early": "lag(return_5m, 3)",
    },
}


@pytest.fixture
def mine(store):
    user_sets.define(store, from_facts("mine", FACTS))
    return store


def test_a_set_goes_on_with_the_bits_of_the_whole(mine):
    build.build(mine, "SPY", "mine")
    put(mine, random_walk("SPY", date(2024, 7, 8), date(2024, 7, 9)))

    built = build.build(mine, "SPY", "mine")

    whole = build.compute(mine, "SPY", choose(mine, "mine"))
    assert built.since == date(2024, 7, 8)
    assert_frame_equal(read_features(mine, "SPY", "mine").drop("symbol"), whole, check_exact=True)
    assert built.content_hash == content_hash(whole)
    assert whole["signal"].null_count() == 25 + 8
    assert build.definitions_of(choose(mine, "mine"))[-1].name == "early"


@pytest.mark.parametrize("form", ["mine_15min", "mine_1d", "mine_all_raw", "mine_1h_all"])
def test_a_set_has_forms_like_any_other(mine, form):
    built = build.build(mine, "SPY", form)

    assert built.feature_set == choose(mine, form).name == form
    assert built.set_version != choose(mine, "mine").version
    assert read_features(mine, "SPY", form).height == built.rows


def test_a_form_of_its_own_is_the_usual_one_of_a_set(store):
    facts = {**FACTS, "timeframe": "15min", "hours": "all", "adjust": "raw"}
    user_sets.define(store, from_facts("slow", facts))

    own, usual = choose(store, "slow"), choose(store, "slow_1min_regular_split")

    assert (own.name, own.timeframe, own.hours, own.adjust) == ("slow", "15min", "all", "raw")
    assert (usual.name, usual.timeframe) == ("slow_1min_regular_split", "1min")
    again = choose(store, "slow", timeframe="1min", hours="regular", adjust="split")
    assert (again.name, again.version) == (usual.name, usual.version)


def test_the_longest_name_that_is_defined_is_meant(store):
    for name, feature in (("my", "sma_5"), ("my_own", "sma_20")):
        user_sets.define(store, from_facts(name, {"features": [feature]}))

    assert choose(store, "my_own").columns == ("sma_20",)
    assert choose(store, "my_1h").columns == ("sma_5",)
    with pytest.raises(FeatureSetError, match="Did you mean my_own"):
        choose(store, "my_onw")
    with pytest.raises(FeatureFormError):
        choose(store, "my", timeframe="7min")


def test_the_newest_definition_stands_and_the_same_again_is_no_news(store):
    one = from_facts("my", {"features": ["sma_5"]})
    assert user_sets.define(store, one)
    assert not user_sets.define(store, one)
    first = choose(store, "my").version

    assert user_sets.define(store, from_facts("my", {"features": ["sma_5", "sma_20"]}))
    assert choose(store, "my").version != first
    assert user_sets.define(store, one)
    assert choose(store, "my").version == first
    assert store.sql("FROM feature_sets").height == 3


def test_definers_at_once_leave_one_of_their_sets(store):
    names = ["sma_5", "sma_20", "sma_50", "sma_200"]
    wanted = [from_facts("my", {"features": [name]}) for name in names]
    threads = [threading.Thread(target=user_sets.define, args=(store, one)) for one in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert choose(store, "my").columns in {one.features for one in wanted}
    assert store.sql("FROM feature_sets").height == 4


def test_a_forgotten_set_is_read_where_it_was_built_and_built_no_more(mine):
    build.build(mine, "SPY", "mine")
    rows = read_features(mine, "SPY", "mine")

    user_sets.drop(mine, "mine")

    assert readable(mine, "mine") == "mine"
    assert_frame_equal(read_features(mine, "SPY", "mine"), rows)
    with pytest.raises(FeatureSetError):
        build.build(mine, "SPY", "mine")
    with pytest.raises(FeatureSetError):
        readable(mine, "mine_1h")
    with pytest.raises(NoSuchUserSetError, match="There are none"):
        user_sets.drop(mine, "mine")


def test_a_set_of_which_a_feature_has_gone_says_so_and_keeps_no_other_from_its_users(mine):
    store_set(mine, "broken", user_sets.UserSet("broken", features=("gone_5",)).definition)

    assert choose(mine, "mine").columns[0] == "sma_20"
    told = {one.name: one for one in user_sets.defined(mine)}
    assert told["broken"].set is None
    assert "no feature 'gone_5'" in told["broken"].problem
    assert told["mine"].problem == ""
    with pytest.raises(FeatureNameError, match="no feature 'gone_5'"):
        choose(mine, "broken")


def test_a_set_that_reads_another_symbol_says_whom(store):
    (first, *_) = sets.sets()["context"].columns
    facts = {"features": [first], "context": "qqq"}
    user_sets.define(store, from_facts("beside", facts))
    derived = from_facts("apart", {"expressions": {"x": f"lag({first}, 2)"}}).feature_set()

    wanted = choose(store, "beside")
    built = build.build(store, "SPY", "beside")

    assert (wanted.context, derived.context) == ("QQQ", "SPY")
    assert built.rows == store.bars("SPY", regular_only=True).height
    assert choose(store, "beside_vs_spy").context == "SPY"
    with pytest.raises(UserSetError, match="no feature reads another"):
        from_facts("alone", {"features": ["sma_5"], "context": "QQQ"})


def test_too_few_bars_for_any_value_are_refused_and_nothing_is_stored(store):
    put(store, random_walk("IWM", date(2024, 7, 8), date(2024, 7, 8), absent=0.0).head(30))
    user_sets.define(store, from_facts("long", {"expressions": {"x": "mean(close, 31)"}}))
    user_sets.define(store, from_facts("short", {"expressions": {"x": "mean(close, 30)"}}))

    with pytest.raises(TooFewBarsError, match=r"IWM has 30 bars for long, .* needs 31\. Nothing"):
        build.build(store, "IWM", "long")
    assert build.build(store, "IWM", "short").rows == 30
    assert stored_versions(store, "long") == []
    assert store.sql("SHOW TABLES").filter(pl.col("name").str.contains("long")).is_empty()


def test_a_version_that_readers_see_stays(mine):
    built = build.build(mine, "SPY", "mine")

    with pytest.raises(VersionInUseError, match="readers of 1 symbol see"):
        drop_version(mine, "mine", built.set_version[:8])
    with pytest.raises(VersionMissingError, match=built.set_version[:8]):
        drop_version(mine, "mine", built.set_version[:3])
    assert read_features(mine, "SPY", "mine").height == built.rows


def test_an_old_version_goes_and_the_view_shows_what_is_left(mine):
    old = build.build(mine, "SPY", "mine").set_version
    build.build(mine, "QQQ", "mine")
    user_sets.define(mine, from_facts("mine", {"features": ["sma_5"]}))
    new = build.build(mine, "SPY", "mine").set_version

    assert [(one.version, one.symbols, one.shown) for one in stored_versions(mine, "mine")] == [
        (new, 1, 1),
        (old, 2, 1),
    ]
    drop_version(mine, "mine", new, force=True)

    # Readers are back at what is left.
    assert "trend" in mine.sql("FROM features_mine LIMIT 1").columns
    assert read_features(mine, "SPY", "mine").columns[3:] == list(FACTS["features"]) + list(
        FACTS["expressions"]
    )
    assert set(mine.sql("SELECT DISTINCT symbol FROM features_mine")["symbol"]) == {"SPY", "QQQ"}


def test_a_version_that_is_dropped_under_a_reader_is_a_sentence(mine, monkeypatch):
    old = build.build(mine, "SPY", "mine").set_version
    user_sets.define(mine, from_facts("mine", {"features": ["sma_5"]}))
    new = build.build(mine, "SPY", "mine").set_version
    steps = {"_columns": reading._columns, "_scanned": reading._scanned}
    for name, step in steps.items():
        gone = iter([True])

        def dropping(*arguments, step=step, gone=gone):
            if next(gone, False):
                drop_version(mine, "mine", old, force=True)
            return step(*arguments)

        monkeypatch.setattr(reading, name, dropping)
        with pytest.raises(VersionMissingError, match=f"The lake has {new[:8]}"):
            read_features(mine, "SPY", "mine", set_version=old)
        monkeypatch.setattr(reading, name, step)
        with pytest.raises(VersionMissingError, match="may have been dropped"):
            read_features(mine, "SPY", "mine", set_version=old)
        user_sets.define(mine, from_facts("mine", FACTS))
        assert build.build(mine, "SPY", "mine").set_version == old
        user_sets.define(mine, from_facts("mine", {"features": ["sma_5"]}))
        build.build(mine, "SPY", "mine", full=True)


def test_the_command_of_the_features_takes_them_too(mine, monkeypatch, capsys):
    monkeypatch.setenv("BARLAKE_HOME", str(mine.home))

    assert main.run(["SPY", "--set", "mine"]) == 0
    assert capsys.readouterr().out.startswith("SPY mine: ")
    assert main.run(["SPY", "--set", "minne"]) == 2
    assert "Did you mean mine?" in capsys.readouterr().err


def test_a_model_is_trained_on_them_and_refuses_another_definition(mine):
    model = train(mine, ["SPY"], set_name="mine_15min")

    assert "trend" in model.columns
    assert load(mine, model.model_id).model_id == model.model_id
    user_sets.define(mine, from_facts("mine", {**FACTS, "expressions": {"trend": "close"}}))
    with pytest.raises(FeaturesDifferError, match="calm, early, signal"):
        load(mine, model.model_id)
