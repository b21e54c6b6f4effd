"""The scikit-learn pipelines there are, by name. Raw feature rows go in, nulls and all."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from lake.errors import InvalidError


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
            f"The models are {', '.join(self.known)}."
        )


def pipeline(name: str, seed: int) -> Any:
    """A new, unfitted ``Pipeline([imputer, scaler, estimator])``.

    The imputer puts the training rows' median where a feature is null, and zero where it has no
    value at all.

    Raises:
        PresetError: There is no such model.
    """
    if name not in PRESETS:
        raise PresetError(name, sorted(PRESETS))
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline(
        [
            ("imputer", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scaler", StandardScaler()),
            ("estimator", PRESETS[name](seed)),
        ]
    )


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    # Levels of one price are nearly collinear: without a firm penalty the fit wanders for long.
    return LogisticRegression(C=0.01, max_iter=500, random_state=seed)


def _hist_gradient_boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    # No early stopping: it would hold out rows at random, across time.
    return HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_depth=4, early_stopping=False, random_state=seed
    )


def _dummy(seed: int) -> Any:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior", random_state=seed)


PRESETS: dict[str, Callable[[int], Any]] = {
    "logistic": _logistic,
    "hist_gradient_boosting": _hist_gradient_boosting,
    "dummy": _dummy,
}
