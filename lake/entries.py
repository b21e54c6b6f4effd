"""Rows of the trial ledger: entered once, with tables of their own, and replaced only if they failed."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from lake.store import Lake

_JSON = ("params", "metrics")


def enter(
    lk: "Lake", table: str, columns: Sequence[str], entry: Any, tables: Mapping[str, pl.DataFrame]
) -> None:
    """Enter a run with its rows in other tables, in one transaction.

    The same id again replaces an entry that failed, and leaves one that is done.

    Args:
        table: Of the ledger; with ``state`` and ``created_at``.
        columns: All but ``created_at``, the id first; ``params`` and ``metrics`` become JSON.
        entry: Has a value for each of the columns.
        tables: Rows by the table they go to, without the id.

    Raises:
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    key, own = columns[0], getattr(entry, columns[0])
    with lk.writing() as transaction:
        run = transaction.connection
        standing = run.execute(f"SELECT state FROM {table} WHERE {key} = ?", [own]).fetchone()
        if standing is not None and standing[0] != "failed":
            return
        run.execute(f"DELETE FROM {table} WHERE {key} = ?", [own])
        values = [
            json.dumps(value, sort_keys=True) if name in _JSON else value
            for name, value in ((name, getattr(entry, name)) for name in columns)
        ]
        marks = ", ".join("?" for _ in (*values, "created_at"))
        run.execute(
            f"INSERT INTO {table} ({_quoted(columns)}) VALUES ({marks})",
            [*values, transaction.recorded_at],
        )
        for place, frame in tables.items():
            run.register("rows", frame)
            names = ", ".join(frame.columns)
            run.execute(f"INSERT INTO {place} ({key}, {names}) SELECT ?, {names} FROM rows", [own])
            run.unregister("rows")


def entries(lk: "Lake", table: str, key: str) -> pl.DataFrame:
    """All of a ledger, newest first."""
    with lk.reading() as connection:
        return connection.execute(f"FROM {table} ORDER BY created_at DESC, {key}").pl()


def find(lk: "Lake", table: str, columns: Sequence[str], own: str) -> dict[str, Any] | None:
    """The columns and ``created_at`` of an id, JSON read; None if there is none."""
    with lk.reading() as connection:
        row = connection.execute(
            f"SELECT {_quoted(columns)} FROM {table} WHERE {columns[0]} = ?", [own]
        ).fetchone()
    if row is None:
        return None
    facts = dict(zip((*columns, "created_at"), row, strict=True))
    return facts | {name: json.loads(facts[name]) for name in _JSON}


def rows_of(
    lk: "Lake", table: str, schema: pl.Schema, key: str, own: str, order: str
) -> pl.DataFrame:
    """The rows of an id in another table, as its schema; empty if there are none."""
    names = ", ".join(schema.names())
    with lk.reading() as connection:
        return connection.execute(
            f"SELECT {names} FROM {table} WHERE {key} = ? ORDER BY {order}", [own]
        ).pl()


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in (*columns, "created_at"))
