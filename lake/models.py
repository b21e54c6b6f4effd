"""The registry of trained models: what each was made from and where its file lies.

A model exists when its row does. The file under ``HOME/models`` is written before, so a file
without a row is a stranger, left by a run that was killed. How a model is made and read is the
training service's affair.

The snapshot of a model's bars is pinned as ``model:ID`` with its row, so that they can be read again
for as long as the model is registered.

Tags say what somebody thinks of a model: any number are candidates, and one is the champion of its
label, primary symbol and feature set. They go with the model.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lake import pins
from lake.catalog import Transaction
from lake.errors import MissingError, ProblemError

if TYPE_CHECKING:
    from lake.store import Lake

_COLUMNS = (
    "model_id",
    "name",
    "primary_symbol",
    "context_symbols",
    "label",
    "feature_set",
    "set_version",
    "snapshot",
    "params",
    "metrics",
    "path",
    "file_hash",
)


#: What a model can be tagged as.
TAGS = ("candidate", "champion")


class TagError(ProblemError):
    """A tag that there is not."""


class ModelMissingError(MissingError):
    """No model of a name or an id is registered."""

    def __init__(self, model_id: str) -> None:
        super().__init__(model_id)
        self.model_id = model_id

    def __str__(self) -> str:
        return (
            f"There is no model {self.model_id[:64]!r}. "
            "`barlake models` lists those there are, `barlake train` makes one."
        )


@dataclass(frozen=True)
class StoredModel:
    """One row of the registry.

    Attributes:
        model_id: The hash of everything the model was made from, shortened.
        path: Of the file, relative to the lake's home.
        file_hash: SHA-256 of the file; what differs from it is not loaded.
        created_at: When it was registered (UTC); None before.
    """

    model_id: str
    name: str
    primary_symbol: str
    context_symbols: tuple[str, ...]
    label: str
    feature_set: str
    set_version: str
    snapshot: int
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    path: str
    file_hash: str
    created_at: datetime | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The primary symbol and its context."""
        return (self.primary_symbol, *self.context_symbols)


def pin_of(model_id: str) -> str:
    """The name of the pin that keeps a model's bars.

    >>> pin_of("0123456789ab")
    'model:0123456789ab'
    """
    return f"model:{model_id}"


def insert_model(transaction: Transaction, new: StoredModel) -> None:
    """Register a model inside a transaction and pin its snapshot; the same id again replaces both."""
    run = transaction.connection
    pins.pin_inside(transaction, pin_of(new.model_id), new.snapshot)
    run.execute("DELETE FROM models WHERE model_id = ?", [new.model_id])
    marks = ", ".join("?" for _ in (*_COLUMNS, "created_at"))
    run.execute(
        f"INSERT INTO models ({', '.join(_COLUMNS)}, created_at) VALUES ({marks})",
        [
            new.model_id,
            new.name,
            new.primary_symbol,
            list(new.context_symbols),
            new.label,
            new.feature_set,
            new.set_version,
            new.snapshot,
            json.dumps(new.params, sort_keys=True),
            json.dumps(new.metrics, sort_keys=True),
            new.path,
            new.file_hash,
            transaction.recorded_at,
        ],
    )


def delete_model(lk: "Lake", model_id: str) -> StoredModel:
    """Forget a model: its row, its tags and its pin, and then its files. Simulations of it stay.

    Returns:
        What was registered.

    Raises:
        ModelMissingError: There is none of that id.
        GateBusyError: Another process held the commit gate too long. Nothing was changed.
    """
    gone = model(lk, model_id)
    with lk.writing() as transaction:
        transaction.connection.execute("DELETE FROM models WHERE model_id = ?", [model_id])
        transaction.connection.execute("DELETE FROM model_tags WHERE model_id = ?", [model_id])
        pins.unpin_inside(transaction, pin_of(model_id))
    for file in (lk.home / gone.path, (lk.home / gone.path).with_suffix(".json")):
        file.unlink(missing_ok=True)
    return gone


def models(lk: "Lake") -> pl.DataFrame:
    """Every registered model, newest first: the table ``models``."""
    with lk.reading() as connection:
        return connection.execute("FROM models ORDER BY created_at DESC, model_id").pl()


def model(lk: "Lake", model_id: str) -> StoredModel:
    """One registered model.

    Raises:
        ModelMissingError: There is none of that id.
    """
    found = find_model(lk, model_id)
    if found is None:
        raise ModelMissingError(model_id)
    return found


def find_model(lk: "Lake", model_id: str) -> StoredModel | None:
    """One registered model, or None."""
    names = ", ".join((*_COLUMNS, "created_at"))
    with lk.reading() as connection:
        row = connection.execute(
            f"SELECT {names} FROM models WHERE model_id = ?", [model_id]
        ).fetchone()
    if row is None:
        return None
    facts = dict(zip((*_COLUMNS, "created_at"), row, strict=True))
    facts["context_symbols"] = tuple(facts["context_symbols"])
    facts["params"], facts["metrics"] = json.loads(facts["params"]), json.loads(facts["metrics"])
    return StoredModel(**facts)


def tag_model(lk: "Lake", model_id: str, tag: str) -> None:
    """Tag a model; harmless to repeat.

    A new champion unseats the one before it of the same label, primary symbol and feature set, in
    the same transaction: nobody ever sees two or none.

    Args:
        lk: The lake.
        model_id: A registered model.
        tag: ``candidate`` or ``champion``.

    Raises:
        TagError: There is no such tag.
        ModelMissingError: There is no such model.
        GateBusyError: Another process held the commit gate too long. Nothing was changed.
    """
    _check_tag(tag)
    with lk.writing() as transaction:
        run = transaction.connection
        if not run.execute("SELECT 1 FROM models WHERE model_id = ?", [model_id]).fetchone():
            raise ModelMissingError(model_id)
        run.execute("DELETE FROM model_tags WHERE model_id = ? AND tag = ?", [model_id, tag])
        if tag == "champion":
            run.execute(_UNSEAT, [model_id])
        run.execute(
            "INSERT INTO model_tags VALUES (?, ?, ?)", [model_id, tag, transaction.recorded_at]
        )


def untag(lk: "Lake", model_id: str, tag: str) -> None:
    """Take a tag off a model; harmless if it has none.

    Raises:
        TagError: There is no such tag.
        ModelMissingError: There is no such model.
        GateBusyError: Another process held the commit gate too long. Nothing was changed.
    """
    _check_tag(tag)
    model(lk, model_id)
    with lk.writing() as transaction:
        transaction.connection.execute(
            "DELETE FROM model_tags WHERE model_id = ? AND tag = ?", [model_id, tag]
        )


def tags(lk: "Lake") -> pl.DataFrame:
    """Every tag, the newest first: ``model_id``, ``tag`` and ``created_at`` (UTC)."""
    with lk.reading() as connection:
        return connection.execute("FROM model_tags ORDER BY created_at DESC, model_id, tag").pl()


_UNSEAT = """
    DELETE FROM model_tags WHERE tag = 'champion' AND model_id IN (
        SELECT other.model_id FROM models other JOIN models own
            ON (other.label, other.primary_symbol, other.feature_set)
                = (own.label, own.primary_symbol, own.feature_set)
        WHERE own.model_id = ?)"""


def _check_tag(tag: str) -> None:
    if tag not in TAGS:
        problem = f"There is no tag {tag[:40]!r}. A model is tagged {' or '.join(TAGS)}."
        raise TagError(problem)
