"""Searching an estimator's settings on folds inside its training rows.

Settings are proposed by the tree-structured Parzen estimator of Bergstra et al., "Algorithms for
hyper-parameter optimization" (2011), as Optuna has it, from a seed and one after another, so that the
same rows give the same settings. The preset's own settings are always the first trial.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lake.errors import ProblemError
from training_service import calibrating, scores
from training_service.fitting import (
    Data,
    InnerFoldsError,
    Truth,
    Values,
    fit_plain,
    inner_folds,
    one_thread,
    take,
)
from training_service.pipelines import estimator
from training_service.progress import SILENT, Progress
from training_service.recipe import Recipe

Suggest = Callable[[Any], Any]


class SearchError(ProblemError):
    """A search with nothing to search."""


def _number(low: float, high: float, *, log: bool = False) -> tuple[str, float, float, bool]:
    return ("number", low, high, log)


def _whole(low: int, high: int, *, log: bool = False) -> tuple[str, float, float, bool]:
    return ("whole", low, high, log)


#: What is searched of each preset: kind, least, greatest, and whether evenly in the logarithm.
SPACES: dict[str, dict[str, tuple[str, float, float, bool]]] = {
    "logistic": {"C": _number(1e-5, 10, log=True)},
    "ridge": {"alpha": _number(1e-2, 1e6, log=True)},
    "random_forest": {
        "max_depth": _whole(2, 12),
        "min_samples_leaf": _whole(10, 1_000, log=True),
        "max_features": _number(0.05, 0.8),
    },
    "hist_gradient_boosting": {
        "learning_rate": _number(0.01, 0.3, log=True),
        "max_iter": _whole(20, 300, log=True),
        "max_depth": _whole(2, 8),
        "min_samples_leaf": _whole(10, 1_000, log=True),
        "l2_regularization": _number(0, 50),
    },
    "lightgbm": {
        "learning_rate": _number(0.01, 0.3, log=True),
        "n_estimators": _whole(20, 300, log=True),
        "num_leaves": _whole(3, 63, log=True),
        "min_child_samples": _whole(10, 1_000, log=True),
        "reg_lambda": _number(0, 50),
    },
}


def check(recipe: Recipe) -> None:
    """Refuse a search that has nothing to search.

    Raises:
        SearchError: No preset with settings to search, or all of them are fixed.
    """
    if recipe.search and not _space(recipe):
        problem = (
            f"There is nothing to search in {recipe.model} with these parameters. "
            f"A search knows the settings of {', '.join(SPACES)}; leave it out, or free one of them."
        )
        raise SearchError(problem)


def search(
    recipe: Recipe, data: Data, progress: Progress = SILENT
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The best settings found, and every trial.

    Each trial is fitted on purged walk-forward folds inside the rows and scored on what comes
    after: by logarithmic loss, by 1 - balanced accuracy where the estimator tells no chances, and
    by the root of the mean squared error for numbers. All folds' rows count as one.

    Args:
        recipe: Whose ``parameters`` stay as they are.
        data: The training rows alone.
        progress: Told of each trial.

    Returns:
        The estimator's parameters, and ``objective``, ``trials`` (``parameters`` and ``value``)
        and ``best`` (the number of the trial, from 1).

    Raises:
        SearchError, InnerFoldsError, FitError: It cannot be done.
    """
    check(recipe)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = _space(recipe)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=recipe.seed))
    study.enqueue_trial(_usual(recipe, space))
    trials: list[dict[str, Any]] = []
    for number in range(recipe.search):
        progress.at(f"search, trial {number + 1} of {recipe.search}", number / recipe.search)
        trial = study.ask()
        chosen = {name: _suggested(trial, name, bounds) for name, bounds in space.items()}
        objective, value = _tried(recipe, data, dict(recipe.parameters) | chosen)
        study.tell(trial, value)
        trials.append({"parameters": chosen, "value": value})
    best = min(range(len(trials)), key=lambda place: trials[place]["value"])
    found = dict(recipe.parameters) | trials[best]["parameters"]
    return found, {"objective": objective, "trials": trials, "best": best + 1}


def _space(recipe: Recipe) -> Mapping[str, tuple[str, float, float, bool]]:
    known = SPACES.get(recipe.model, {})
    return {name: bounds for name, bounds in known.items() if name not in recipe.parameters}


def _usual(recipe: Recipe, space: Mapping[str, Any]) -> dict[str, Any]:
    made = estimator(recipe.model, recipe.seed, classes=bool(recipe.classes), parameters={})
    own = made.get_params()
    return {name: own[name] for name in space if _lies_within(own[name], space[name])}


def _lies_within(value: Any, bounds: tuple[str, float, float, bool]) -> bool:
    return isinstance(value, int | float) and bounds[1] <= value <= bounds[2]


def _suggested(trial: Any, name: str, bounds: tuple[str, float, float, bool]) -> Any:
    kind, low, high, log = bounds
    if kind == "whole":
        return trial.suggest_int(name, int(low), int(high), log=log)
    return trial.suggest_float(name, low, high, log=log)


def _tried(recipe: Recipe, data: Data, parameters: dict[str, Any]) -> tuple[str, float]:
    truth, told = [], []
    objective = "rmse"
    for fold in inner_folds(recipe, data):
        made, _ = fit_plain(recipe, data.rows(fold.train), parameters)
        with one_thread():
            objective, said = _said(made, take(data.values, fold.test), recipe.classes)
        truth.append(take(data.truth, fold.test))
        told.append(said)
    if not truth:
        raise InnerFoldsError("a search", len(data.truth))
    return objective, _loss(objective, np.concatenate(truth), np.concatenate(told), recipe)


def _said(made: Any, values: Values, classes: tuple[int, ...]) -> tuple[str, Values]:
    seen = made[:-1].transform(values)
    if not classes:
        return "rmse", np.asarray(made[-1].predict(seen), dtype=np.float64)
    if hasattr(made[-1], "predict_proba"):
        return "log_loss", calibrating.own_chances(made[-1], seen, classes)
    said = np.asarray(made[-1].predict(seen))
    return "error_rate", np.column_stack([(said == one).astype(float) for one in classes])


def _loss(objective: str, truth: Truth, told: Values, recipe: Recipe) -> float:
    if objective == "rmse":
        value = float(np.sqrt(np.mean((truth - told) ** 2)))
    else:
        found = scores.score_classes(truth, told, recipe.classes)
        value = (
            found["log_loss"] if objective == "log_loss" else 1 - float(found["balanced_accuracy"])
        )
    # Optuna takes no NaN; a setting that overflows is the worst there is.
    return value if math.isfinite(value) else float(np.finfo(np.float64).max)
