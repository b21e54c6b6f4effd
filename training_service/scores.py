"""How good predictions of two classes are, beside what needs no model at all."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.int64]
Chances = NDArray[np.float64]


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
    classes = np.unique(truth)
    recall = [float(np.mean(said[truth == each] == each)) for each in classes]
    return {
        "rows": len(truth),
        "up_share": float(truth.mean()),
        "predicted_up_share": float(said.mean()),
        "accuracy": float(np.mean(said == truth)),
        "balanced_accuracy": float(np.mean(recall)),
        "log_loss": float(log_loss(truth, np.column_stack([1 - up, up]), labels=[0, 1])),
        "auc": float(roc_auc_score(truth, up)) if len(classes) > 1 else None,
    }


def baselines(train: Classes, test: Classes) -> dict[str, dict[str, Any]]:
    """The same scores without a model: the training rows' majority and share, and always up.

    Always up is certain, so its logarithmic loss says nothing and is None.
    """
    share = np.full(len(test), train.mean())
    always = score(test, np.ones(len(test))) | {"log_loss": None}
    return {"majority": score(test, share), "always_up": always}
