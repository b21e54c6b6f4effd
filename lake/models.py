"""The registry of trained models: what each was made from and where its file lies.

A model exists when its row does. The file under ``HOME/models`` is written before, so a file
without a row is a stranger, left by a run that was killed. How a model is made and read is the
training service's affair.

The snapshot of a model's bars is pinned as ``model:ID`` with its row, so that they can be read again
for as long as the model is registered.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lake import pins
from lake.catalog import Transaction
from lake.errors import MissingError

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
    """Forget a model: its row and its pin, and then its files. Simulations of it stay.

    Returns:
        What was registered.

    Raises:
        ModelMissingError: There is none of that id.
        GateBusyError: Another process held the commit gate too long. Nothing was changed.
    """
    gone = model(lk, model_id)
    with lk.writing() as transaction:
        transaction.connection.execute("DELETE FROM models WHERE model_id = ?", [model_id])
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
