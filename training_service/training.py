"""From wide features to a registered model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from feature_service.choosing import choose
from feature_service.fingerprint import digest
from lake import Lake
from lake.features import content_hash
from lake.models import StoredModel, find_model, insert_model
from lake.models import model as stored_model
from lake.sessions import moment
from training_service import artifact, evaluation, judging, labels, provenance, tuning
from training_service.dataset import Dataset, assemble
from training_service.fitting import Data, Fitted, keys_of, matrix
from training_service.judging import Judged, OneClassError, TooFewRowsError, judge
from training_service.model import (
    Chances,
    ColumnsMissingError,
    FeaturesDifferError,
    Model,
    NoChancesError,
    SplitSinceError,
    form_of,
    load,
    splits_of,
)
from training_service.pipelines import class_of, estimator
from training_service.progress import Progress, Tell
from training_service.recipe import Recipe, RecipeError
from training_service.splits import Holdout, Split

__all__ = [
    "Chances",
    "ColumnsMissingError",
    "FeaturesDifferError",
    "Model",
    "NoChancesError",
    "OneClassError",
    "Recipe",
    "RecipeError",
    "SplitSinceError",
    "TooFewRowsError",
    "load",
    "train",
    "train_recipe",
]

_ROOMS = ("feature_service", "training_service")


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


def train_recipe(lk: Lake, recipe: Recipe, *, progress: Tell | None = None) -> Model:
    """Train a model on the first part of its rows, score it on the rest, and register it.

    The features are built first where they are not. Imputing, scaling, choosing features, weights,
    calibration and searched settings are learnt from training rows alone, in each fold anew. The
    same bars and the same recipe find the model that is there, and would make the same one. A run
    that is killed leaves nothing registered.

    Args:
        lk: The lake.
        recipe: How.
        progress: Told what is being done and the share done, 0 to 1, before each fold and each
            trial. What it raises stops the run, with nothing registered.

    Returns:
        The model, with ``fresh`` saying whether it was trained now.

    Raises:
        LabelError, PresetError, EstimatorError, SelectorError, SearchError, RecipeError,
            FeatureSetError, SplitError, SymbolsError: The recipe cannot be.
        BarsMissingError: The lake has no bars of a symbol.
        TooFewRowsError, OneClassError, InnerFoldsError: There is nothing to learn from the rows there are.
        FitError, WeightsError, InfiniteFeatureError, PredictionError: The estimator does not get
            along with them.
        GateBusyError: Another process held the commit gate too long. Nothing was registered.
    """
    check(recipe)
    told = Progress(progress)
    told.at("features and labels", 0)
    facts = recipe.facts
    data = dataset_of(lk, recipe)
    snapshot = lk.snapshot()  # not before: bars may come while features are built, and are learnt
    born = _birth(lk, recipe, facts, data, snapshot)
    standing = find_model(lk, born["model_id"])
    if standing is not None and artifact.matches(lk.home / standing.path, standing.file_hash):
        return load(lk, standing.model_id)
    rows = data_of(data, recipe)
    # The matrix holds all of the frame that is needed from here on.
    data = Dataset(**{**vars(data), "frame": data.frame.clear()})
    judged = judge(recipe, rows, told.part(0.1, 0.85))
    parts = told.part(0.85, 0.98)
    metrics = _metrics(recipe, judged, rows, data.columns, _groups(lk, recipe, data), parts)
    told.at("registering", 0.98)
    born |= _rows_of(rows, judged)
    return _register(lk, recipe, data, born, judged.fitted, metrics)


def check(recipe: Recipe) -> None:
    """Refuse a recipe that cannot be, before anything is built.

    Raises:
        InvalidError: Something of it; the sentence says what.
    """
    recipe.check()
    estimator(recipe.model, recipe.seed, classes=bool(recipe.classes), parameters=recipe.parameters)
    tuning.check(recipe)


def dataset_of(lk: Lake, recipe: Recipe) -> Dataset:
    """The rows of a recipe, with its label where there is one."""
    return assemble(
        lk,
        recipe.symbols,
        recipe.set_name,
        label=labels.find(recipe.label),
        start=recipe.start,
        end=recipe.end,
        **recipe.joining,
    )


def data_of(data: Dataset, recipe: Recipe) -> Data:
    """The labelled rows of a data set as arrays; the values are held once.

    Raises:
        InfiniteFeatureError: A value is infinite.
    """
    known = data.frame[labels.VALUE].is_not_null()
    rows = data.frame if known.all() else data.frame.filter(known)
    truth = rows[labels.VALUE].cast(pl.Int64 if recipe.classes else pl.Float64).to_numpy()
    return Data(matrix(rows, data.columns), truth, keys_of(rows))


@dataclass(frozen=True)
class _Named:
    """A feature's group, for its name with a context symbol's suffix or without."""

    groups: Mapping[str, str]
    context: Sequence[str]

    def of(self, column: str) -> str:
        for symbol in self.context:
            own = column.removesuffix(f"_{symbol}")
            if own != column and own in self.groups:
                return f"{self.groups[own]} of {symbol}"
        return self.groups.get(column, "other")


def _groups(lk: Lake, recipe: Recipe, data: Dataset) -> dict[str, str]:
    features = choose(lk, recipe.set_name).features
    named = _Named(
        {"close": "close", "age": "age", **{one.name: one.group for one in features}},
        () if recipe.panel else [*data.sources][1:],
    )
    return {column: named.of(column) for column in data.columns}


def _birth(
    lk: Lake, recipe: Recipe, facts: dict[str, Any], data: Dataset, snapshot: int
) -> dict[str, Any]:
    """What is known before training; the id covers all of it but ``told``: the rows say the range."""
    wanted = choose(lk, facts["set"])
    inputs = {
        "recipe": facts,
        "feature_hashes": wanted.hashes,
        "set_form": form_of(wanted),
        "set_version": data.set_version,
        "sources": data.sources,
        "splits": splits_of(lk, data.sources),
        "data_hash": data.content_hash,
        "code": provenance.code_version(*_ROOMS),
        "libraries": provenance.libraries(*_more_libraries(recipe)),
    }
    if ":" in recipe.model:
        inputs["estimator"] = provenance.origin(class_of(recipe.model))
    told = {
        "snapshot": snapshot,
        "commit": provenance.commit("training_service"),
        "learns_from": None if recipe.start is None else str(moment(recipe.start)),
    }
    return {**inputs, "model_id": digest(inputs)[:12], **told}


def _more_libraries(recipe: Recipe) -> list[str]:
    return ["lightgbm"] * (recipe.model == "lightgbm") + ["optuna"] * (recipe.search > 0)


def _metrics(
    recipe: Recipe,
    judged: Judged,
    data: Data,
    columns: Sequence[str],
    groups: Mapping[str, str],
    progress: Progress,
) -> dict[str, Any]:
    outcome, fitted = judged.outcome, judged.fitted
    train = data.rows(judged.fold.train)
    scored = judging.scored(recipe, outcome)
    dummy, always = scored.pop("dummy"), scored.pop("always_up")
    own = fitted.outputs(train.values, recipe.model)
    usual = judging.usual_of(train.truth, recipe.classes, len(train.truth))
    told = {
        "test": scored,
        "train": judging.score(recipe.classes, train.truth, own, usual),
        "baselines": {"majority" if recipe.classes else "mean": dummy, "always_up": always},
        **judged.metrics,
        "warnings": list(fitted.said),
        "evaluation": evaluation.evaluate(
            fitted,
            train,
            data.rows(judged.fold.test),
            outcome,
            columns=columns,
            groups=groups,
            seed=recipe.seed,
            progress=progress,
        ),
    }
    return told if fitted.search is None else {**told, "search": fitted.search}


def _rows_of(data: Data, judged: Judged) -> dict[str, Any]:
    """Which rows the model learnt from and was tested on, as JSON."""
    fold, facts = judged.fold, judged.outcome.facts
    bounds = ("train_start", "train_end", "test_start", "test_end")
    return {
        **{name: facts[name] for name in bounds},
        "rows": {"train": len(fold.train), "test": len(fold.test), "purged": fold.purged},
        "trained_by": dict(judged.by),
        "row_hashes": {
            "train": content_hash(data.keys[fold.train]),
            "test": content_hash(data.keys[fold.test]),
        },
        "parameters": judged.fitted.parameters,
        "calibrated": bool(judged.fitted.calibrators),
    }


def _register(
    lk: Lake,
    recipe: Recipe,
    data: Dataset,
    born: dict[str, Any],
    fitted: Fitted,
    metrics: dict[str, Any],
) -> Model:
    symbols = born["recipe"]["symbols"]
    place = Path("models") / f"{born['model_id']}.joblib"
    content = {
        "columns": list(data.columns),
        "pipeline": fitted.pipeline,
        "classes": list(fitted.classes),
        "calibrators": list(fitted.calibrators),
        "born": born,
    }
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
        metrics=metrics,
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
    return Model(
        stored_model(lk, new.model_id),
        data.columns,
        fitted.pipeline,
        lk.home / place,
        fresh=True,
        classes=fitted.classes,
        calibrators=fitted.calibrators,
    )


def _as_json(coverage: pl.DataFrame) -> list[dict[str, Any]]:
    return coverage.with_columns(pl.col("worst_session").cast(pl.String)).to_dicts()
