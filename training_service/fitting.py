"""Fitting a recipe's pipeline to training rows, and asking it about others."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.errors import InvalidError
from training_service import calibrating, labels
from training_service.pipelines import pipeline
from training_service.purging import Rows
from training_service.recipe import Recipe
from training_service.selecting import selector_of
from training_service.split_folds import Fold
from training_service.split_walks import WalkForward

Values = NDArray[np.float64]
Truth = NDArray[Any]

_INNER = 3
_PIECE = 4_096  # rows that are turned at a time: they fit the processor's caches
_KEYS = ("timestamp", "session_date", labels.END)
_AT_ONCE = 65_536
#: What an estimator raises whose parameters or rows do not suit it.
_UNFIT = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RuntimeError)


class FitError(InvalidError):
    """An estimator that would not learn from its rows."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(model, problem)
        self.model, self.problem = model, problem

    def __str__(self) -> str:
        return (
            f"{self.model} could not be fitted ({self.problem.rstrip('.')}). "
            "Change its parameters, its selector or the rows it learns from."
        )


class AnswerError(InvalidError):
    """An estimator that has learnt and does not answer."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(model, problem)
        self.model, self.problem = model, problem

    def __str__(self) -> str:
        return (
            f"{self.model} has learnt, but could not be asked ({self.problem.rstrip('.')}). "
            "Correct its predict, predict_proba or classes_, or train another model."
        )


class PredictionError(InvalidError):
    """Predictions that are no finite numbers."""

    def __init__(self, model: str, bad: int, rows: int) -> None:
        super().__init__(model, bad, rows)
        self.model, self.bad, self.rows = model, bad, rows

    def __str__(self) -> str:
        return (
            f"{self.model} predicts something that is no finite number for {self.bad:,} of "
            f"{self.rows:,} rows, so none of it is used. Train another model."
        )


class InfiniteFeatureError(InvalidError):
    """Features with values no model can take in."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(tuple(names))
        self.names = tuple(names)

    def __str__(self) -> str:
        return (
            f"There are infinite values in {', '.join(self.names)}. "
            "Make them null where they are computed, or take a set without them."
        )


class InnerFoldsError(InvalidError):
    """Training rows too few to be cut once more."""

    def __init__(self, purpose: str, rows: int) -> None:
        super().__init__(purpose, rows)
        self.purpose, self.rows = purpose, rows

    def __str__(self) -> str:
        return (
            f"{self.rows:,} training rows, or the classes among them, are too few for the folds "
            f"inside them that {self.purpose} needs. Fetch more sessions, or go without {self.purpose}."
        )


class WeightsError(InvalidError):
    """An estimator that cannot weigh rows."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return f"{self.model} cannot weigh its rows. Leave weights out, or take another model."


@dataclass(frozen=True)
class Data:
    """What is learnt from.

    Attributes:
        values: Rows by features, NaN where one is not known.
        truth: A class or a number for each row.
        keys: ``timestamp``, ``session_date`` and ``label_end`` of each row; sorted.
    """

    values: Values
    truth: Truth
    keys: pl.DataFrame

    def rows(self, chosen: Rows) -> "Data":
        """Some rows, in order; without a copy of the values where they follow one another."""
        return Data(take(self.values, chosen), take(self.truth, chosen), self.keys[chosen])


@dataclass(frozen=True)
class Fitted:
    """A pipeline that has learnt.

    Attributes:
        pipeline: The scikit-learn ``Pipeline``.
        classes: Of the label, smallest first; none for a number.
        calibrators: One for each class but the first of two; none where chances are as they come.
        parameters: Of the estimator, as the recipe or the search had them.
        said: Warnings of the fit.
        search: The trials, where settings were searched.
    """

    pipeline: Any
    classes: tuple[int, ...]
    calibrators: tuple[Any, ...] = ()
    parameters: dict[str, Any] | None = None
    said: tuple[str, ...] = ()
    search: dict[str, Any] | None = None

    def outputs(self, values: Values, name: str) -> Values:
        """Chances, rows by classes; for a number one estimate for each row.

        Args:
            values: Rows by features, NaN where one is not known.
            name: Of the model, for the sentence.

        Raises:
            AnswerError: The estimator breaks, or tells other classes than the label's.
            PredictionError: One is not finite.
        """
        shape = (len(values), len(self.classes)) if self.classes else (len(values),)
        found = np.empty(shape)
        with _asking(name):
            for start in range(0, len(values), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                found[part] = self.told(self.prepared(values[part]))
        _check_finite(found, name)
        return found

    def prepared(self, values: Values) -> Values:
        """What the estimator itself sees of rows."""
        return np.asarray(self.pipeline[:-1].transform(values), dtype=np.float64)

    def told(self, prepared: Values) -> Values:
        """As :meth:`outputs`, of what the estimator sees, unchecked."""
        estimator = self.pipeline[-1]
        if not self.classes:
            return np.asarray(estimator.predict(prepared), dtype=np.float64)
        if self.calibrators:
            raw = calibrating.raw_scores(estimator, prepared, self.classes)
            return calibrating.chances(self.calibrators, raw)
        return calibrating.own_chances(estimator, prepared, self.classes)

    @property
    def kept(self) -> Rows:
        """The numbers of the features that the estimator sees."""
        count = self.pipeline[0].n_features_in_
        selector = self.pipeline.named_steps.get("selector")
        return np.arange(count) if selector is None else np.flatnonzero(selector.get_support())


def fit(recipe: Recipe, data: Data, parameters: dict[str, Any] | None = None) -> Fitted:
    """Fit a pipeline with the settings given, and calibrate it.

    The calibration is learnt from scores of models that were trained on what comes before, on
    folds inside the training rows; the model itself is trained on all of them. An estimator that
    tells no chances gets a sigmoid even where the recipe names no calibration.

    Args:
        recipe: How.
        data: The training rows alone.
        parameters: Of the estimator; None for the recipe's.

    Raises:
        EstimatorError, FitError, AnswerError, WeightsError, InnerFoldsError: It cannot be done with
            these rows.
    """
    chosen = dict(recipe.parameters) if parameters is None else parameters
    plain, said = fit_plain(recipe, data, chosen)
    method = method_of(recipe, plain)
    calibrators = _calibrators(recipe, data, chosen, method) if method != "none" else ()
    return Fitted(plain, recipe.classes, calibrators, chosen, said)


def fit_plain(
    recipe: Recipe, data: Data, parameters: dict[str, Any]
) -> tuple[Any, tuple[str, ...]]:
    """A fitted pipeline without calibration, and what was said about the fit.

    Raises:
        EstimatorError, FitError, WeightsError: It cannot be done with these rows.
    """
    made = pipeline(
        recipe.model,
        recipe.seed,
        classes=bool(recipe.classes),
        columns=data.values.shape[1],
        selector=selector_of(recipe.selector),
        parameters=parameters,
    )
    weights = _weights(recipe, made[-1], data.truth)
    with warnings.catch_warnings(record=True) as caught, one_thread():
        warnings.simplefilter("always")
        try:
            made.fit(data.values, data.truth, **weights)
        except _unfit() as error:
            raise FitError(recipe.model, _line(error)) from error
    return made, tuple(sorted({str(item.message).partition("\n")[0] for item in caught}))


def method_of(recipe: Recipe, made: Any) -> str:
    """How chances come about: none where the estimator's own are taken."""
    if recipe.classes and recipe.calibration == "none" and not hasattr(made[-1], "predict_proba"):
        return "sigmoid"
    return recipe.calibration


def take(values: NDArray[Any], rows: Rows) -> NDArray[Any]:
    """Some rows, sorted; a view where they follow one another."""
    if len(rows) and int(rows[-1]) - int(rows[0]) + 1 == len(rows):
        return values[int(rows[0]) : int(rows[-1]) + 1]
    return values[rows]


def matrix(rows: pl.DataFrame, columns: Sequence[str]) -> Values:
    """Rows by columns, nulls as NaN for the imputer; made a piece at a time, so held once.

    Raises:
        InfiniteFeatureError: A value is infinite.
    """
    values = np.empty((rows.height, len(columns)))
    odd = np.zeros(len(columns), dtype=np.bool_)
    for begin in range(0, rows.height, _PIECE):
        part = rows.slice(begin, _PIECE).select(pl.col([*columns]).cast(pl.Float64))
        piece = part.fill_null(np.nan).to_numpy()
        odd |= np.isinf(piece).any(axis=0)
        values[begin : begin + _PIECE] = piece
    if infinite := [name for name, is_odd in zip(columns, odd, strict=True) if is_odd]:
        raise InfiniteFeatureError(infinite[:3])
    return values


def inner_folds(recipe: Recipe, data: Data) -> list[Fold]:
    """Purged folds inside training rows, for calibration and for the search: walking forward.

    Three, or as many as there are sessions for. Those are left out in which there is nothing to
    tell apart or nothing to test.
    """
    for count in range(_INNER, 0, -1):
        found = [
            fold
            for fold in WalkForward(count).folds(data.keys)
            if len(fold.train)
            and len(fold.test)
            and not one_class(take(data.truth, fold.train), recipe.classes)
        ]
        if found:
            return found
    return []


def keys_of(rows: pl.DataFrame) -> pl.DataFrame:
    """What splits look at."""
    return rows.select(_KEYS)


def one_thread() -> AbstractContextManager[Any]:
    """Sums over several threads come in any order, and the same inputs must give the same bits."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def one_class(truth: Truth, classes: Sequence[int]) -> bool:
    """Whether there is nothing to tell apart."""
    return bool(classes) and len(np.unique(truth)) <= 1


def _calibrators(
    recipe: Recipe, data: Data, parameters: dict[str, Any], method: str
) -> tuple[Any, ...]:
    raw, truth = [], []
    for fold in inner_folds(recipe, data):
        made, _ = fit_plain(recipe, data.rows(fold.train), parameters)
        with _asking(recipe.model):
            seen = made[:-1].transform(take(data.values, fold.test))
            raw.append(calibrating.raw_scores(made[-1], seen, recipe.classes))
        truth.append(take(data.truth, fold.test))
    told = np.concatenate(truth) if truth else np.empty(0)
    if len(np.unique(told)) < len(recipe.classes):
        purpose = "calibration" if recipe.calibration != "none" else f"calibrating {recipe.model}"
        raise InnerFoldsError(purpose, len(data.truth))
    with one_thread():
        return calibrating.learn(np.concatenate(raw), told, recipe.classes, method)


def _weights(recipe: Recipe, estimator: Any, truth: Truth) -> dict[str, Any]:
    if recipe.weights == "none":
        return {}
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.validation import has_fit_parameter

    if not has_fit_parameter(estimator, "sample_weight"):
        raise WeightsError(recipe.model)
    return {"estimator__sample_weight": compute_sample_weight("balanced", truth)}


@contextmanager
def _asking(name: str) -> Iterator[None]:
    """One thread, no warnings, and a sentence where the estimator breaks."""
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except _unfit() as error:
            raise AnswerError(name, _line(error)) from error


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


def _unfit() -> tuple[type[Exception], ...]:
    """LightGBM's own error is a bare ``Exception``; nobody has raised it who has not imported it."""
    own = getattr(sys.modules.get("lightgbm.basic"), "LightGBMError", None)
    return _UNFIT if own is None else (*_UNFIT, own)


def _check_finite(found: Values, name: str) -> None:
    fine = np.isfinite(found)
    if not fine.all():
        whole = fine if fine.ndim == 1 else fine.all(axis=1)
        raise PredictionError(name, int((~whole).sum()), len(found))
