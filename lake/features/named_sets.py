"""Feature sets of users as they were defined: the table ``feature_sets``.

Nothing is overwritten: a later definition of a name stands for it, and a row without a definition
says that the set was dropped. What a definition means is the feature service's affair.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb

from lake.features.naming import check_set_name
from lake.sqltext import moment_of

if TYPE_CHECKING:
    from lake.store import Lake


@dataclass(frozen=True)
class StoredSet:
    """A set as its user defined it last.

    Attributes:
        definition: JSON.
        created_at: When (UTC).
    """

    name: str
    definition: str
    created_at: datetime


def stored_set(lk: "Lake", *names: str) -> StoredSet | None:
    """The set that stands of the first of some names that has one; None if none has."""
    columns = ["name", "definition", "created_at"]
    with _before_layout_5():
        standing = _standing(lk.ledger_rows("feature_sets", columns, {"name": names}))
        return next((standing[name] for name in names if name in standing), None)
    return None


def stored_sets(lk: "Lake") -> list[StoredSet]:
    """All that stand, by name."""
    query = "SELECT name, definition, created_at FROM feature_sets"
    with _before_layout_5(), lk.reading() as connection:
        rows = connection.execute(query).fetchall()
        return sorted(_standing(rows).values(), key=lambda one: one.name)
    return []


def store_set(lk: "Lake", name: str, definition: str | None) -> bool:
    """Define a set, anew if it is there, or drop it.

    Safe beside readers and other writers. What was built of it stays.

    Args:
        lk: To write.
        name: Of the set.
        definition: JSON; None drops it.

    Returns:
        Whether that is news; the same again changes nothing.

    Raises:
        FeatureSetNameError: No feature set can be called that.
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    check_set_name(name)
    with lk.writing() as transaction:
        run = transaction.connection
        newest = run.execute(
            "SELECT definition FROM feature_sets WHERE name = ? ORDER BY created_at DESC LIMIT 1",
            [name],
        ).fetchone()
        if (newest or (None,))[0] == definition:
            return False
        run.execute(
            "INSERT INTO feature_sets VALUES (?, ?, ?)", [name, definition, transaction.recorded_at]
        )
    return True


@contextmanager
def _before_layout_5() -> Iterator[None]:
    """An older lake that can only be read has no such table, and no sets."""
    with suppress(duckdb.CatalogException):
        yield


def _standing(rows: list[tuple[object, ...]]) -> dict[str, StoredSet]:
    newest: dict[str, tuple[datetime, object]] = {}
    for name, definition, created_at in rows:
        at = moment_of(created_at)
        if str(name) not in newest or at > newest[str(name)][0]:
            newest[str(name)] = (at, definition)
    return {
        name: StoredSet(name, str(definition), at)
        for name, (at, definition) in newest.items()
        if definition is not None
    }
