"""Scoring a recipe on rows it has not learnt from, and fitting the model for use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from lake.errors import InvalidError
from training_service import scores, tuning
from training_service.fitting import (
    Data,
    Fitted,
    InnerFoldsError,
    Truth,
    Values,
    fit,
    one_class,
    take,
)
from training_service.progress import SILENT, Progress
from training_service.purging import Rows
from training_service.recipe import Recipe
from training_service.splits import (
    CombinatorialPurged,
    Fold,
    Holdout,
    Split,
    SplitError,
    WalkForward,
)

_MOST_PATHS = 200
_QUARTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}
_SPREAD = ("accuracy", "balanced_accuracy", "log_loss", "auc", *scores.NUMBERS)


class TooFewRowsError(InvalidError):
    """Nothing to learn from."""

    def __init__(self, symbols: Sequence[str], label: str, rows: int) -> None:
        super().__init__(tuple(symbols), label, rows)
        self.symbols, self.label, self.rows = tuple(symbols), label, rows

    def __str__(self) -> str:
        return (
            f"{' with '.join(self.symbols)} has {self.rows} rows with {self.label}: too few to "
            "train and to test on. Fetch more sessions, or take a label with a shorter horizon."
        )


class OneClassError(InvalidError):
    """All training rows have the same label."""

    def __init__(self, label: str, value: int, rows: int) -> None:
        super().__init__(label, value, rows)
        self.label, self.value, self.rows = label, value, rows

    def __str__(self) -> str:
        return (
            f"{self.label} is {self.value} in all {self.rows} training rows, so there is nothing "
            "to tell apart. Fetch more sessions, or take another label."
        )


@dataclass(frozen=True)
class Outcome:
    """What a model that was trained on a fold said of the rows it had not seen.

    Attributes:
        number: Of the fold, from 0.
        rows: The numbers of the rows tested.
        outputs: Chances, rows by classes, or estimates.
        usual: The same of what needs no model: shares or the mean of the training rows.
        facts: Where the fold lies, as JSON.
    """

    number: int
    rows: Rows
    truth: Truth
    outputs: Values
    usual: Values
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Judged:
    """A model for use, and what is known of the recipe.

    Attributes:
        fitted: The model.
        fold: What it was trained and is tested on.
        by: The facts of the split that fold is of.
        outcome: Of its test.
        metrics: ``folds``, ``total``, ``paths`` where there are some, and ``notes``.
    """

    fitted: Fitted
    fold: Fold
    by: Mapping[str, Any]
    outcome: Outcome
    metrics: Mapping[str, Any]


def judge(recipe: Recipe, data: Data, progress: Progress = SILENT) -> Judged:
    """Train and test along the recipe's split, and train the model for use.

    Of a holdout that is the one on its training part, whose ``folds`` are those of the recipe's
    walk inside it. Of walking forward it is the last fold's. Of any other split it is that of a
    default holdout, trained and tested after all folds.

    Args:
        recipe: How.
        data: Every labelled row.
        progress: Told before each fit.

    Raises:
        TooFewRowsError, OneClassError: There is nothing to learn from these rows.
        InnerFoldsError: The model for use has too few rows for its search or its calibration; a
            fold that has is left out, and ``notes`` say so.
        SplitError, EstimatorError, FitError, PredictionError: It cannot be done.
    """
    split = recipe.split
    if isinstance(split, WalkForward):
        return _walked(recipe, data, split, progress)
    own = isinstance(split, Holdout)
    by: Split = split if own else Holdout()
    fold = _holdout(recipe, data, by)
    if own:
        inside = data.rows(fold.train)
        outcomes, notes = _outcomes(recipe, inside, recipe.walk, progress.part(0, 0.75))
        outcomes = [replace(one, rows=fold.train[one.rows]) for one in outcomes]
    else:
        outcomes, notes = _outcomes(recipe, data, split, progress.part(0, 0.9))
        if not outcomes:
            raise TooFewRowsError(recipe.symbols, recipe.label, len(data.truth))
    last = progress.part(0.75 if own else 0.9, 1)
    fitted, outcome = _outcome(recipe, data, fold, len(outcomes), last)
    metrics = _told(recipe, outcomes, [*outcomes, outcome] if own else outcomes, notes)
    if isinstance(split, CombinatorialPurged):
        metrics["paths"] = _paths(recipe, data, split, outcomes)
    return Judged(fitted, fold, by.facts, outcome, metrics)


def scored(recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    """Scores, with those of ``dummy`` and ``always_up`` on the same rows."""
    classes, truth = recipe.classes, outcome.truth
    found = score(classes, truth, outcome.outputs, outcome.usual)
    dummy = score(classes, truth, outcome.usual, outcome.usual)
    return {**found, "dummy": dummy, "always_up": scores.always_up(truth, classes)}


def score(classes: Sequence[int], truth: Truth, outputs: Values, usual: Values) -> dict[str, Any]:
    """Scores of chances or of estimates, whichever the label needs."""
    if classes:
        return scores.score_classes(truth, outputs, classes)
    return scores.score_numbers(truth, outputs, usual)


def usual_of(known: Truth, classes: Sequence[int], rows: int) -> Values:
    """What needs no model: the training rows' share of each class, or their mean, for each row."""
    if not classes:
        return np.full(rows, known.mean())
    shares = np.array([float(np.mean(known == one)) for one in classes])
    return np.broadcast_to(shares, (rows, len(classes)))


def learnt(recipe: Recipe, data: Data, progress: Progress = SILENT) -> Fitted:
    """A model of training rows: settings searched where the recipe says so, fitted, calibrated.

    Raises:
        OneClassError: There is nothing to tell apart.
    """
    if one_class(data.truth, recipe.classes):
        raise OneClassError(recipe.label, int(data.truth[0]), len(data.truth))
    if not recipe.search:
        return fit(recipe, data)
    parameters, found = tuning.search(recipe, data, progress)
    return replace(fit(recipe, data, parameters), search=found)


def _walked(recipe: Recipe, data: Data, split: WalkForward, progress: Progress) -> Judged:
    made = list(split.folds(data.keys))
    folds = [one for one in made if len(one.train) and len(one.test)]
    if not folds:
        raise TooFewRowsError(recipe.symbols, recipe.label, len(data.truth))
    share = (len(folds) - 1) / len(folds)
    before = progress.part(0, share)
    outcomes, notes = _tested(recipe, data, folds[:-1], len(folds) - 1, before, of=len(folds))
    fitted, outcome = _outcome(
        recipe,
        data,
        folds[-1],
        len(folds) - 1,
        progress.part(share, 1),
        f"fold {len(folds)} of {len(folds)}",
    )
    every = [*outcomes, outcome]
    if empty := len(made) - len(folds):
        notes.append(f"In {empty} more folds nothing is left to train or to test on.")
    return Judged(fitted, folds[-1], split.facts, outcome, _told(recipe, every, every, notes))


def _holdout(recipe: Recipe, data: Data, split: Split) -> Fold:
    try:
        fold = next(iter(split.folds(data.keys)), None)
    except SplitError:
        fold = None
    if fold is None or not len(fold.train) or not len(fold.test):
        raise TooFewRowsError(recipe.symbols, recipe.label, len(data.truth))
    known = take(data.truth, fold.train)
    if one_class(known, recipe.classes):  # before any fold is trained in vain
        raise OneClassError(recipe.label, int(known[0]), len(known))
    return fold


def _outcomes(
    recipe: Recipe, data: Data, split: Split, progress: Progress
) -> tuple[list[Outcome], list[str]]:
    count = sum(1 for _ in split.folds(data.keys))
    return _tested(recipe, data, split.folds(data.keys), count, progress)


def _tested(
    recipe: Recipe,
    data: Data,
    folds: Iterator[Fold] | Sequence[Fold],
    count: int,
    progress: Progress,
    of: int | None = None,
) -> tuple[list[Outcome], list[str]]:
    found, notes = [], []
    for number, fold in enumerate(folds):
        part = progress.part(number / count, (number + 1) / count)
        title = f"fold {number + 1} of {of or count}"
        if not len(fold.train) or not len(fold.test):
            notes.append(f"Nothing is left to train or to test on in {title}, so it was left out.")
        elif one_class(take(data.truth, fold.train), recipe.classes):
            notes.append(f"The training rows of {title} have one class only, so it was left out.")
        else:
            try:
                found.append(_outcome(recipe, data, fold, number, part, title)[1])
            except InnerFoldsError as error:  # the model for use may have rows enough
                notes.append(f"{title.capitalize()} was left out. {error}")
    return found, notes


def _outcome(
    recipe: Recipe,
    data: Data,
    fold: Fold,
    number: int,
    progress: Progress,
    title: str = "the model for use",
) -> tuple[Fitted, Outcome]:
    progress.at(f"training {title}", 0)
    known = data.rows(fold.train)
    fitted = learnt(recipe, known, progress)
    outputs = fitted.outputs(take(data.values, fold.test), recipe.model)
    usual = usual_of(known.truth, recipe.classes, len(fold.test))
    facts = _facts(data.keys["timestamp"], fold)
    if fitted.search is not None:
        facts["parameters"] = fitted.parameters
    return fitted, Outcome(number, fold.test, take(data.truth, fold.test), outputs, usual, facts)


def _facts(times: pl.Series, fold: Fold) -> dict[str, Any]:
    found = {
        "train_start": times[int(fold.train[0])].isoformat(),
        "train_end": times[int(fold.train[-1])].isoformat(),
        "test_start": times[int(fold.test[0])].isoformat(),
        "test_end": times[int(fold.test[-1])].isoformat(),
        "train_rows": len(fold.train),
        "purged": fold.purged,
        "embargoed": fold.embargoed,
    }
    return found | ({"groups": list(fold.groups)} if fold.groups else {})


def _told(
    recipe: Recipe, folds: Sequence[Outcome], every: Sequence[Outcome], notes: list[str]
) -> dict[str, Any]:
    whole = joined(every)
    total = scored(recipe, whole)
    return {
        "folds": [{**one.facts, **scored(recipe, one)} for one in folds],
        "total": {
            **total,
            "tests": len(every),
            "distinct_rows": len(np.unique(whole.rows)),
        },
        "notes": notes,
    }


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """All rows of several tests as one; a row tested twice counts twice."""
    parts = {
        name: np.concatenate([getattr(one, name) for one in outcomes])
        for name in ("rows", "truth", "outputs", "usual")
    }
    return Outcome(0, parts["rows"], parts["truth"], parts["outputs"], parts["usual"], {})


def _paths(
    recipe: Recipe, data: Data, split: CombinatorialPurged, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Scores of each path through all groups, and how they are spread."""
    tested = {one.number: one for one in outcomes}
    groups = split.group_rows(data.keys)
    whole = [path for path in split.paths if all(fold in tested for fold in path)]
    found = []
    for path in whole[:_MOST_PATHS]:
        parts = [_of_rows(tested[fold], groups[place]) for place, fold in enumerate(path)]
        found.append(scored(recipe, joined(parts)))
    return {
        "count": len(split.paths),
        "scores": found,
        "spread": {name: spread for name in _SPREAD if (spread := _spread(found, name))},
        "better_than_dummy": _better(recipe, found),
    }


def _of_rows(outcome: Outcome, rows: Rows) -> Outcome:
    at = np.searchsorted(outcome.rows, rows)
    return replace(
        outcome,
        rows=rows,
        truth=outcome.truth[at],
        outputs=outcome.outputs[at],
        usual=outcome.usual[at],
    )


def _spread(found: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    values = [one[name] for one in found if one.get(name) is not None]
    if not values:
        return {}
    at = {key: float(np.quantile(values, share)) for key, share in _QUARTILES.items()}
    return at | {"mean": float(np.mean(values)), "std": float(np.std(values))}


def _better(recipe: Recipe, found: Sequence[Mapping[str, Any]]) -> float | None:
    """The share of paths on which the loss is below that of the training rows' shares or mean."""
    loss = "log_loss" if recipe.classes else "rmse"
    return float(np.mean([one[loss] < one["dummy"][loss] for one in found])) if found else None
