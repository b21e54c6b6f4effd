"""What training promises: nothing of the test is learnt, the same inputs give the same model."""

import json
from datetime import date

import joblib
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_service import build, sets
from lake import BarsMissingError, Fetched
from lake.actions import ACTION_SCHEMA, Answered
from lake.features import Built, read_features, store_features
from lake.models import ModelMissingError, models
from tests.feature_service.walks import SOURCE, put, random_walk
from training_service import artifact, labels, training
from training_service.artifact import ArtifactMissingError, StrangerError
from training_service.dataset import SymbolsError, assemble
from training_service.pipelines import PRESETS, PresetError
from training_service.splits import Holdout
from training_service.training import (
    ColumnsMissingError,
    FeaturesDifferError,
    OneClassError,
    Recipe,
    SplitSinceError,
    TooFewRowsError,
    train,
    train_recipe,
)


@pytest.fixture
def model(store):
    return train(store, ["SPY", "QQQ"])


def rows_of(store):
    return assemble(store, ["SPY", "QQQ"], "core").frame


# Data sets


def test_rows_are_the_minutes_at_which_every_symbol_has_a_bar(store):
    data = assemble(store, ["SPY", "QQQ"], "core")

    spy, qqq = (set(store.bars(name, regular_only=True)["timestamp"]) for name in ("SPY", "QQQ"))
    assert data.frame["timestamp"].to_list() == sorted(spy & qqq)


def test_context_columns_carry_their_symbols_name(store):
    data = assemble(store, ["SPY", "QQQ"], "core")

    own = ["close", *sets.feature_set("core").columns]
    assert list(data.columns) == [*own, *(f"{name}_QQQ" for name in own)]
    moment = data.frame["timestamp"][500]
    there = store.bars("QQQ", moment, moment)["close"].item()
    assert data.frame["close_QQQ"][500] == there
    features = read_features(store, "QQQ", start=moment, end=moment)
    assert data.frame["rsi_14_QQQ"][500] == features["rsi_14"].item()


def test_the_coverage_report_says_what_each_context_symbol_costs(store):
    data = assemble(store, ["SPY", "QQQ"], "core")

    spy, qqq = (set(store.bars(name, regular_only=True)["timestamp"]) for name in ("SPY", "QQQ"))
    report = data.coverage.row(0, named=True)
    assert report["symbol"] == "QQQ"
    assert report["rows"] == len(qqq)
    assert report["lost"] == len(spy - qqq)
    assert report["share"] == pytest.approx(len(spy - qqq) / len(spy))
    assert report["worst_lost"] >= report["lost"] / 10


def test_a_label_counts_bars_of_the_primary_symbol_and_not_rows_of_the_join(store):
    label = labels.find("direction_15")
    data = assemble(store, ["SPY", "QQQ"], "core", label=label)
    alone = assemble(store, ["SPY"], "core", label=label)

    shared = alone.frame.join(data.frame.select("timestamp"), on="timestamp", how="semi")
    wanted = ["timestamp", "label", "label_end"]
    assert_frame_equal(data.frame.select(wanted), shared.select(wanted))


def test_features_that_are_not_built_are_built_first(store):
    put(store, random_walk("IWM", date(2024, 6, 24), date(2024, 7, 8), seed=5))

    assert assemble(store, ["SPY", "IWM"], "core").frame.height > 0


def test_symbols_that_never_trade_at_the_same_time_are_named(store):
    put(store, random_walk("OLD", date(2023, 6, 26), date(2023, 6, 26)))

    with pytest.raises(SymbolsError, match="SPY and OLD have no bar of the same minute"):
        assemble(store, ["SPY", "OLD"], "core")


def test_a_symbol_cannot_be_its_own_context(store):
    with pytest.raises(SymbolsError, match="names a symbol twice"):
        train(store, ["SPY", "spy"])


def test_one_text_is_no_list_of_symbols(store):
    with pytest.raises(SymbolsError, match=r"like \['SPY'\], not 'SPY'"):
        train(store, "SPY")


def test_no_symbol_is_a_sentence(store):
    with pytest.raises(SymbolsError, match="at least one symbol"):
        train(store, [])


# Training


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_scored_out_of_sample_beside_its_baselines(store, preset):
    if preset == "lightgbm":
        pytest.importorskip("lightgbm", reason="an extra: pip install 'barlake[lightgbm]'")
    few = {"n_estimators": 10} if preset in {"random_forest", "lightgbm"} else {}
    made = train_recipe(store, Recipe(["SPY", "QQQ"], model=preset, parameters=few))

    metrics = made.metrics
    for found in (
        metrics["test"],
        metrics["baselines"]["majority"],
        metrics["baselines"]["always_up"],
    ):
        assert 0 <= found["accuracy"] <= 1
        assert 0 <= found["balanced_accuracy"] <= 1
    assert 0 < metrics["test"]["log_loss"] < 2
    assert 0 <= metrics["test"]["auc"] <= 1
    assert metrics["baselines"]["always_up"]["accuracy"] == pytest.approx(
        metrics["test"]["up_share"]
    )
    assert len(metrics["folds"]) == 3


def test_a_model_learns_what_there_is_to_learn(store):
    """The bars have momentum from one minute to the next."""
    made = train(store, ["SPY", "QQQ"], label="direction_1")

    assert made.metrics["test"]["auc"] > 0.55


def test_test_rows_come_after_training_rows_by_sessions(store, model):
    born = model.stored.params

    assert born["train_end"] < born["test_start"]
    assert born["train_end"][:10] < born["test_start"][:10]
    assert born["test_end"][:10] == "2024-07-08"


def test_nothing_of_the_test_part_is_learnt(store):
    """Test bars ten times as high leave imputer, scaler and estimator as they were."""
    before = train(store, ["SPY"])
    start = date.fromisoformat(before.stored.params["test_start"][:10])
    wild = store.bars("SPY", start).select(
        "symbol",
        "timestamp",
        *(pl.col(x) * 10 for x in ("open", "high", "low", "close")),
        "volume",
        "trade_count",
        "vwap",
    )
    store.commit_bars(Fetched(SOURCE, wild))
    after = train(store, ["SPY"])

    assert after.model_id != before.model_id
    rows = rows_of(store)
    np.testing.assert_array_equal(after.chances(rows), before.chances(rows))


def test_training_again_with_the_same_inputs_finds_the_model(store, model):
    again = train(store, ["spy", "QQQ"])

    assert model.fresh
    assert not again.fresh
    assert again.model_id == model.model_id
    assert again.stored.created_at == model.stored.created_at
    assert models(store).height == 1


@pytest.mark.parametrize("preset", ["logistic", "hist_gradient_boosting"])
def test_the_same_inputs_give_the_same_predictions_to_the_bit(store, preset):
    first = train(store, ["SPY", "QQQ"], model=preset)
    rows = rows_of(store)
    expected = first.chances(rows)
    first.path.unlink()
    second = train(store, ["SPY", "QQQ"], model=preset)

    assert second.fresh
    assert second.model_id == first.model_id
    np.testing.assert_array_equal(second.chances(rows), expected)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"label": "direction_5"},
        {"model": "dummy"},
        {"split": Holdout(0.2)},
        {"set_name": "core_all"},
    ],
    ids=str,
)
def test_other_inputs_make_another_model(store, model, other):
    assert train(store, ["SPY", "QQQ"], **other).model_id != model.model_id


def test_new_bars_make_another_model(store, model):
    put(store, random_walk("SPY", date(2024, 7, 9), date(2024, 7, 9)))
    put(store, random_walk("QQQ", date(2024, 7, 9), date(2024, 7, 9)))

    assert train(store, ["SPY", "QQQ"]).model_id != model.model_id


def test_a_range_leaves_out_the_rest(store):
    recipe = Recipe(["SPY", "QQQ"], start="2024-07-01", end="2024-07-05")
    born = train_recipe(store, recipe).stored.params

    assert born["train_start"][:10] == "2024-07-01"
    assert born["test_end"][:10] == "2024-07-05"


@pytest.mark.parametrize("bars", [390, 60, 40])
def test_one_session_and_even_a_part_of_it_is_enough(store, bars):
    put(store, random_walk("IWM", date(2024, 7, 8), date(2024, 7, 8), absent=0.0).head(bars))
    made = train(store, ["IWM"], label="direction_5")

    assert made.stored.params["rows"]["purged"] == 5
    assert made.metrics["test"]["rows"] > 0


def test_too_few_rows_are_a_sentence(store):
    put(store, random_walk("IWM", date(2024, 7, 8), date(2024, 7, 8)).head(12))

    with pytest.raises(TooFewRowsError, match="IWM has 0 rows with direction_15"):
        train(store, ["IWM"])


def test_a_label_that_never_changes_is_a_sentence(store):
    still = random_walk("IWM", date(2024, 7, 1), date(2024, 7, 8)).with_columns(
        pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close", "vwap")
    )
    put(store, still)

    with pytest.raises(OneClassError, match="direction_15 is 0 in all"):
        train(store, ["IWM"])


def test_a_label_may_look_at_highs_and_lows(store):
    found = train(store, ["SPY", "QQQ"], label="profit_first_1x1_15")
    data = assemble(store, ["SPY", "QQQ"], "core", label=labels.find("profit_first_1x1_15"))

    assert 0 < found.metrics["test"]["up_share"] < 1
    assert not {"high", "low"} & {*data.columns, *data.frame.columns}


def test_an_unknown_symbol_and_an_unknown_model_are_sentences(store):
    with pytest.raises(BarsMissingError, match="barlake ingest ZZZ"):
        train(store, ["SPY", "ZZZ"])
    with pytest.raises(PresetError, match="Did you mean logistic"):
        train(store, ["SPY"], model="logistics")


# Artifacts


def test_a_model_lies_in_the_home_beside_its_birth_certificate(store, model):
    assert model.path == store.home / "models" / f"{model.model_id}.joblib"
    certificate = json.loads(model.path.with_suffix(".json").read_text())
    assert certificate["sha256"] == model.stored.file_hash
    assert certificate["snapshot"] == model.stored.snapshot
    assert certificate["feature_hashes"] == sets.feature_set("core").hashes
    assert certificate["set_version"] == sets.feature_set("core").version
    assert certificate["recipe"]["seed"] == 0
    assert certificate["recipe"]["label"] == "direction_15"
    assert certificate["libraries"]["scikit-learn"]
    assert certificate["code"]["sources"]
    assert certificate["metrics"]["test"]["accuracy"] == model.metrics["test"]["accuracy"]
    assert sorted(path.suffix for path in model.path.parent.iterdir()) == [".joblib", ".json"]


def test_the_pinned_snapshot_holds_bars_that_came_while_features_were_built(store, monkeypatch):
    read = training.dataset_of

    def beside_an_ingest(lk, recipe):
        put(lk, random_walk("SPY", date(2024, 7, 9), date(2024, 7, 9), seed=9))
        return read(lk, recipe)

    monkeypatch.setattr(training, "dataset_of", beside_an_ingest)
    made = train(store, ["SPY"], model="dummy")

    pinned = store.bars("SPY", snapshot=made.stored.snapshot)["timestamp"].max().isoformat()
    assert made.stored.params["test_end"][:10] == "2024-07-09"
    assert pinned >= made.stored.params["test_end"]


def test_a_loaded_model_predicts_what_the_trained_one_did(store, model):
    rows = rows_of(store)
    loaded = training.load(store, model.model_id)

    np.testing.assert_array_equal(loaded.chances(rows), model.chances(rows))
    assert loaded.columns == model.columns


def test_raw_rows_go_in_nulls_and_all(store, model):
    rows = rows_of(store).with_columns(pl.lit(None, pl.Float64).alias("sma_200"))

    assert np.isfinite(model.chances(rows)).all()


def test_a_file_that_was_changed_is_not_opened(store, model):
    planted = store.home / "planted"

    class Trap:
        def __reduce__(self):
            return (open, (str(planted), "w"))

    joblib.dump({"pipeline": Trap(), "columns": []}, model.path)

    with pytest.raises(StrangerError, match="was not opened"):
        training.load(store, model.model_id)
    assert not planted.exists()


def test_a_file_that_is_gone_is_a_sentence(store, model):
    model.path.unlink()

    with pytest.raises(ArtifactMissingError, match="Train it again"):
        training.load(store, model.model_id)


def test_a_file_without_a_row_is_a_stranger(store, model):
    stranger = model.path.with_name("abc.joblib")
    stranger.write_bytes(model.path.read_bytes())

    with pytest.raises(ModelMissingError, match="There is no model 'abc'"):
        training.load(store, "abc")


def test_a_damaged_file_is_trained_again(store, model):
    model.path.write_bytes(b"broken")
    again = train(store, ["SPY", "QQQ"])

    assert again.fresh
    assert training.load(store, again.model_id).columns == model.columns
    assert models(store).height == 1


def test_features_that_mean_something_else_now_are_refused(store, model, monkeypatch):
    changed = {**sets.feature_set("core").hashes, "sma_20": "0" * 64}
    monkeypatch.setattr(sets.FeatureSet, "hashes", property(lambda _: changed))

    with pytest.raises(FeaturesDifferError, match="when sma_20 meant something else"):
        training.load(store, model.model_id)


def test_a_model_is_refused_when_a_split_has_changed_its_prices_since(store, model):
    day = date(2024, 7, 8)
    row = ("s1", "QQQ", "forward_split", day, day, 10.0, None, "{}")
    frame = pl.DataFrame([row], schema=ACTION_SCHEMA, orient="row")
    store.commit_actions(Answered(SOURCE, frame, ("QQQ",), day, day))

    with pytest.raises(SplitSinceError, match=r"splits of QQQ have changed .* Train it again"):
        training.load(store, model.model_id)


def test_rows_are_of_the_version_that_was_built_whoever_built_another_since(store):
    own = assemble(store, ["SPY"], "core")
    other = read_features(store, "SPY").with_columns(sma_20=pl.lit(-1.0))
    built = build.build(store, "SPY")
    store_features(
        store,
        Built(
            feature_set="core",
            set_version="f" * 64,
            source=SOURCE,
            symbol="SPY",
            frame=other.drop("symbol"),
            snapshot=store.snapshot(),
            changes_commit=store.snapshot(),
            seconds=0.0,
            adjust="split",
            definitions=(),
            params={},
        ),
    )
    again = assemble(store, ["SPY"], "core")

    assert again.set_version == built.set_version == own.set_version
    assert again.content_hash == own.content_hash


def test_rows_without_the_models_columns_are_refused(store, model):
    with pytest.raises(ColumnsMissingError, match="close_QQQ"):
        model.chances(assemble(store, ["SPY"], "core").frame)


def test_a_run_that_dies_before_its_commit_leaves_nothing_registered(store, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(artifact.Draft, "publish", die)
    with pytest.raises(KeyboardInterrupt):
        train(store, ["SPY"])

    assert models(store).is_empty()
    assert list((store.home / "models").iterdir()) == []


def test_features_are_built_again_when_a_symbol_has_new_bars(store):
    before = build.build(store, "SPY").rows
    put(store, random_walk("SPY", date(2024, 7, 9), date(2024, 7, 9)))
    train(store, ["SPY"])

    assert read_features(store, "SPY").height > before
