"""How good predictions are, beside what needs no model at all.

Every score has the same keys whatever the label is, None where one makes no sense, so that models
can be listed side by side. What is not finite is None, too.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.int64]
Chances = NDArray[np.float64]
Numbers = NDArray[np.float64]
_PAIR = 2

#: What only numbers have.
NUMBERS = ("mae", "rmse", "r2", "rank_correlation", "sign_accuracy")


def score(truth: Classes, up: Chances) -> dict[str, Any]:
    """Scores of the chances that the class is 1.

    Args:
        truth: 0 or 1.
        up: 0 to 1, as many; from 0.5 on it counts as 1.

    Returns:
        ``rows``, ``up_share`` (of the truth), ``predicted_up_share``, ``accuracy``,
        ``balanced_accuracy`` (over the classes there are), ``log_loss`` (natural logarithm) and
        ``auc``, None where the truth has one class only.
    """
    from sklearn.metrics import log_loss, roc_auc_score

    said = (up >= 0.5).astype(int)  # noqa: PLR2004 - the more likely of two
    loss = log_loss(truth, np.column_stack([1 - up, up]), labels=[0, 1])
    area = float(roc_auc_score(truth, up)) if len(np.unique(truth)) > 1 else None
    return {**_hits(truth, said), "log_loss": float(loss), "auc": area}


def score_classes(truth: Classes, chances: Chances, classes: Sequence[int]) -> dict[str, Any]:
    """Scores of the chances of several classes.

    Args:
        truth: One of ``classes``.
        chances: Rows by classes, each row summing to 1; the most likely class counts, the first of
            several.
        classes: In the order of the columns.

    Returns:
        As :func:`score`; ``auc`` is None for more than two classes, and the shares are of class 1.
    """
    from sklearn.metrics import log_loss

    if tuple(classes) == (0, 1):
        return score(truth, chances[:, 1])
    said = np.asarray(classes)[chances.argmax(axis=1)]
    loss = log_loss(truth, chances, labels=list(classes))
    return {**_hits(truth, said), "log_loss": float(loss), "auc": None}


def score_numbers(truth: Numbers, said: Numbers, usual: Numbers) -> dict[str, Any]:
    """Scores of estimates of a number.

    Args:
        truth: In the label's unit.
        said: As many.
        usual: What needs no model: the mean of the training rows, as many.

    Returns:
        ``rows``, ``up_share`` and ``predicted_up_share`` (above zero), ``mae``, ``rmse``, ``r2``
        (1 less the squared errors over those of ``usual``), ``rank_correlation`` (Spearman's) and
        ``sign_accuracy`` (on which side of zero, zero being below); the scores of classes are None.
    """
    error = truth - said
    around = float(np.sum((truth - usual) ** 2))
    found = {
        "rows": len(truth),
        "up_share": float(np.mean(truth > 0)),
        "predicted_up_share": float(np.mean(said > 0)),
        "mae": float(np.mean(np.abs(error))),
        "rmse": math.sqrt(float(np.mean(error**2))),
        "r2": 1 - float(np.sum(error**2)) / around if around else None,
        "rank_correlation": _rank_correlation(truth, said),
        "sign_accuracy": float(np.mean((truth > 0) == (said > 0))),
    }
    return found | dict.fromkeys(("accuracy", "balanced_accuracy", "log_loss", "auc"))


def always_up(truth: Numbers | Classes, classes: Sequence[int]) -> dict[str, Any]:
    """The scores of who always says up: class 1, or a number above zero.

    It is certain, so its logarithmic loss says nothing and is None; it names no number, so it has
    no errors.
    """
    up = np.ones(len(truth))
    if not classes:
        found = score_numbers(truth.astype(np.float64), up, up)
        return found | dict.fromkeys(("mae", "rmse", "r2", "rank_correlation"))
    return {**_hits(truth.astype(np.int64), up.astype(int)), "log_loss": None, "auc": _even(truth)}


def _hits(truth: Classes, said: NDArray[Any]) -> dict[str, Any]:
    recall = [float(np.mean(said[truth == each] == each)) for each in np.unique(truth)]
    return {
        "rows": len(truth),
        "up_share": float(np.mean(truth == 1)),
        "predicted_up_share": float(np.mean(said == 1)),
        "accuracy": float(np.mean(said == truth)),
        "balanced_accuracy": float(np.mean(recall)),
    }


def _even(truth: NDArray[Any]) -> float | None:
    """The area under the curve of who says the same of every row."""
    return 0.5 if set(np.unique(truth).tolist()) == {0, 1} else None


def _rank_correlation(truth: Numbers, said: Numbers) -> float | None:
    """Spearman's: the correlation of ranks, ties having their mean one; None where one side is constant."""
    from scipy.stats import rankdata

    if len(truth) < _PAIR or np.ptp(truth) == 0 or np.ptp(said) == 0:
        return None
    found = float(np.corrcoef(rankdata(truth), rankdata(said))[0, 1])
    return found if math.isfinite(found) else None
