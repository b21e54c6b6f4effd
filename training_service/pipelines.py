"""The scikit-learn pipelines there are, by name. Raw feature rows go in, nulls and all."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lake.errors import InvalidError, ProblemError
from training_service.selecting import Selector

_NO_SELECTOR = Selector()
# What would make the same recipe another model each time: nobody but us sets these.
_OURS: Mapping[str, tuple[int, ...]] = {"random_state": (), "n_jobs": (1,)}
_OURS_SAID: Mapping[str, str] = {
    "random_state": "random_state is the seed of the recipe. Say `--seed` instead.",
    "n_jobs": "Models are trained in one thread, so that the same rows give the same bits. Leave n_jobs out.",
}


class PresetError(InvalidError):
    """A name that no model preset has."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name, self.known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return (
            f"There is no model {self.name[:40]!r} to train.{hint} "
            f"The models are {', '.join(self.known)}, "
            "and any scikit-learn estimator as package.module:Class."
        )


class EstimatorError(ProblemError):
    """Something that was named as an estimator and cannot be used as one."""


def check_model(name: str) -> None:
    """Refuse a name that is neither a preset's nor an import path, without importing anything.

    Raises:
        PresetError: There is no such model.
    """
    if name not in PRESETS and ":" not in name:
        raise PresetError(name, sorted(PRESETS))


def pipeline(
    name: str,
    seed: int,
    *,
    classes: bool = True,
    columns: int = 1,
    selector: Selector = _NO_SELECTOR,
    parameters: Mapping[str, Any] | None = None,
) -> Any:
    """A new, unfitted ``Pipeline([imputer, scaler, selector, estimator])``.

    The imputer puts the training rows' median where a feature is null, and zero where it has no
    value at all.

    Args:
        name: A preset, or ``package.module:Class``.
        seed: Of whatever the estimator draws.
        classes: Whether the label is one; a number otherwise.
        columns: How many features come in.
        selector: Which of them stay; the step is not there where all do.
        parameters: Of the estimator, over what the preset says.

    Raises:
        PresetError: There is no such model.
        EstimatorError: It cannot be imported, is no estimator of that kind, or has no such parameter.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [
        ("imputer", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scaler", StandardScaler(copy=False)),  # of what the imputer has copied
        ("selector", selector.step(columns, classes=classes)),
        ("estimator", estimator(name, seed, classes=classes, parameters=parameters or {})),
    ]
    return Pipeline([(title, step) for title, step in steps if step is not None])


def estimator(name: str, seed: int, *, classes: bool, parameters: Mapping[str, Any]) -> Any:
    """A new, unfitted estimator of one thread.

    Raises:
        PresetError, EstimatorError: As :func:`pipeline`, or a parameter is ``random_state`` or other
            ``n_jobs`` than 1: the seed and the one thread are what makes it repeatable.
    """
    check_model(name)
    made = PRESETS[name](classes) if name in PRESETS else _imported(name)
    _check_kind(name, made, classes=classes)
    known = made.get_params()
    if "random_state" in known:
        made.set_params(random_state=seed)
    # Sums over several threads come in any order. None means one thread to scikit-learn, which
    # warns of more in some places, and all of them to others.
    ours = type(made).__module__.startswith("sklearn.") and known.get("n_jobs") is None
    if "n_jobs" in known and not ours:
        made.set_params(n_jobs=1)
    for key, value in parameters.items():
        if key in known and value not in _OURS.get(key, (value,)):
            raise EstimatorError(_OURS_SAID[key])
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problem = (
                f"{name} has no parameter {key[:40]!r}.{hint} It has {', '.join(sorted(known))}."
            )
            raise EstimatorError(problem)
    return made.set_params(**parameters)


def class_of(path: str) -> type:
    """The class at ``package.module:Class``.

    Raises:
        EstimatorError: It cannot be imported, or is no class.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        problem = (
            f"{path[:80]!r} cannot be imported ({str(error)[:120]}). "
            "Write it as package.module:Class, and install the package where Barlake runs."
        )
        raise EstimatorError(problem) from error
    if not inspect.isclass(found):
        problem = f"{path[:80]!r} is no class. Name the class of an estimator, like sklearn.svm:LinearSVC."
        raise EstimatorError(problem)
    return found


def _imported(path: str) -> Any:
    kind = class_of(path)
    wanted = ("fit", "predict", "get_params", "set_params", "__sklearn_tags__")
    if missing := [name for name in wanted if not callable(getattr(kind, name, None))]:
        problem = (
            f"{path[:80]} is no scikit-learn estimator: it has no {missing[0]}. "
            "Derive it from sklearn.base.BaseEstimator, and give it fit and predict."
        )
        raise EstimatorError(problem)
    try:
        return kind()
    except TypeError as error:
        problem = (
            f"{path[:80]} cannot be made without arguments ({str(error)[:80]}). "
            "Give each parameter a default; --param changes it."
        )
        raise EstimatorError(problem) from error


def _check_kind(name: str, made: Any, *, classes: bool) -> None:
    from sklearn.base import is_classifier, is_regressor

    if classes and is_regressor(made):
        problem = f"{name} estimates numbers, and the label is a class. Take a classifier, or a label like return_15."
        raise EstimatorError(problem)
    if not classes and is_classifier(made):
        problem = f"{name} tells classes apart, and the label is a number. Take a regressor, or a label like direction_15."
        raise EstimatorError(problem)


def _logistic(classes: bool) -> Any:  # noqa: FBT001 - one argument, named at the call's place
    from sklearn.linear_model import LogisticRegression

    if not classes:
        problem = (
            "logistic tells classes apart, and the label is a number. "
            "Take ridge, or a label like direction_15."
        )
        raise EstimatorError(problem)
    # Levels of one price are nearly collinear: without a firm penalty the fit wanders for long.
    return LogisticRegression(C=0.01, max_iter=500)


def _ridge(classes: bool) -> Any:  # noqa: FBT001
    from sklearn.linear_model import Ridge, RidgeClassifier

    return (RidgeClassifier if classes else Ridge)(alpha=100.0)


def _random_forest(classes: bool) -> Any:  # noqa: FBT001
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestClassifier if classes else RandomForestRegressor
    # Labels of neighbouring rows overlap, so a leaf of few rows is a leaf of one event.
    return kind(n_estimators=100, max_depth=6, min_samples_leaf=50, max_features=0.2)


def _hist_gradient_boosting(classes: bool) -> Any:  # noqa: FBT001
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    # No early stopping: it would hold out rows at random, across time.
    return kind(learning_rate=0.05, max_iter=100, max_depth=4, early_stopping=False)


def _lightgbm(classes: bool) -> Any:  # noqa: FBT001
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor
    except ImportError as error:
        problem = "lightgbm is not installed. Install it with `pip install 'barlake[lightgbm]'`."
        raise EstimatorError(problem) from error
    kind = LGBMClassifier if classes else LGBMRegressor
    return kind(
        n_estimators=100,
        learning_rate=0.05,
        num_leaves=15,
        min_child_samples=50,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )


def _dummy(classes: bool) -> Any:  # noqa: FBT001
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyClassifier(strategy="prior") if classes else DummyRegressor(strategy="mean")


#: By whether the label is a class.
PRESETS: dict[str, Callable[[bool], Any]] = {
    "logistic": _logistic,
    "ridge": _ridge,
    "random_forest": _random_forest,
    "hist_gradient_boosting": _hist_gradient_boosting,
    "lightgbm": _lightgbm,
    "dummy": _dummy,
}
