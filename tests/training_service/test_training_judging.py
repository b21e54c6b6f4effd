"""What judging promises: every split is scored out of sample, beside what needs no model."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.training_service.training_rows import COLUMNS, bars, dataset, learning
from training_service import fitting
from training_service.fitting import FitError, InfiniteFeatureError, PredictionError, WeightsError
from training_service.judging import OneClassError, TooFewRowsError, judge, usual_of
from training_service.purging import SplitError
from training_service.recipe import Recipe
from training_service.splits import CombinatorialPurged, split_of
from training_service.training import data_of

SPLITS = [
    "holdout",
    "walk-forward:folds=3",
    "walk-forward:window=rolling,train=4,test=2",
    "purged-k-fold:folds=4,embargo=0.02",
    "combinatorial-purged:groups=5,test_groups=2",
]


@pytest.mark.parametrize("split", SPLITS)
def test_the_model_for_use_is_tested_on_what_came_after(split):
    recipe, data = learning(split=split_of(split))
    judged = judge(recipe, data)

    opened, ends = data.keys["timestamp"], data.keys["label_end"]
    assert ends[judged.fold.train].max() < opened[judged.fold.test].min()
    assert judged.fold.test[-1] == len(data.truth) - 1
    assert judged.outcome.facts["test_end"] == opened[-1].isoformat()


@pytest.mark.parametrize("split", SPLITS[1:])
def test_folds_are_those_of_the_split_each_beside_its_own_baselines(split):
    recipe, data = learning(split=split_of(split))
    told = judge(recipe, data).metrics

    folds = list(recipe.split.folds(data.keys))
    assert len(told["folds"]) == len(folds)
    for found, fold in zip(told["folds"], folds, strict=True):
        share = data.truth[fold.train].mean()
        majority = float(share >= 0.5)
        assert found["rows"] == len(fold.test)
        assert found["train_rows"] == len(fold.train)
        assert found["purged"] == fold.purged
        assert found["dummy"]["accuracy"] == pytest.approx(
            np.mean(data.truth[fold.test] == majority)
        )
        assert found["always_up"]["accuracy"] == pytest.approx(data.truth[fold.test].mean())
    assert told["total"]["rows"] == sum(len(fold.test) for fold in folds)


def test_the_total_counts_all_rows_out_of_sample_as_one():
    recipe, data = learning(split=split_of("walk-forward:folds=3"))
    told = judge(recipe, data).metrics

    rows = [one["rows"] for one in told["folds"]]
    for name in ("accuracy", "log_loss"):
        mean = np.average([one[name] for one in told["folds"]], weights=rows)
        assert told["total"][name] == pytest.approx(mean)


def test_a_fold_is_scored_as_a_pipeline_made_by_hand_would_be():
    recipe, data = learning(split=split_of("purged-k-fold:folds=4"))
    told = judge(recipe, data).metrics["folds"][1]

    fold = list(recipe.split.folds(data.keys))[1]
    known, asked = (
        np.where(np.isnan(part), np.nanmedian(data.values[fold.train], axis=0), part)
        for part in (data.values[fold.train], data.values[fold.test])
    )
    scaler = StandardScaler().fit(known)
    model = LogisticRegression(C=0.01, max_iter=500).fit(
        scaler.transform(known), data.truth[fold.train]
    )
    assert told["accuracy"] == pytest.approx(
        model.score(scaler.transform(asked), data.truth[fold.test])
    )


def test_paths_of_combined_groups_test_every_row_once():
    split = CombinatorialPurged(5, 2)
    recipe, data = learning(split=split)
    told = judge(recipe, data).metrics["paths"]

    assert told["count"] == len(told["scores"]) == split.path_count == 4
    assert {one["rows"] for one in told["scores"]} == {len(data.truth)}
    areas = [one["auc"] for one in told["scores"]]
    assert told["spread"]["auc"]["min"] == min(areas)
    assert told["spread"]["auc"]["mean"] == pytest.approx(np.mean(areas))
    assert told["better_than_dummy"] == 1  # the walk has momentum


@pytest.mark.parametrize(
    ("label", "model", "keys"),
    [
        ("move_5bp_1", "logistic", ["accuracy", "balanced_accuracy", "log_loss"]),
        ("move_5bp_1", "ridge", ["accuracy", "balanced_accuracy", "log_loss"]),
        ("return_1", "ridge", ["mae", "rmse", "r2", "rank_correlation", "sign_accuracy"]),
        ("return_1", "dummy", ["mae", "rmse", "r2", "sign_accuracy"]),
    ],
)
def test_labels_of_every_kind_are_learnt_and_scored(label, model, keys):
    recipe, data = learning(label, model=model)
    judged = judge(recipe, data)

    total = judged.metrics["total"]
    assert all(total[key] is not None for key in keys)
    assert np.isfinite(judged.outcome.outputs).all()
    if model != "dummy":
        loss = "log_loss" if recipe.classes else "rmse"
        assert total[loss] < total["dummy"][loss]  # the walk has momentum


@pytest.mark.parametrize("model", ["random_forest", "hist_gradient_boosting", "lightgbm"])
@pytest.mark.parametrize("label", ["direction_1", "return_1"])
def test_trees_learn_classes_and_numbers_the_same_way_every_time(model, label):
    if model == "lightgbm":
        pytest.importorskip("lightgbm", reason="an extra: pip install 'barlake[lightgbm]'")
    count = "max_iter" if model == "hist_gradient_boosting" else "n_estimators"
    recipe, data = learning(label, model=model, parameters={count: 8})
    first, second = (fitting.fit(recipe, data).outputs(data.values, model) for _ in range(2))

    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first)) > 8


def test_a_panel_is_purged_by_time_and_not_by_row():
    several = pl.concat(
        [bars(6, seed=n, symbol=name) for n, name in enumerate(["IWM", "QQQ", "SPY"])]
    )
    recipe = Recipe(["SPY"], label="direction_5", split=split_of("purged-k-fold:folds=3,embargo=0"))
    data = data_of(dataset(several, "direction_5"), recipe)
    assert data.keys["timestamp"].n_unique() * 3 == len(data.truth)

    opened, ends = (data.keys[name].to_numpy() for name in ("timestamp", "label_end"))
    for fold in recipe.split.folds(data.keys):
        for row in fold.train[::7]:
            apart = (ends[fold.test] < opened[row]) | (opened[fold.test] > ends[row])
            assert apart.all()
    assert judge(recipe, data).metrics["total"]["rows"] == len(data.truth)


def test_one_class_and_too_few_rows_are_sentences():
    recipe, data = learning()
    with pytest.raises(OneClassError, match="direction_1 is 1 in all"):
        judge(recipe, replace(data, truth=np.ones_like(data.truth)))
    with pytest.raises(TooFewRowsError, match="SPY has 1 rows"):
        judge(recipe, data.rows(np.arange(1)))
    walking = replace(recipe, split=split_of("walk-forward:train=60,test=5"))
    with pytest.raises(SplitError, match="needs 65 sessions, and the rows have 10"):
        judge(walking, data)


def test_a_fold_with_one_class_is_left_out_and_told():
    recipe, data = learning(split=split_of("walk-forward:folds=4"))
    early = data.keys["session_date"] <= data.keys["session_date"].unique().sort()[1]
    truth = np.where(early.to_numpy(), 1, data.truth)
    told = judge(recipe, replace(data, truth=truth)).metrics

    assert len(told["folds"]) == 3
    assert told["notes"] == [
        "The training rows of fold 1 of 4 have one class only, so it was left out."
    ]


def test_what_an_estimator_does_not_take_is_a_sentence():
    recipe, data = learning(parameters={"C": -1.0})
    with pytest.raises(
        FitError, match=r"logistic could not be fitted \(.*'C'.*Change its parameters"
    ):
        judge(recipe, data)
    recipe, data = learning(model="sklearn.neighbors:KNeighborsClassifier", weights="balanced")
    with pytest.raises(WeightsError, match="cannot weigh its rows"):
        judge(recipe, data)


def test_infinite_features_and_predictions_are_sentences():
    rows = bars().with_columns(noise=pl.lit(float("inf")))
    with pytest.raises(InfiniteFeatureError, match="infinite values in noise"):
        data_of(dataset(rows), Recipe(["SPY"], label="direction_1"))
    recipe, data = learning("return_1", model="ridge")
    fitted = fitting.fit(recipe, data)
    fitted.pipeline[-1].coef_[0] = np.nan
    with pytest.raises(PredictionError, match="no finite number for 5 of 5 rows"):
        fitted.outputs(data.values[:5], "Model x")


def test_what_needs_no_model_is_the_training_rows_share_or_mean():
    np.testing.assert_allclose(
        usual_of(np.array([-1, 1, 1, 0]), (-1, 0, 1), 2), [[0.25, 0.25, 0.5]] * 2
    )
    np.testing.assert_allclose(usual_of(np.array([1.0, 3.0]), (), 3), [2.0, 2.0, 2.0])


def test_values_are_held_once_and_rows_in_a_piece_are_not_copied():
    _, data = learning()

    part = data.rows(np.arange(20, 50))
    assert np.shares_memory(part.values, data.values)
    assert part.values.shape == (30, len(COLUMNS))
    assert not np.shares_memory(data.rows(np.array([1, 5, 9])).values, data.values)


def test_a_fold_that_cannot_be_calibrated_is_left_out_and_said():
    """Class -1 comes late: the first fold learns from too few of it, the model for use does not."""
    recipe, data = learning("move_5bp_1", calibration="sigmoid")
    early = data.keys["session_date"] < data.keys["session_date"].unique().sort()[3]
    truth = np.where(early.to_numpy() & (data.truth == -1), 0, data.truth)
    told = judge(recipe, replace(data, truth=truth))

    assert len(told.metrics["folds"]) == 2
    assert len(told.metrics["notes"]) == 1
    assert told.metrics["notes"][0].startswith("Fold 1 of 3 was left out.")
    assert "classes among them, are too few" in told.metrics["notes"][0]
    np.testing.assert_allclose(told.outcome.outputs.sum(axis=1), 1)


@pytest.mark.parametrize("model", ["logistic", "random_forest", "hist_gradient_boosting"])
def test_a_class_that_no_training_row_has_is_given_no_chance(model):
    few = {"logistic": {}, "random_forest": {"n_estimators": 5}}
    recipe, data = learning("move_5bp_1", model=model, parameters=few.get(model, {"max_iter": 5}))
    train = judge(recipe, data).fold.train
    truth = data.truth.copy()
    truth[train] = np.maximum(truth[train], 0)
    outcome = judge(recipe, replace(data, truth=truth)).outcome

    assert (outcome.truth == -1).any()
    assert (outcome.outputs[:, 0] == 0).all()
    np.testing.assert_allclose(outcome.outputs.sum(axis=1), 1)
