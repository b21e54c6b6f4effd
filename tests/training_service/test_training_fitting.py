"""What pipelines, calibration and the search promise: they learn from training rows alone, in order."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.isotonic import IsotonicRegression

from tests.training_service.training_rows import COLUMNS, learning
from training_service import calibrating, fitting, pipelines, tuning
from training_service.fitting import AnswerError, InnerFoldsError
from training_service.judging import judge, learnt
from training_service.pipelines import PRESETS, EstimatorError, PresetError, pipeline
from training_service.recipe import Recipe, RecipeError
from training_service.selecting import SelectorError, selector_of
from training_service.training import check
from training_service.tuning import SearchError


class Certain(ClassifierMixin, BaseEstimator):
    """An estimator of somebody's own that names a class and tells no chances."""

    def __init__(self, over=0.0):
        self.over = over

    def fit(self, _, truth):
        self.classes_ = np.unique(truth)
        return self

    def predict(self, rows):
        return (rows[:, 0] > self.over).astype(int)


# Pipelines


def test_the_best_features_are_those_of_the_training_rows():
    """The noise is made the label itself, where nothing is learnt: it is not chosen."""
    recipe, data = learning(selector="k_best:1")
    data.values[-100:, COLUMNS.index("noise")] = data.truth[-100:]
    fitted = judge(recipe, data).fitted

    assert [COLUMNS[place] for place in fitted.kept] == ["past_1"]


def test_variance_leaves_out_what_never_changes():
    recipe, data = learning(selector="variance")

    assert [COLUMNS[place] for place in fitting.fit(recipe, data).kept] == list(COLUMNS[:-1])


def test_balanced_weights_let_a_rare_class_be_foreseen():
    told = {}
    for weights in ("none", "balanced"):
        recipe, data = learning("above_10bp_1", weights=weights, days=20)
        told[weights] = judge(recipe, data).metrics["total"]

    assert told["none"]["up_share"] < 0.2
    assert told["balanced"]["balanced_accuracy"] > told["none"]["balanced_accuracy"] + 0.1


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "lightgbm"])
def test_every_preset_learns_with_one_thread_and_the_seed(name):
    known = pipeline(name, 11)[-1].get_params()

    assert known.get("random_state", 11) == 11
    assert known.get("n_jobs") in (None, 1)  # None is one to scikit-learn


def test_without_lightgbm_the_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)

    with pytest.raises(EstimatorError, match=r"pip install 'barlake\[lightgbm\]'"):
        check(Recipe(["SPY"], model="lightgbm"))


@pytest.mark.parametrize(
    ("told", "kind", "sentence"),
    [
        ({"model": "logistics"}, PresetError, "Did you mean logistic"),
        ({"model": "sklearn.svm:SVX"}, EstimatorError, "cannot be imported"),
        ({"model": "no.such:Thing"}, EstimatorError, "cannot be imported.*No module named 'no'"),
        ({"model": "math:pi"}, EstimatorError, "is no class"),
        ({"model": "json:JSONDecoder"}, EstimatorError, "has no fit. Derive it from"),
        ({"model": "sklearn.multiclass:OneVsRestClassifier"}, EstimatorError, "without arguments"),
        ({"model": "sklearn.linear_model:Lasso"}, EstimatorError, "estimates numbers"),
        ({"label": "return_1"}, EstimatorError, "the label is a number. Take ridge"),
        ({"label": "return_1", "model": "sklearn.svm:SVC"}, EstimatorError, "Take a regressor"),
        (
            {"parameters": {"max_it": 1}},
            EstimatorError,
            "no parameter 'max_it'. Did you mean max_iter",
        ),
        ({"parameters": {"C": {1, 2}}}, RecipeError, "kept as JSON"),
        ({"parameters": {"random_state": None}}, EstimatorError, "the seed of the recipe"),
        (
            {"model": "random_forest", "parameters": {"n_jobs": 2}},
            EstimatorError,
            "in one thread.*Leave n_jobs out",
        ),
        ({"selector": "k_bst:2"}, SelectorError, "Did you mean k_best"),
        ({"selector": "k_best:0"}, SelectorError, "from 1 on, like k_best:20"),
        ({"selector": "variance:2"}, SelectorError, "There is no selector 'variance:2'"),
        ({"weights": "even"}, RecipeError, "Weights can be none, balanced, not 'even'"),
        ({"calibration": "platt"}, RecipeError, "none, sigmoid, isotonic, not 'platt'"),
        ({"search": -1}, RecipeError, "0 to 1,000"),
        ({"search": 2.5}, RecipeError, "0 to 1,000 settings, not 2.5"),
        ({"seed": -1}, RecipeError, "from 0 on"),
        ({"seed": 2**32}, RecipeError, "at most 4294967295, not 4294967296"),
        ({"seed": "7"}, RecipeError, "a whole number"),
        ({"search": 2, "model": "dummy"}, SearchError, "nothing to search in dummy"),
        ({"search": 2, "parameters": {"C": 1}}, SearchError, "free one of them"),
        (
            {"label": "return_1", "model": "ridge", "calibration": "sigmoid"},
            RecipeError,
            "return_1 is a number, and weights and calibration are for classes",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_recipe_that_cannot_be_is_a_sentence_before_anything_is_built(told, kind, sentence):
    with pytest.raises(kind, match=sentence):
        check(Recipe(["SPY"], **told))


def test_texts_of_selectors_are_read():
    assert selector_of(" k_best : 12 ").count == 12
    assert selector_of("none").step(3, classes=True) is None
    assert selector_of("k_best:9").step(3, classes=False).k == 3


# Calibration


def test_a_sigmoid_is_the_likeliest_curve_through_platts_targets():
    draw = np.random.default_rng(0)
    scores = draw.normal(0, 3, 200)
    hit = draw.random(200) < 1 / (1 + np.exp(-scores / 2 + 0.3))
    (made,) = calibrating.learn(scores[:, None], hit.astype(int), (0, 1), "sigmoid")
    told = calibrating.chances([made], scores[:, None])[:, 1]

    target = np.where(hit, (hit.sum() + 1) / (hit.sum() + 2), 1 / ((~hit).sum() + 2))

    def loss(curve):
        chance = 1 / (1 + np.exp(-(curve[0] * scores + curve[1])))
        return -np.mean(target * np.log(chance) + (1 - target) * np.log(1 - chance))

    slope, base = minimize(loss, [1.0, 0.0], tol=1e-10).x
    np.testing.assert_allclose(told, 1 / (1 + np.exp(-(slope * scores + base))), atol=1e-3)


def test_isotonic_chances_are_never_certain():
    scores, truth = np.array([[0.1], [0.2], [0.3], [0.4]]), np.array([0, 0, 1, 1])
    told = calibrating.chances(calibrating.learn(scores, truth, (0, 1), "isotonic"), scores)

    np.testing.assert_allclose(told[:, 1], [0.25, 0.25, 0.75, 0.75])
    free = IsotonicRegression(out_of_bounds="clip").fit(scores[:, 0], truth).predict(scores[:, 0])
    assert (np.round(told[:, 1]) == free).all()


@pytest.mark.parametrize("label", ["direction_1", "move_5bp_1"])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_chances_sum_to_one_and_lie_nearer_to_what_happens(label, method):
    """Boosting that overfits is much too sure of itself."""
    settings = {
        "model": "hist_gradient_boosting",
        "parameters": {"max_iter": 30, "learning_rate": 0.5},
    }
    told = {}
    for calibration in ("none", method):
        recipe, data = learning(label, calibration=calibration, **settings)
        judged = judge(recipe, data)
        told[calibration] = judged.outcome
        np.testing.assert_allclose(judged.outcome.outputs.sum(axis=1), 1)

    loss = {
        name: -np.log(
            one.outputs[np.arange(len(one.truth)), np.searchsorted(recipe.classes, one.truth)]
        )
        for name, one in told.items()
    }
    assert loss[method].mean() < loss["none"].mean()


def test_calibration_learns_in_the_order_of_time():
    """What scores are calibrated on was never seen by the model that gave them, nor came before it."""
    recipe, data = learning(calibration="sigmoid")
    folds = fitting.inner_folds(recipe, data)

    opened, ends = data.keys["timestamp"], data.keys["label_end"]
    assert len(folds) == 3
    for fold in folds:
        assert ends[fold.train].max() < opened[fold.test].min()


@pytest.mark.parametrize(
    "model", ["ridge", "sklearn.svm:LinearSVC", f"{__name__}:Certain"], ids=["ridge", "svc", "own"]
)
def test_an_estimator_without_chances_gets_a_sigmoid(model, monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys)
    if model.endswith("Certain"):
        monkeypatch.setattr(pipelines, "class_of", lambda _: Certain)
    recipe, data = learning(model=model)
    judged = judge(recipe, data)

    assert len(judged.fitted.calibrators) == 1
    assert ((judged.outcome.outputs > 0) & (judged.outcome.outputs < 1)).all()
    assert judged.metrics["total"]["log_loss"] < judged.metrics["total"]["dummy"]["log_loss"]


def test_too_few_rows_to_calibrate_are_a_sentence():
    recipe, data = learning(calibration="isotonic")

    with pytest.raises(
        InnerFoldsError, match=r"4 training rows, .* are too few .* calibration needs"
    ):
        fitting.fit(recipe, replace(data.rows(np.arange(4)), truth=np.array([0, 0, 0, 1])))


# Search


def test_a_search_tries_the_usual_settings_first_and_takes_the_best():
    recipe, data = learning(search=6, seed=3)
    fitted = learnt(recipe, data)

    told = fitted.search
    values = [one["value"] for one in told["trials"]]
    assert len(values) == 6
    assert told["trials"][0]["parameters"] == {"C": 0.01}
    assert values[told["best"] - 1] == min(values)
    assert told["trials"][told["best"] - 1]["parameters"]["C"] == fitted.pipeline[-1].C
    assert learnt(recipe, data).search == told


def test_a_trial_is_worth_what_its_settings_score_on_folds_inside_the_training_rows():
    recipe, data = learning(search=2, label="return_1", model="ridge")
    told = learnt(recipe, data).search

    for trial in told["trials"]:
        errors = []
        for fold in fitting.inner_folds(recipe, data):
            known = replace(recipe, search=0, parameters=trial["parameters"])
            made = fitting.fit(known, data.rows(fold.train))
            errors.append(data.truth[fold.test] - made.outputs(data.values[fold.test], "ridge"))
        assert trial["value"] == pytest.approx(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def test_a_search_never_sees_the_rows_it_is_judged_on():
    recipe, data = learning(search=4)
    before = judge(recipe, data)
    changed = data.truth.copy()
    changed[before.fold.test] = 1 - changed[before.fold.test]
    after = judge(recipe, replace(data, truth=changed))

    assert after.fitted.search == before.fitted.search
    np.testing.assert_array_equal(after.outcome.outputs, before.outcome.outputs)


@pytest.mark.parametrize("name", tuning.SPACES)
@pytest.mark.parametrize("classes", [True, False])
def test_what_is_searched_are_settings_the_presets_have(name, classes):
    if name == "logistic" and not classes:
        return
    if name == "lightgbm":
        pytest.importorskip("lightgbm", reason="an extra: pip install 'barlake[lightgbm]'")
    known = pipelines.estimator(name, 0, classes=classes, parameters={}).get_params()

    for setting, (_, low, high, _) in tuning.SPACES[name].items():
        assert low <= known[setting] <= high


# Estimators of one's own


class Asked(ClassifierMixin, BaseEstimator):
    """Tells chances, of classes that the label does not have or that it does not name."""

    def __init__(self, named=True):
        self.named = named

    def fit(self, *_):
        if self.named:
            self.classes_ = np.array([1, 2])
        return self

    def predict_proba(self, rows):
        return np.full((len(rows), 2), 0.5)

    def predict(self, rows):
        return np.ones(len(rows))


@pytest.mark.parametrize(("named", "problem"), [(True, "2 is not in list"), (False, "classes_")])
def test_an_estimator_that_names_other_classes_is_a_sentence(named, problem, monkeypatch):
    monkeypatch.setattr(pipelines, "class_of", lambda _: Asked)
    recipe, data = learning(model="mine:Asked", parameters={"named": named})

    with pytest.raises(AnswerError, match=f"mine:Asked has learnt, but .*{problem}.*Correct"):
        judge(recipe, data)
