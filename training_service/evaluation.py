"""Facts for a model's report: calibration, confusion or residuals, importance, drift.

All of it is JSON of bounded size. Permutation importance is Breiman's, "Random forests" (2001),
section 10: how much worse the score is once a feature's values are shuffled among the rows.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.preview import drift
from training_service.fitting import Data, Fitted, Truth, Values, one_thread, take
from training_service.judging import Outcome
from training_service.progress import SILENT, Progress
from training_service.purging import Rows

_BINS = 10
_SCATTER = 20
_MOST_ROWS = 20_000
_MOST_VALUES = 2_000_000
_TOP = 30
_QUANTILES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)


def evaluate(
    fitted: Fitted,
    train: Data,
    test: Data,
    outcome: Outcome,
    *,
    columns: Sequence[str],
    groups: Mapping[str, str],
    seed: int,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """What a report shows of a model's test.

    Args:
        fitted: The model.
        train: The rows it learnt from.
        test: The rows it is tested on.
        outcome: What it said of them.
        columns: The names of the features.
        groups: The group of each, whose features are shuffled together, too.
        seed: Of the shuffling.
        progress: Told between the parts.

    Returns:
        For classes ``calibration`` (bins by class) and ``confusion``, for numbers ``residuals`` and
        ``scatter``; ``importance`` and ``drift``, the first 30 of each.
    """
    progress.at("calibration and errors", 0)
    told = _of_classes(fitted, outcome) if fitted.classes else _of_numbers(outcome)
    progress.at("permutation importance", 0.1)
    told["importance"] = importance(fitted, test, columns, groups, seed)
    progress.at("drift of the features", 0.8)
    told["drift"] = _drift(train, test, columns)
    return told


def calibration_curve(hit: NDArray[np.bool_], chances: Values) -> list[dict[str, Any]]:
    """Quantile bins of chances: how often it was so, beside what was said.

    Equal chances lie in one bin, so that there may be fewer than ten.

    Returns:
        ``chance`` (the bin's mean), ``share`` (of hits) and ``rows`` for each, the lowest first.
    """
    return [
        {
            "chance": float(chances[rows].mean()),
            "share": float(hit[rows].mean()),
            "rows": len(rows),
        }
        for rows in _bins(chances, _BINS)
    ]


def importance(
    fitted: Fitted, test: Data, columns: Sequence[str], groups: Mapping[str, str], seed: int
) -> dict[str, Any]:
    """How much worse the score of the test is without each feature, and without each group.

    Rows are taken evenly in time, at most 20,000, and fewer where there are many features. Each
    feature is shuffled once; one that the selector left out does not count. Features that carry the
    same news stand in for one another, so look at the groups, too.

    Returns:
        ``score`` (``log_loss`` or ``rmse``), ``value`` (as it is), ``rows``, ``features`` and
        ``groups``: ``name`` and ``worse`` (the score's growth), the greatest first.
    """
    rows = _evenly(len(test.truth), min(_MOST_ROWS, max(1_000, _MOST_VALUES // len(columns))))
    truth = take(test.truth, rows)
    seen = fitted.prepared(take(test.values, rows))
    names = [columns[place] for place in fitted.kept]
    draw = np.random.default_rng(seed)
    with one_thread():
        value = _loss(fitted, truth, seen)
        single = {
            name: _shuffled(fitted, truth, seen, [place], draw) - value
            for place, name in enumerate(names)
        }
        together: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            together.setdefault(groups.get(name, "other"), []).append(place)
        grouped = {
            name: _shuffled(fitted, truth, seen, places, draw) - value
            for name, places in together.items()
        }
    return {
        "score": "log_loss" if fitted.classes else "rmse",
        "value": value,
        "rows": len(rows),
        "features": _top(single),
        "groups": _top(grouped),
    }


def _of_classes(fitted: Fitted, outcome: Outcome) -> dict[str, Any]:
    classes = fitted.classes
    said = np.asarray(classes)[outcome.outputs.argmax(axis=1)]
    if classes == (0, 1):
        said = (outcome.outputs[:, 1] >= 0.5).astype(np.int64)  # noqa: PLR2004 - as it is scored
    return {
        "calibration": {
            str(one): calibration_curve(outcome.truth == one, outcome.outputs[:, place])
            for place, one in enumerate(classes)
            if one or len(classes) > 2  # noqa: PLR2004 - of two, one curve says both
        },
        "confusion": {
            "classes": list(classes),
            "rows": [
                [int(np.sum((outcome.truth == true) & (said == told))) for told in classes]
                for true in classes
            ],
        },
    }


def _of_numbers(outcome: Outcome) -> dict[str, Any]:
    truth, said = outcome.truth, outcome.outputs
    error = truth - said
    return {
        "residuals": {
            "mean": float(error.mean()),
            "std": float(error.std()),
            "quantiles": [[share, float(np.quantile(error, share))] for share in _QUANTILES],
        },
        "scatter": [
            {
                "prediction": float(said[rows].mean()),
                "truth": float(truth[rows].mean()),
                "q25": float(np.quantile(truth[rows], 0.25)),
                "q75": float(np.quantile(truth[rows], 0.75)),
                "rows": len(rows),
            }
            for rows in _bins(said, _SCATTER)
        ],
    }


def _bins(values: Values, count: int) -> list[Rows]:
    """Rows in bins of about equal number; an edge belongs to the bin below it."""
    edges = np.unique(np.quantile(values, np.arange(1, count) / count))
    place = np.searchsorted(edges, values, side="left")
    found = [np.flatnonzero(place == one) for one in range(len(edges) + 1)]
    return [rows for rows in found if len(rows)]


def _shuffled(
    fitted: Fitted, truth: Truth, seen: Values, places: list[int], draw: np.random.Generator
) -> float:
    kept = seen[:, places].copy()
    seen[:, places] = kept[draw.permutation(len(seen))]
    try:
        return _loss(fitted, truth, seen)
    finally:
        seen[:, places] = kept


def _loss(fitted: Fitted, truth: Truth, seen: Values) -> float:
    told = fitted.told(seen)
    if not fitted.classes:
        return math.sqrt(float(np.mean((truth - told) ** 2)))
    at = np.searchsorted(np.asarray(fitted.classes), truth)
    hit = told[np.arange(len(truth)), at]
    return float(-np.mean(np.log(np.maximum(hit, np.finfo(np.float64).eps))))


def _drift(train: Data, test: Data, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The population stability index of each feature between training and test rows, of rows taken evenly in time."""
    before, after = (
        pl.DataFrame(
            {
                name: pl.Series(sample[:, place], nan_to_null=True)
                for place, name in enumerate(columns)
            }
        )
        for sample in (
            take(each.values, _evenly(len(each.truth), _MOST_ROWS)) for each in (train, test)
        )
    )
    found = drift(before, after).to_dicts()
    order = sorted(found, key=lambda one: (-one["psi"], one["feature"]))
    return order[:_TOP]


def _evenly(count: int, most: int) -> Rows:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _top(found: Mapping[str, float]) -> list[dict[str, Any]]:
    order = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "worse": worse} for name, worse in order[:_TOP]]
