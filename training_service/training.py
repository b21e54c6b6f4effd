"""From wide features to a registered model."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.choosing import choose
from feature_service.fingerprint import digest
from lake import Lake
from lake.errors import InvalidError
from lake.models import StoredModel, find_model, insert_model
from lake.models import model as stored_model
from lake.sessions import Moment
from training_service import artifact, labels, provenance, scores
from training_service.dataset import Dataset, assemble, check_symbols
from training_service.pipelines import PRESETS, PresetError, pipeline
from training_service.splits import Fold, Holdout, Split, SplitError, WalkForward

_ROOMS = ("feature_service", "training_service")
Chances = NDArray[np.float64]


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


class LabelKindError(InvalidError):
    """A label that no model here learns yet."""

    def __init__(self, label: str, values: str) -> None:
        super().__init__(label, values)
        self.label, self.values = label, values

    def __str__(self) -> str:
        return (
            f"{self.label} is {self.values}, and the models there are tell 0 from 1. "
            "Take a label like direction_15, above_10bp_15 or profit_first_2x1_60."
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


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a model will be, but for the bars.

    Attributes:
        symbols: The primary symbol, then its context.
        split: What is kept for testing; the model is trained on the rest only.
        walk: Folds inside the training part, scored beside the test.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
    """

    symbols: Sequence[str]
    set_name: str = "core"
    label: str = "direction_15"
    model: str = "logistic"
    split: Split = field(default_factory=Holdout)
    seed: int = 0
    walk: WalkForward = field(default_factory=WalkForward)
    start: Moment = None
    end: Moment = None

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON, without the range: the rows say which they are."""
        return {
            "symbols": list(check_symbols(self.symbols)),
            "set": self.set_name,
            "label": self.label,
            "label_hash": labels.find(self.label).hash,
            "model": self.model,
            "split": self.split.facts,
            "walk": self.walk.facts,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Model:
    """A trained model, loaded.

    Attributes:
        stored: Its row in the registry: ``params`` is the birth certificate, ``metrics`` the scores.
        columns: What it looks at, in order.
        path: Of its file.
        fresh: Whether this call trained it; False if it was found.
    """

    stored: StoredModel
    columns: tuple[str, ...]
    pipeline: Any
    path: Path
    fresh: bool = False

    @property
    def model_id(self) -> str:
        """Its id."""
        return self.stored.model_id

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Scores: ``test`` (out of sample), ``train``, ``baselines``, ``folds``."""
        return self.stored.metrics

    def chances(self, rows: pl.DataFrame) -> Chances:
        """The chance of class 1 for each row, 0 to 1.

        Raises:
            ColumnsMissingError: The rows lack a column the model looks at.
        """
        if missing := [name for name in self.columns if name not in rows.columns]:
            raise ColumnsMissingError(self.model_id, missing)
        return _chances(self.pipeline, _matrix(rows, self.columns))


def train(
    lk: Lake,
    symbols: Sequence[str],
    set_name: str = "core",
    label: str = "direction_15",
    model: str = "logistic",
    split: Split | None = None,
    seed: int = 0,
) -> Model:
    """Train and register a model; see :func:`train_recipe`, which takes more."""
    return train_recipe(lk, Recipe(symbols, set_name, label, model, split or Holdout(), seed))


def train_recipe(lk: Lake, recipe: Recipe) -> Model:
    """Train a model on the first part of its rows, score it on the rest, and register it.

    The features are built first where they are not. Imputing and scaling are learnt from the
    training rows alone. The same bars and the same recipe find the model that is there, and
    would make the same one. A run that is killed leaves nothing registered.

    Returns:
        The model, with ``fresh`` saying whether it was trained now.

    Raises:
        LabelError, LabelKindError, PresetError, FeatureSetError, SplitError, SymbolsError: The recipe
            cannot be.
        BarsMissingError: The lake has no bars of a symbol.
        TooFewRowsError, OneClassError: There is nothing to learn from the rows there are.
        GateBusyError: Another process held the commit gate too long. Nothing was registered.
    """
    if recipe.model not in PRESETS:
        raise PresetError(recipe.model, sorted(PRESETS))
    _check_label(labels.find(recipe.label))
    facts, snapshot = recipe.facts, lk.snapshot()
    data = assemble(
        lk,
        recipe.symbols,
        recipe.set_name,
        label=labels.find(recipe.label),
        start=recipe.start,
        end=recipe.end,
    )
    born = _birth(lk, facts, data, snapshot, _splits(lk, data.sources))
    standing = find_model(lk, born["model_id"])
    if standing is not None and artifact.matches(lk.home / standing.path, standing.file_hash):
        return load(lk, standing.model_id)
    rows = data.frame.filter(pl.col(labels.VALUE).is_not_null())
    fold = _fold(recipe, rows)
    fitted = _fit(recipe, data, rows, fold)
    return _register(lk, recipe, data, born | fitted.facts, fitted)


def load(lk: Lake, model_id: str) -> Model:
    """A registered model, ready to predict.

    Raises:
        ModelMissingError: There is none of that id.
        ArtifactMissingError, StrangerError: Its file is gone, or is not the one registered.
        FeaturesDifferError: Its features are computed differently now.
        SplitSinceError: A share was split since, so prices are in other shares than it learnt.
    """
    stored = stored_model(lk, model_id)
    now = choose(lk, stored.feature_set).hashes
    then: dict[str, str] = stored.params["feature_hashes"]
    differing = [name for name, value in then.items() if now.get(name) != value]
    if differing:
        raise FeaturesDifferError(model_id, differing)
    _check_splits(lk, stored)
    path = lk.home / stored.path
    content = artifact.read(path, stored.file_hash)
    return Model(stored, tuple(content["columns"]), content["pipeline"], path)


def _check_label(label: labels.Label) -> None:
    if label.kind == "number":
        raise LabelKindError(label.name, "a number")
    if label.classes != (0, 1):
        classes = ", ".join(str(one) for one in label.classes)
        raise LabelKindError(label.name, f"one of {classes}")


def _splits(lk: Lake, sources: Mapping[str, str]) -> dict[str, list[list[Any]]]:
    """The splits that adjust each symbol's prices now, as JSON."""
    return {
        symbol: [[day.isoformat(), ratio] for _, day, ratio in lk.splits(symbol, source).rows()]
        for symbol, source in sources.items()
    }


def _check_splits(lk: Lake, stored: StoredModel) -> None:
    """Refuse prices in other shares than the model learnt: a split rescales all history."""
    learnt = stored.params["splits"]
    for symbol, now in _splits(lk, stored.params["sources"]).items():
        if now != learnt[symbol]:
            raise SplitSinceError(stored.model_id, symbol)


@dataclass(frozen=True)
class _Fitted:
    pipeline: Any
    facts: dict[str, Any]
    metrics: dict[str, Any]


def _birth(
    lk: Lake, facts: dict[str, Any], data: Dataset, snapshot: int, splits: Mapping[str, Any]
) -> dict[str, Any]:
    """What is known before training; the id covers all of it but the snapshot's number."""
    inputs = {
        "recipe": facts,
        "feature_hashes": choose(lk, facts["set"]).hashes,
        "set_version": data.set_version,
        "sources": data.sources,
        "splits": splits,
        "data_hash": data.content_hash,
        "code": provenance.code_version(*_ROOMS),
        "libraries": provenance.libraries(),
    }
    return {**inputs, "model_id": digest(inputs)[:12], "snapshot": snapshot}


def _fold(recipe: Recipe, rows: pl.DataFrame) -> Fold:
    try:
        fold = next(iter(recipe.split.folds(rows)), None)
    except SplitError:
        fold = None
    if fold is None or not len(fold.train) or not len(fold.test):
        raise TooFewRowsError(recipe.symbols, recipe.label, rows.height)
    return fold


def _fit(recipe: Recipe, data: Dataset, rows: pl.DataFrame, fold: Fold) -> _Fitted:
    values, truth = _matrix(rows, data.columns), rows[labels.VALUE].cast(pl.Int64).to_numpy()
    times = rows["timestamp"]
    known = truth[fold.train]
    if len(np.unique(known)) == 1:
        raise OneClassError(recipe.label, int(known[0]), len(known))
    fitted, said = _trained(recipe, values[fold.train], known)
    metrics = {
        "test": scores.score(truth[fold.test], _chances(fitted, values[fold.test])),
        "train": scores.score(known, _chances(fitted, values[fold.train])),
        "baselines": scores.baselines(known, truth[fold.test]),
        "folds": _walk(recipe, values, truth, rows[fold.train]),
        "warnings": said,
    }
    facts = {
        "train_start": times[int(fold.train[0])].isoformat(),
        "train_end": times[int(fold.train[-1])].isoformat(),
        "test_start": times[int(fold.test[0])].isoformat(),
        "test_end": times[int(fold.test[-1])].isoformat(),
        "rows": {"train": len(fold.train), "test": len(fold.test), "purged": fold.purged},
    }
    return _Fitted(fitted, facts, metrics)


def _walk(
    recipe: Recipe, values: Chances, truth: NDArray[np.int64], rows: pl.DataFrame
) -> list[dict[str, Any]]:
    """Scores of models trained along the training rows, which come first; none has seen its test."""
    found = []
    for fold in recipe.walk.folds(rows):
        if len(np.unique(truth[fold.train])) > 1 and len(fold.test):
            fitted, _ = _trained(recipe, values[fold.train], truth[fold.train])
            score = scores.score(truth[fold.test], _chances(fitted, values[fold.test]))
            start = rows["timestamp"][int(fold.test[0])].isoformat()
            found.append({"test_start": start, "purged": fold.purged, **score})
    return found


def _trained(recipe: Recipe, values: Chances, truth: NDArray[np.int64]) -> tuple[Any, list[str]]:
    """A fitted pipeline, and what scikit-learn had to say about the fit."""
    fitted = pipeline(recipe.model, recipe.seed)
    with warnings.catch_warnings(record=True) as caught, _one_thread():
        warnings.simplefilter("always")
        fitted.fit(values, truth)
    return fitted, sorted({str(item.message).partition("\n")[0] for item in caught})


def _chances(fitted: Any, values: Chances) -> Chances:
    with _one_thread():
        both = fitted.predict_proba(values)
    return np.asarray(both[:, list(fitted.classes_).index(1)], dtype=np.float64)


def _one_thread() -> AbstractContextManager[Any]:
    """Sums over several threads come in any order, and the same inputs must give the same bits."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def _matrix(rows: pl.DataFrame, columns: Sequence[str]) -> Chances:
    """Rows by columns, nulls as NaN for the imputer."""
    values = rows.select(pl.col(list(columns)).cast(pl.Float64)).fill_null(np.nan)
    return np.ascontiguousarray(values.to_numpy())


def _register(
    lk: Lake, recipe: Recipe, data: Dataset, born: dict[str, Any], fitted: _Fitted
) -> Model:
    symbols = born["recipe"]["symbols"]
    place = Path("models") / f"{born['model_id']}.joblib"
    content = {"columns": list(data.columns), "pipeline": fitted.pipeline, "born": born}
    draft = artifact.draft(lk.home / place, content)
    new = StoredModel(
        model_id=born["model_id"],
        name=f"{recipe.model} {recipe.label} {'+'.join(symbols)}",
        primary_symbol=symbols[0],
        context_symbols=tuple(symbols[1:]),
        label=recipe.label,
        feature_set=recipe.set_name,
        set_version=data.set_version,
        snapshot=born["snapshot"],
        params={**born, "coverage": _as_json(data.coverage), "columns": len(data.columns)},
        metrics=fitted.metrics,
        path=place.as_posix(),
        file_hash=draft.file_hash,
    )
    # The file gets its name behind the gate: of two runs with one id, the row and the file that
    # stay are of the same one.
    with draft, lk.writing() as transaction:
        insert_model(transaction, new)
        draft.publish()
        certificate = {
            **new.params,
            "name": new.name,
            "metrics": new.metrics,
            "sha256": new.file_hash,
            "created_at": transaction.recorded_at.isoformat(),
        }
        artifact.write_certificate((lk.home / place).with_suffix(".json"), certificate)
    registered = stored_model(lk, new.model_id)
    return Model(registered, data.columns, fitted.pipeline, lk.home / place, fresh=True)


def _as_json(coverage: pl.DataFrame) -> list[dict[str, Any]]:
    return coverage.with_columns(pl.col("worst_session").cast(pl.String)).to_dicts()
