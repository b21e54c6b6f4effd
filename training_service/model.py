"""A trained model, and reading one from the registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.choosing import choose
from feature_service.sets import FeatureSet
from lake import Lake
from lake.errors import InvalidError
from lake.models import StoredModel
from lake.models import model as stored_model
from training_service import artifact
from training_service.fitting import Fitted, matrix

Chances = NDArray[np.float64]
_BINARY = (0, 1)


class SplitSinceError(InvalidError):
    """A model learnt prices in shares that a later split has changed."""

    def __init__(self, model_id: str, symbol: str) -> None:
        super().__init__(model_id, symbol)
        self.model_id, self.symbol = model_id, symbol

    def __str__(self) -> str:
        return (
            f"The splits of {self.symbol} have changed since model {self.model_id} was trained, "
            "so its prices are in other shares than those it learnt. Train it again."
        )


class FeaturesDifferError(InvalidError):
    """A model was trained on features that are computed differently now."""

    def __init__(self, model_id: str, names: Sequence[str]) -> None:
        super().__init__(model_id, tuple(names))
        self.model_id, self.names = model_id, tuple(names)

    def __str__(self) -> str:
        some = ", ".join(self.names[:3]) + (" and others" if len(self.names) > 3 else "")  # noqa: PLR2004
        return (
            f"Model {self.model_id} was trained when {some} meant something else, so it is not "
            "fed today's. Train it again with `barlake train`."
        )


class ColumnsMissingError(InvalidError):
    """Rows without the columns a model looks at."""

    def __init__(self, model_id: str, names: Sequence[str]) -> None:
        super().__init__(model_id, tuple(names))
        self.model_id, self.names = model_id, tuple(names)

    def __str__(self) -> str:
        return f"Model {self.model_id} needs columns that are not there: {', '.join(self.names)}."


class NoChancesError(InvalidError):
    """A model that was asked for the chance of class 1 and does not tell 0 from 1."""

    def __init__(self, model_id: str, label: str) -> None:
        super().__init__(model_id, label)
        self.model_id, self.label = model_id, label

    def __str__(self) -> str:
        return (
            f"Model {self.model_id} foresees {self.label}, which is not 0 or 1, so it has no chance "
            "of class 1. Ask for its predictions, or train one on a label like direction_15."
        )


@dataclass(frozen=True)
class Model:
    """A trained model, loaded.

    Attributes:
        stored: Its row in the registry: ``params`` is the birth certificate, ``metrics`` the scores.
        columns: What it looks at, in order.
        pipeline: The scikit-learn ``Pipeline``: imputer, scaler, selector where there is one, estimator.
        path: Of its file.
        fresh: Whether this call trained it; False if it was found.
        classes: Of its label, smallest first; none for a number.
        calibrators: What turns the estimator's scores into chances; none where it tells its own.
    """

    stored: StoredModel
    columns: tuple[str, ...]
    pipeline: Any
    path: Path
    fresh: bool = False
    classes: tuple[int, ...] = _BINARY
    calibrators: tuple[Any, ...] = ()

    @property
    def model_id(self) -> str:
        """Its id."""
        return self.stored.model_id

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Scores: ``test``, ``train``, ``baselines``, ``folds``, ``total``, and ``evaluation``."""
        return self.stored.metrics

    def predict(self, rows: pl.DataFrame) -> NDArray[Any]:
        """The most likely class of each row (Int64), or the number it is estimated at (Float64).

        Of two classes 1 counts from a chance of 0.5 on; of several as likely ones the smallest.

        Raises:
            ColumnsMissingError: The rows lack a column the model looks at.
            InfiniteFeatureError: A feature is infinite.
            PredictionError: A prediction is no finite number.
        """
        found = self._outputs(rows)
        if not self.classes:
            return found
        named = np.asarray(self.classes, dtype=np.int64)
        place = found[:, 1] >= 0.5 if self.classes == _BINARY else found.argmax(axis=1)  # noqa: PLR2004
        said: NDArray[np.int64] = named[place.astype(np.int64)]
        return said

    def chances(self, rows: pl.DataFrame) -> Chances:
        """The chance of class 1 for each row, 0 to 1.

        Raises:
            NoChancesError: The label is a number or has more classes than 0 and 1.
            ColumnsMissingError, InfiniteFeatureError, PredictionError: As :meth:`predict`.
        """
        if self.classes != _BINARY:
            raise NoChancesError(self.model_id, self.stored.label)
        return np.ascontiguousarray(self._outputs(rows)[:, 1])

    def probabilities(self, rows: pl.DataFrame) -> Chances:
        """The chance of each class, rows by ``classes``; each row sums to 1.

        Raises:
            NoChancesError: The label is a number.
            ColumnsMissingError, InfiniteFeatureError, PredictionError: As :meth:`predict`.
        """
        if not self.classes:
            raise NoChancesError(self.model_id, self.stored.label)
        return self._outputs(rows)

    def _outputs(self, rows: pl.DataFrame) -> Chances:
        if missing := [name for name in self.columns if name not in rows.columns]:
            raise ColumnsMissingError(self.model_id, missing)
        fitted = Fitted(self.pipeline, self.classes, self.calibrators)
        return fitted.outputs(matrix(rows, self.columns), f"Model {self.model_id}")


def load(lk: Lake, model_id: str) -> Model:
    """A registered model, ready to predict.

    Raises:
        ModelMissingError: There is none of that id.
        ArtifactMissingError, StrangerError: Its file is gone, or is not the one registered.
        EstimatorMissingError: Its estimator's package is not installed.
        FeaturesDifferError: Its features are computed differently now, or of other bars.
        SplitSinceError: A share was split since, so prices are in other shares than it learnt.
    """
    stored = stored_model(lk, model_id)
    _check_features(stored, choose(lk, stored.feature_set))
    _check_splits(lk, stored)
    path = lk.home / stored.path
    content = artifact.read(path, stored.file_hash)
    return Model(
        stored,
        tuple(content["columns"]),
        content["pipeline"],
        path,
        classes=tuple(content.get("classes", _BINARY)),
        calibrators=tuple(content.get("calibrators", ())),
    )


def splits_of(lk: Lake, sources: Mapping[str, str]) -> dict[str, list[list[Any]]]:
    """The splits of shares that adjust each symbol's prices now, as JSON."""
    return {
        symbol: [[day.isoformat(), ratio] for _, day, ratio in lk.splits(symbol, source).rows()]
        for symbol, source in sources.items()
    }


def form_of(wanted: FeatureSet) -> dict[str, str | None]:
    """Of which bars the features of a set are, as JSON."""
    return {name: getattr(wanted, name) for name in ("timeframe", "hours", "adjust", "context")}


def _check_features(stored: StoredModel, wanted: FeatureSet) -> None:
    """Refuse features computed by other code, or of other bars: a user's set keeps its name."""
    now, then = wanted.hashes, stored.params["feature_hashes"]
    if differing := [name for name, value in then.items() if now.get(name) != value]:
        raise FeaturesDifferError(stored.model_id, differing)
    # Older models do not say of which bars.
    if stored.params.get("set_form", form_of(wanted)) != form_of(wanted):
        raise FeaturesDifferError(stored.model_id, [stored.feature_set])


def _check_splits(lk: Lake, stored: StoredModel) -> None:
    """Refuse prices in other shares than the model learnt: a split rescales all history."""
    learnt = stored.params["splits"]
    for symbol, now in splits_of(lk, stored.params["sources"]).items():
        if now != learnt[symbol]:
            raise SplitSinceError(stored.model_id, symbol)
