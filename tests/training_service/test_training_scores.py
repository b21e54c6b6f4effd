"""What scores and the facts of a report promise: what other libraries and a pencil say."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import metrics
from sklearn.calibration import calibration_curve

from tests.training_service.training_rows import COLUMNS, learning
from training_service import evaluation, scores
from training_service.judging import judge

GROUPS = {"past_1": "returns", "past_3": "returns", "past_9": "returns", "noise": "noise"}


def report(label="direction_1", **told):
    recipe, data = learning(label, **told)
    judged = judge(recipe, data)
    parts = (data.rows(judged.fold.train), data.rows(judged.fold.test))
    found = evaluation.evaluate(
        judged.fitted, *parts, judged.outcome, columns=COLUMNS, groups=GROUPS, seed=0
    )
    return found, judged


def test_scores_of_numbers_are_those_of_scikit_learn_and_scipy():
    draw = np.random.default_rng(1)
    truth = draw.normal(0, 1, 300)
    said = truth + draw.normal(0, 2, 300)
    found = scores.score_numbers(truth, said, np.full(300, truth.mean()))

    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, said))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, said))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, said))
    assert found["rank_correlation"] == pytest.approx(spearmanr(truth, said).statistic)
    assert found["sign_accuracy"] == pytest.approx(np.mean(np.sign(truth) == np.sign(said)))


def test_r2_is_against_the_training_mean_and_not_the_tests():
    found = scores.score_numbers(np.array([1.0, 3.0]), np.array([1.0, 2.0]), np.array([0.0, 0.0]))

    assert found["r2"] == pytest.approx(1 - 1 / 10)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=20))
def test_scores_are_finite_or_not_there(pairs):
    truth, said = np.array(pairs, dtype=float).T
    found = scores.score_numbers(truth, said, np.zeros(len(truth)))

    assert all(value is None or np.isfinite(value) for value in found.values())
    if len(set(truth)) > 1 and len(set(said)) > 1:
        assert found["rank_correlation"] == pytest.approx(spearmanr(truth, said).statistic)


def test_scores_of_three_classes_are_those_of_scikit_learn():
    draw = np.random.default_rng(2)
    truth, chances = draw.choice([-1, 0, 1], 200), draw.dirichlet([1, 1, 1], 200)
    found = scores.score_classes(truth, chances, (-1, 0, 1))

    said = chances.argmax(axis=1) - 1
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, said))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, said))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, chances))
    assert found["auc"] is None


def test_always_up_is_right_where_it_rose():
    assert scores.always_up(np.array([1, 0, 1, 1]), (0, 1))["accuracy"] == 0.75
    assert scores.always_up(np.array([1, -1, 0, 1]), (-1, 0, 1))["accuracy"] == 0.5
    assert scores.always_up(np.array([0.2, -0.1, 0.0]), ())["sign_accuracy"] == pytest.approx(1 / 3)


def test_the_calibration_curve_is_scikit_learns():
    draw = np.random.default_rng(3)
    chances = draw.random(500)
    hit = draw.random(500) < chances
    found = evaluation.calibration_curve(hit, chances)

    shares, means = calibration_curve(hit, chances, n_bins=10, strategy="quantile")
    np.testing.assert_allclose([one["share"] for one in found], shares)
    np.testing.assert_allclose([one["chance"] for one in found], means)
    assert sum(one["rows"] for one in found) == 500


def test_a_report_of_classes_has_what_was_said_beside_what_was_so():
    found, judged = report()

    said = (judged.outcome.outputs[:, 1] >= 0.5).astype(int)
    expected = metrics.confusion_matrix(judged.outcome.truth, said)
    assert found["confusion"] == {"classes": [0, 1], "rows": expected.tolist()}
    assert list(found["calibration"]) == ["1"]
    assert sum(one["rows"] for one in found["calibration"]["1"]) == len(said)


def test_a_report_of_three_classes_has_a_curve_for_each():
    found, _ = report("move_5bp_1")

    assert list(found["calibration"]) == ["-1", "0", "1"]
    assert np.shape(found["confusion"]["rows"]) == (3, 3)


def test_a_report_of_numbers_has_residuals():
    found, judged = report("return_1", model="ridge")

    error = judged.outcome.truth - judged.outcome.outputs
    assert dict(map(tuple, found["residuals"]["quantiles"]))[0.5] == pytest.approx(np.median(error))
    assert sum(one["rows"] for one in found["scatter"]) == len(error)
    told = [one["prediction"] for one in found["scatter"]]
    assert told == sorted(told)


def test_importance_is_of_what_matters_and_of_its_group():
    found, judged = report()

    told = found["importance"]
    assert told["features"][0]["name"] == "past_1"
    assert told["groups"][0]["name"] == "returns"
    assert {one["name"]: one["worse"] for one in told["features"]}["still"] == 0
    expected = metrics.log_loss(judged.outcome.truth, judged.outcome.outputs)
    assert told["value"] == pytest.approx(expected)


def test_features_left_out_by_the_selector_have_no_importance():
    found, _ = report(selector="k_best:1")

    assert [one["name"] for one in found["importance"]["features"]] == ["past_1"]


def test_drift_names_the_feature_that_changed():
    recipe, data = learning()
    judged = judge(recipe, data)
    data.values[judged.fold.test, COLUMNS.index("noise")] += 5
    train, test = data.rows(judged.fold.train), data.rows(judged.fold.test)
    found = evaluation.evaluate(
        judged.fitted, train, test, judged.outcome, columns=COLUMNS, groups={}, seed=0
    )

    assert found["drift"][0]["feature"] == "noise"
    assert found["drift"][0]["drift"] == "great"


def test_a_report_is_small_and_is_json():
    for label, model in [("direction_1", "logistic"), ("return_1", "ridge")]:
        found, _ = report(label, model=model)
        assert len(json.dumps(found, allow_nan=False)) < 20_000
