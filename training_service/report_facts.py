"""What a report shows of a model, read from its row: names, formats, and facts in one shape. Pure.

A model says what it stores: older ones have fewer facts, and nothing here asks for one that is not
there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reporting import count, ratio, share

Facts = Mapping[str, Any]
Format = Callable[[Any], str]


def fine(value: float | None) -> str:
    """A score of four digits: models differ in the third.

    >>> fine(0.69274)
    '0.6927'
    """
    return ratio(value, 4)


#: What each score is called and how it is told.
SCORES: Mapping[str, tuple[str, Format]] = {
    "accuracy": ("Accuracy", share),
    "balanced_accuracy": ("Balanced accuracy", share),
    "log_loss": ("Log loss", fine),
    "auc": ("AUC", fine),
    "mae": ("Mean absolute error", fine),
    "rmse": ("Root mean square error", fine),
    "r2": ("R², against the training mean", fine),
    "rank_correlation": ("Rank correlation", fine),
    "sign_accuracy": ("Right side of zero", share),
    "up_share": ("Truly up", share),
    "predicted_up_share": ("Said to be up", share),
    "rows": ("Rows", count),
}
#: Of these less is better.
LOSSES = ("log_loss", "mae", "rmse")
#: What folds are held side by side in, for classes and for numbers.
_OF_CLASSES, _OF_NUMBERS = (
    ("accuracy", "log_loss", "auc"),
    ("rmse", "rank_correlation", "sign_accuracy"),
)
#: Who needs no model.
RIVALS = {"dummy": "dummy", "always_up": "always up"}


def chief_scores(scores: Facts) -> tuple[str, ...]:
    """The scores that say most of this kind of label."""
    return _OF_NUMBERS if scores.get("rmse") is not None else _OF_CLASSES


def baselines(metrics: Facts) -> dict[str, Facts]:
    """Scores in the test without a model, by name: the dummy (majority or mean) and always up."""
    found: Facts = metrics.get("baselines") or {}
    return {name.replace("_", " "): scores for name, scores in found.items() if scores}


def beaten_by(metrics: Facts) -> list[str]:
    """Sentences about scores in which the model is no better than what needs no model."""
    test: Facts = metrics["test"]
    found = []
    for name in chief_scores(test):
        title, told = SCORES[name]
        for rival, scores in baselines(metrics).items():
            own, other = test.get(name), scores.get(name)
            if own is None or other is None:
                continue
            if (own >= other) if name in LOSSES else (own <= other):
                found.append(
                    f"In the test the model is no better than {rival}: {title.lower()} "
                    f"{told(own)} against {told(other)}."
                )
    return found


def folds(metrics: Facts) -> list[Facts]:
    """The folds, each with its scores."""
    return list(_evaluation(metrics).get("folds") or metrics.get("folds") or [])


def total(metrics: Facts) -> Facts | None:
    """The scores of all rows tested, together."""
    found: Facts | None = _evaluation(metrics).get("total") or metrics.get("total")
    return found


def calibration(metrics: Facts) -> dict[str, list[dict[str, float]]]:
    """Bins of chances by class: ``said``, ``was`` and ``rows``; empty where there are none."""
    found = _evaluation(metrics).get("calibration") or {}
    by_class: Facts = found if isinstance(found, Mapping) else {"1": found}
    return {
        f"class {name}": [_bin(one, ("predicted", "chance"), ("observed", "share")) for one in bins]
        for name, bins in by_class.items()
    }


def confusion(metrics: Facts) -> tuple[list[str], list[list[int]]] | None:
    """The classes, and counts of the truth (rows) by what was said (columns)."""
    found: Facts = _evaluation(metrics).get("confusion") or {}
    counts = found.get("counts") or found.get("rows")
    return ([str(one) for one in found["classes"]], counts) if counts else None


def scatter(metrics: Facts) -> list[dict[str, float]]:
    """Bins of estimates: ``said``, ``was`` and ``rows``."""
    residuals: Facts = _evaluation(metrics).get("residuals") or {}
    found = residuals.get("bins") or _evaluation(metrics).get("scatter") or []
    return [_bin(one, ("predicted", "prediction"), ("observed", "truth")) for one in found]


def quantiles(metrics: Facts) -> list[tuple[float, float]]:
    """The errors (truth less estimate) below which a share of the rows lie: share, error."""
    found = (_evaluation(metrics).get("residuals") or {}).get("quantiles") or []
    pairs = found.items() if isinstance(found, Mapping) else found
    return sorted((float(at), float(error)) for at, error in pairs)


def importance(metrics: Facts, kind: str = "features") -> list[dict[str, Any]]:
    """How much worse the score gets: ``name``, ``worse`` and ``std`` (None: shuffled once)."""
    found = _evaluation(metrics).get("importance") or []
    listed = found.get(kind) or [] if isinstance(found, Mapping) else found
    if not isinstance(found, Mapping) and kind != "features":
        return []
    rows = [
        {
            "name": str(_first(one, ("feature", "name"))),
            "worse": float(_first(one, ("mean", "worse"))),
            "std": one.get("std"),
        }
        for one in listed
    ]
    return sorted(rows, key=lambda one: -one["worse"])


def drift(metrics: Facts) -> list[dict[str, Any]]:
    """Population stability indexes: ``name`` and ``psi``, the largest first."""
    rows: Sequence[Facts] = _evaluation(metrics).get("drift") or []
    found = [{"name": str(one["feature"]), "psi": float(one["psi"])} for one in rows]
    return sorted(found, key=lambda one: -one["psi"])


def _evaluation(metrics: Facts) -> Facts:
    return metrics.get("evaluation") or {}


def _bin(one: Facts, said: Sequence[str], was: Sequence[str]) -> dict[str, float]:
    return {
        "said": float(_first(one, said)),
        "was": float(_first(one, was)),
        "rows": int(one["rows"]),
    }


def _first(one: Facts, names: Sequence[str]) -> Any:
    return next(one[name] for name in names if name in one)
