"""From an estimator's scores to chances.

A sigmoid is fitted as in Platt, "Probabilistic outputs for support vector machines" (1999): the
most likely logistic curve through softened targets, (n + 1) / (n + 2) for the n rows of the class and
1 / (m + 2) for the m others. Isotonic regression is Zadrozny and Elkan, "Transforming classifier
scores into accurate multiclass probability estimates" (2002), kept within the same bounds. More than two classes are calibrated
one against the rest, and their chances are scaled to a sum of 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_PAIR = 2


def raw_scores(estimator: Any, seen: Values, classes: Sequence[int]) -> Values:
    """Scores of a fitted classifier, rows by classes; one column, class 1's, for two.

    Its decision function where it has one, else its chances, else 1 for the class it names.
    """
    if hasattr(estimator, "decision_function"):
        found = np.asarray(estimator.decision_function(seen), dtype=np.float64)
        if found.ndim == 1:
            found = np.column_stack([-found, found])
        wide = _placed(found, estimator.classes_, classes, missing=float(found.min(initial=0.0)))
    elif hasattr(estimator, "predict_proba"):
        wide = _placed(estimator.predict_proba(seen), estimator.classes_, classes, missing=0.0)
    else:
        wide = _named(estimator, seen, classes)
    return wide[:, 1:] if len(classes) == _PAIR else wide


def own_chances(estimator: Any, seen: Values, classes: Sequence[int]) -> Values:
    """The chances a fitted classifier tells itself, rows by classes; 0 for a class it never saw."""
    return _placed(estimator.predict_proba(seen), estimator.classes_, classes, missing=0.0)


def learn(raw: Values, truth: NDArray[Any], classes: Sequence[int], method: str) -> tuple[Any, ...]:
    """A calibrator for each column of scores.

    Args:
        raw: As :func:`raw_scores` gives them, of rows the scoring models were not trained on.
        truth: The class of each row.
        classes: Smallest first.
        method: ``sigmoid`` or ``isotonic``.
    """
    columns = classes[1:] if len(classes) == _PAIR else classes
    make = _sigmoid if method == "sigmoid" else _isotonic
    return tuple(make(raw[:, place], truth == one) for place, one in enumerate(columns))


def chances(calibrators: Sequence[Any], raw: Values) -> Values:
    """Chances, rows by classes, of scores; each row sums to 1."""
    found = np.column_stack([_asked(one, raw[:, place]) for place, one in enumerate(calibrators)])
    if len(calibrators) == 1:
        return np.column_stack([1 - found[:, 0], found[:, 0]])
    total = found.sum(axis=1, keepdims=True)
    scaled: Values = np.full_like(found, 1 / len(calibrators))
    np.divide(found, total, out=scaled, where=total > 0)
    return scaled


def _sigmoid(scores: Values, hit: NDArray[np.bool_]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    hits, others = int(hit.sum()), int((~hit).sum())
    target = np.where(hit, (hits + 1) / (hits + 2), 1 / (others + 2))
    # A soft target is a row of each class, weighted; scores of any size are brought to one first.
    rows = np.concatenate([scores, scores])[:, None]
    named = np.concatenate([np.ones(len(scores)), np.zeros(len(scores))])
    made = make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, max_iter=1_000))
    return made.fit(
        rows, named, logisticregression__sample_weight=np.concatenate([target, 1 - target])
    )


def _isotonic(scores: Values, hit: NDArray[np.bool_]) -> Any:
    from sklearn.isotonic import IsotonicRegression

    # As the sigmoid's targets: some rows without a hit do not make one impossible.
    low, high = 1 / (int((~hit).sum()) + 2), 1 - 1 / (int(hit.sum()) + 2)
    made = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip")
    return made.fit(scores, hit.astype(np.float64))


def _asked(calibrator: Any, scores: Values) -> Values:
    if hasattr(calibrator, "predict_proba"):
        return np.asarray(calibrator.predict_proba(scores[:, None])[:, 1])
    return np.asarray(calibrator.predict(scores), dtype=np.float64)


def _placed(found: Any, known: Any, classes: Sequence[int], *, missing: float) -> Values:
    """Columns in the order of the label's classes, where an estimator may have seen fewer."""
    wide = np.full((len(found), len(classes)), missing)
    for place, one in enumerate(np.asarray(known).tolist()):
        wide[:, list(classes).index(int(one))] = found[:, place]
    return wide


def _named(estimator: Any, seen: Values, classes: Sequence[int]) -> Values:
    said = np.asarray(estimator.predict(seen))
    return np.column_stack([(said == one).astype(np.float64) for one in classes])
