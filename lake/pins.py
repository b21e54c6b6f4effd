"""Pins: snapshots with a name, which expiry leaves alone, so that a model's bars can be read again."""

from typing import TYPE_CHECKING

import duckdb
import polars as pl

from lake.errors import InvalidError, MissingError, ProblemError

if TYPE_CHECKING:
    from lake.catalog import Transaction
    from lake.store import Lake

_LONGEST = 200


class PinNameError(ProblemError):
    """A name that no pin can have."""


class PinTakenError(InvalidError):
    """The name of a pin that holds another snapshot."""

    def __init__(self, name: str, snapshot: int) -> None:
        super().__init__(name, snapshot)
        self.name, self.snapshot = name, snapshot

    def __str__(self) -> str:
        return f"The pin {self.name!r} holds snapshot {self.snapshot} already. Choose another name, or unpin it first."


class PinMissingError(MissingError):
    """There is no pin of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f'There is no pin {self.name!r}. `barlake sql "FROM pins"` lists those there are.'


class SnapshotMissingError(MissingError):
    """A snapshot that never was, or that has expired."""

    def __init__(self, snapshot: int) -> None:
        super().__init__(snapshot)
        self.snapshot = snapshot

    def __str__(self) -> str:
        return (
            f"The lake has no snapshot {self.snapshot}: it never was, or it has expired. "
            "Pin one while it is there; without a number the newest is pinned."
        )


def pin(lake: "Lake", name: str, snapshot: int | None = None) -> int:
    """Keep a snapshot readable under a name, whatever upkeep does; harmless to repeat.

    Without a number a name that is there stays where it is. Merging, expiry and cleanup leave a
    pinned snapshot alone: ``FROM bars_1m AT (VERSION => n)`` gives the same rows as before.

    Args:
        name: 1 to 200 characters.
        snapshot: Its number; None for the newest.

    Returns:
        The number of the snapshot.

    Raises:
        PinNameError: The name is empty or too long.
        PinTakenError: The name holds another snapshot.
        SnapshotMissingError: The snapshot never was or has expired.
        GateBusyError: Another process held the commit gate too long. Nothing was pinned.
    """
    if not name.strip() or len(name) > _LONGEST:
        raise PinNameError(f"The name of a pin has 1 to {_LONGEST} characters, not {len(name)}.")
    with lake.writing() as transaction:
        run = transaction.connection
        held = _held(run, name)
        if held is not None and snapshot not in {None, held}:
            raise PinTakenError(name, held)
        if held is not None:
            return held
        chosen = transaction.commit_id - 1 if snapshot is None else snapshot
        found = run.execute(
            "SELECT 1 FROM ducklake_snapshots('lake') WHERE snapshot_id = ?", [chosen]
        ).fetchone()
        if found is None:
            raise SnapshotMissingError(chosen)
        run.execute("INSERT INTO pins VALUES (?, ?, ?)", [name, chosen, transaction.recorded_at])
    return chosen


def pin_inside(transaction: "Transaction", name: str, snapshot: int) -> None:
    """Pin a snapshot inside a transaction; a pin of that name moves. One that has expired is not pinned."""
    run = transaction.connection
    unpin_inside(transaction, name)
    run.execute(
        "INSERT INTO pins SELECT ?, snapshot_id, ? FROM ducklake_snapshots('lake') WHERE snapshot_id = ?",
        [name, transaction.recorded_at, snapshot],
    )


def unpin_inside(transaction: "Transaction", name: str) -> None:
    """Remove a pin inside a transaction; harmless if there is none."""
    if _held(transaction.connection, name) is not None:
        transaction.connection.execute("DELETE FROM pins WHERE name = ?", [name])


def unpin(lake: "Lake", name: str) -> int:
    """Let a snapshot expire again, unless another pin holds it.

    Returns:
        The number of the snapshot.

    Raises:
        PinMissingError: There is no such pin.
        GateBusyError: Another process held the commit gate too long. Nothing was changed.
    """
    with lake.writing() as transaction:
        held = _held(transaction.connection, name)
        if held is None:
            raise PinMissingError(name)
        transaction.connection.execute("DELETE FROM pins WHERE name = ?", [name])
    return held


def pins(lake: "Lake") -> pl.DataFrame:
    """All pins, oldest snapshot first: ``name``, ``snapshot``, ``created_at`` (UTC)."""
    with lake.reading() as connection:
        return connection.execute(
            "SELECT name, snapshot, created_at FROM pins ORDER BY snapshot, name"
        ).pl()


def _held(connection: duckdb.DuckDBPyConnection, name: str) -> int | None:
    row = connection.execute("SELECT snapshot FROM pins WHERE name = ?", [name]).fetchone()
    return int(row[0]) if row else None
