"""What a registered model of any kind promises: what it was made from, and the same again when loaded."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_service.user_sets import UserSet, define
from lake import BarsMissingError
from lake.models import ModelMissingError, delete_model, models, tag_model, tags
from tests.feature_service.walks import SOURCE
from training_service import comparing, provenance, training
from training_service.artifact import EstimatorMissingError
from training_service.comparing import CompareError, compare
from training_service.dataset import assemble
from training_service.model import NoChancesError
from training_service.splits import Holdout, split_of
from training_service.training import FeaturesDifferError, Recipe, train, train_recipe

CONFIGURED = [
    {"split": split_of("walk-forward:folds=3"), "calibration": "isotonic", "selector": "k_best:5"},
    {
        "label": "return_15",
        "model": "ridge",
        "split": split_of("purged-k-fold:folds=3"),
        "search": 2,
    },
    {
        "label": "move_5bp_15",
        "model": "sklearn.naive_bayes:GaussianNB",
        "weights": "balanced",
        "parameters": {"var_smoothing": 1e-6},
    },
]


@pytest.fixture
def rows(store):
    return assemble(store, ["SPY"], "core").frame


@pytest.mark.parametrize("told", CONFIGURED, ids=lambda told: next(iter(told.values())))
def test_the_same_recipe_gives_the_same_predictions_to_the_bit(store, rows, told):
    recipe = Recipe(["SPY"], **told)
    first = train_recipe(store, recipe)
    expected = first.predict(rows)
    np.testing.assert_array_equal(training.load(store, first.model_id).predict(rows), expected)
    first.path.unlink()
    second = train_recipe(store, recipe)

    assert second.fresh
    assert second.model_id == first.model_id
    assert second.metrics == first.metrics
    np.testing.assert_array_equal(second.predict(rows), expected)


def test_a_model_predicts_classes_or_numbers_and_chances_where_there_are_two(store, rows):
    two = train(store, ["SPY"])
    assert ((two.chances(rows) >= 0.5) == two.predict(rows)).all()
    np.testing.assert_allclose(two.probabilities(rows)[:, 1], two.chances(rows))

    three = train(store, ["SPY"], label="move_5bp_15")
    assert set(three.predict(rows)) <= {-1, 0, 1}
    assert three.probabilities(rows).shape == (rows.height, 3)
    number = train(store, ["SPY"], label="return_15", model="ridge")
    assert number.predict(rows).dtype == np.float64
    for model in (three, number):
        with pytest.raises(NoChancesError, match="is not 0 or 1, so it has no chance of class 1"):
            model.chances(rows)
    with pytest.raises(NoChancesError, match="foresees return_15"):
        number.probabilities(rows)


def test_the_certificate_says_which_rows_were_learnt_and_how(store):
    recipe = Recipe(["SPY"], split=split_of("combinatorial-purged:groups=4"), calibration="sigmoid")
    made = train_recipe(store, recipe)

    born = json.loads(made.path.with_suffix(".json").read_text())
    assert born["recipe"]["split"]["split"] == "combinatorial-purged"
    assert born["trained_by"] == Holdout().facts
    assert born["calibrated"]
    assert set(born["row_hashes"]) == {"train", "test"}
    assert born["commit"] == provenance.commit("training_service")
    assert len(born["metrics"]["paths"]["scores"]) == 3
    assert born["metrics"]["evaluation"]["importance"]["groups"]


@pytest.mark.parametrize(
    "told",
    [
        {"selector": "variance"},
        {"weights": "balanced"},
        {"calibration": "sigmoid"},
        {"parameters": {"C": 1.0}},
        {"split": split_of("walk-forward")},
        {"search": 1},
    ],
    ids=str,
)
def test_each_choice_makes_another_model(told):
    plain, other = (Recipe(["SPY"], **each).facts for each in ({}, told))

    assert plain != other


def test_an_estimator_whose_code_is_gone_is_a_sentence(store, tmp_path, monkeypatch):
    (tmp_path / "mine_own.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "class Mine(LogisticRegression):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    made = train_recipe(store, Recipe(["SPY"], model="mine_own:Mine"))
    assert made.stored.params["estimator"]["class"] == "mine_own:Mine"
    (tmp_path / "mine_own.py").unlink()
    monkeypatch.delitem(sys.modules, "mine_own")

    with pytest.raises(EstimatorMissingError, match="No module named 'mine_own'"):
        training.load(store, made.model_id)


def test_a_source_of_ones_own_is_taken_and_one_without_bars_is_a_sentence(store):
    told = {"label": "return_15", "model": "dummy"}
    made = train_recipe(store, Recipe(["SPY"], sources={"spy": SOURCE}, **told))

    assert made.stored.params["sources"] == {"SPY": SOURCE}
    with pytest.raises(BarsMissingError):
        train_recipe(store, Recipe(["SPY"], sources={"SPY": "file:none"}, **told))


def test_progress_grows_and_is_told_of_every_fold_and_trial(store):
    told = []
    recipe = Recipe(["SPY"], split=split_of("walk-forward:folds=2"), search=2)
    train_recipe(store, recipe, progress=lambda *each: told.append(each))

    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] < 1
    said = [what for what, _ in told]
    assert "training fold 1 of 2" in said
    assert said.count("search, trial 2 of 2") == 2


def test_a_run_that_is_stopped_leaves_nothing(store):
    class StoppedError(Exception):
        pass

    def stop(what, _):
        if what == "registering":
            raise StoppedError

    with pytest.raises(StoppedError):
        train_recipe(store, Recipe(["SPY"]), progress=stop)
    assert models(store).is_empty()
    assert not list(store.home.glob("models/*"))


# Comparing


def test_models_lie_side_by_side_with_what_differs(store):
    first = train(store, ["SPY"])
    second = train(store, ["SPY"], model="dummy", seed=3)
    tag_model(store, second.model_id, "champion")
    found = compare(store, [first.model_id, second.model_id])

    assert found["model_id"].to_list() == [first.model_id, second.model_id]
    assert found["model"].to_list() == ["logistic", "dummy"]
    assert found["seed"].to_list() == ["0", "3"]
    assert found["tags"].to_list() == [None, "champion"]
    assert not {"label", "set", "selector", "test_mae"} & set(found.columns)
    assert found["test_auc"].to_list() == [one.metrics["test"]["auc"] for one in (first, second)]
    assert found["total_log_loss"][1] == pytest.approx(found["total_dummy"][1])
    assert found["comparable"].to_list() == [True, True]
    assert found["warning"].dtype == pl.String


def test_scores_of_other_bars_or_other_labels_are_not_set_side_by_side(store):
    plain, later, number = (
        train(store, ["SPY"]).model_id,
        train(store, ["SPY"], split=Holdout(0.1)).model_id,
        train(store, ["SPY"], label="return_15", model="ridge").model_id,
    )
    found = compare(store, [plain, later, number])

    assert found["comparable"].to_list() == [True, False, False]
    assert "tested on other bars, 2024-07-08" in found["warning"][1]
    assert "it foresees return_15, not direction_15" in found["warning"][2]
    assert found["test_rmse"].is_null().to_list() == [True, True, False]


def test_panels_of_other_symbols_are_not_set_side_by_side(store):
    told = {"model": "dummy", "panel": True}
    both, one = (train_recipe(store, Recipe(each, **told)) for each in (["SPY", "QQQ"], ["SPY"]))
    turned = train_recipe(store, Recipe(["QQQ", "SPY"], **told))
    found = compare(store, [both.model_id, one.model_id, turned.model_id])

    assert found["comparable"].to_list() == [True, False, True]
    assert "it foresees SPY, not QQQ and SPY" in found["warning"][1]


def test_a_set_that_is_now_of_other_bars_is_refused(store):
    features = ("return_1", "return_5", "rsi_14")
    define(store, UserSet("mine", features))
    made = train(store, ["SPY"], "mine", model="dummy")
    assert training.load(store, made.model_id).columns == made.columns
    define(store, UserSet("mine", features, timeframe="5min"))

    with pytest.raises(FeaturesDifferError, match="was trained when mine meant something else"):
        training.load(store, made.model_id)


def test_a_comparison_of_nothing_is_a_sentence(store):
    with pytest.raises(CompareError, match="at least two models"):
        compare(store, ["0123"])
    with pytest.raises(ModelMissingError, match="There is no model '0124'"):
        comparing.compare(store, ["0124", "0123"])


def test_a_deleted_model_takes_its_tags_along(store):
    made = train(store, ["SPY"], model="dummy")
    tag_model(store, made.model_id, "candidate")
    delete_model(store, made.model_id)

    assert tags(store).is_empty()


# Provenance


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_commit_is_the_one_git_tells(tmp_path):
    git(tmp_path, "init", "-q", "-b", "trunk")
    assert provenance.commit_of(tmp_path) is None
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    first = git(tmp_path, "rev-parse", "HEAD")
    assert provenance.commit_of(tmp_path) == first
    git(tmp_path, "pack-refs", "--all")
    assert provenance.commit_of(tmp_path) == first
    git(tmp_path, "worktree", "add", "-q", "-b", "side", "beside")
    git(tmp_path / "beside", "commit", "-q", "--allow-empty", "-m", "two")
    second = git(tmp_path / "beside", "rev-parse", "HEAD")
    assert provenance.commit_of(tmp_path / "beside") == second != first
    git(tmp_path, "checkout", "-q", "--detach", second)
    assert provenance.commit_of(tmp_path) == second


def test_where_there_is_no_checkout_there_is_no_commit(tmp_path):
    assert provenance.commit_of(tmp_path) is None
    (tmp_path / ".git").write_text("nonsense")
    assert provenance.commit_of(tmp_path) is None


def test_a_recipe_is_checked_before_features_are_built(store):
    with pytest.raises(training.RecipeError, match="from 0 on"):
        train_recipe(store, replace(Recipe(["NONE"]), seed=-1))
