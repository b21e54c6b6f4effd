"""What a report shows of a model, read from its row: names, formats, and facts in one shape. Pure.

A model says what it stores: older ones have fewer facts, and nothing here asks for one that is not
there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reporting import count, number, ratio, share

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
    "mae": ("Mean absolute error", number),
    "rmse": ("Root mean square error", number),
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
#: What a search of settings makes small, where it is no score.
_OBJECTIVES = {"error_rate": "1 less balanced accuracy"}
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


def calibration(metrics: Facts) -> dict[str, list[dict[str, float]]]:
    """Bins of chances by class: ``said``, ``was`` and ``rows``; empty where there are none."""
    found: Facts = _evaluation(metrics).get("calibration") or {}
    return {
        f"class {name}": [
            {"said": one["chance"], "was": one["share"], "rows": one["rows"]} for one in bins
        ]
        for name, bins in found.items()
    }


def confusion(metrics: Facts) -> tuple[list[str], list[list[int]]] | None:
    """The classes, and counts of the truth (rows) by what was said (columns)."""
    found: Facts | None = _evaluation(metrics).get("confusion")
    return None if not found else ([str(one) for one in found["classes"]], found["rows"])


def scatter(metrics: Facts) -> list[dict[str, float]]:
    """Bins of estimates: ``said``, ``was`` and ``rows``."""
    found: Sequence[Facts] = _evaluation(metrics).get("scatter") or []
    return [{"said": one["prediction"], "was": one["truth"], "rows": one["rows"]} for one in found]


def quantiles(metrics: Facts) -> list[tuple[float, float]]:
    """The errors (truth less estimate) below which a share of the rows lie: share, error."""
    found: Facts = _evaluation(metrics).get("residuals") or {}
    return sorted((float(at), float(error)) for at, error in found.get("quantiles") or [])


def importance(metrics: Facts, kind: str = "features") -> list[dict[str, Any]]:
    """How much worse the score gets without each: ``name`` and ``worse``, the greatest first."""
    found: Facts = _evaluation(metrics).get("importance") or {}
    return sorted(found.get(kind) or [], key=lambda one: -one["worse"])


def score_shuffled(metrics: Facts) -> str:
    """What the score is called that gets worse."""
    name = str((_evaluation(metrics).get("importance") or {}).get("score"))
    return SCORES[name][0].lower() if name in SCORES else "score"


def drift(metrics: Facts) -> list[dict[str, Any]]:
    """Population stability indexes: ``name`` and ``psi``, the largest first."""
    rows: Sequence[Facts] = _evaluation(metrics).get("drift") or []
    found = [{"name": str(one["feature"]), "psi": float(one["psi"])} for one in rows]
    return sorted(found, key=lambda one: -one["psi"])


def settings(found: Facts) -> list[tuple[int, float, Facts]]:
    """Trials of a search of settings: number (from 1), value and parameters, the best first."""
    trials: Sequence[Facts] = found["trials"]
    told = [(at, float(one["value"]), one["parameters"]) for at, one in enumerate(trials, start=1)]
    return sorted(told, key=lambda one: one[1])


def objective(found: Facts) -> str:
    """What a search of settings made small."""
    name = str(found["objective"])
    return SCORES[name][0] if name in SCORES else _OBJECTIVES.get(name, name)


def _evaluation(metrics: Facts) -> Facts:
    return metrics.get("evaluation") or {}
