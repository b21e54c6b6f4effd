"""SQL of users: one query, which cannot change anything."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from lake import faults
from lake.errors import InvalidError

if TYPE_CHECKING:
    from lake.store import Lake

_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
# Functions that a read-only transaction does not prevent from changing something: DuckLake's that delete
# or rewrite files, and SQLite's, which run any statement. The others look and leave all as it is.
_CHANGING = re.compile(
    r"\bsqlite_(?:query|attach|scan)\b|\bducklake_(?!current_snapshot|last_committed_snapshot|list_files|options|settings|snapshots"
    r"|table_(?:info|changes|insertions|deletions))\w+\s*\(",
    re.IGNORECASE,
)


class QueryError(InvalidError):
    """A query that DuckDB refuses."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


def answer(lake: "Lake", query: str, params: Sequence[object] = ()) -> pl.DataFrame:
    """The answer of one SQL query over the lake; it cannot change anything.

    Raises:
        QueryError: DuckDB refuses it; the sentence is DuckDB's.
        DataFileError: A file it needs is damaged.
    """
    with lake.reading() as connection:
        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1:
                raise QueryError(f"Write exactly one SQL statement, not {len(statements)}.")
            if statements[0].type not in _READING or _CHANGING.search(query):
                raise QueryError("Only queries are answered here: SELECT, FROM, SHOW, EXPLAIN.")
            connection.execute("BEGIN TRANSACTION READ ONLY")
            return connection.execute(statements[0], list(params)).pl()
        except duckdb.Error as error:
            known = faults.recognised(error, lake.place)
            unread = isinstance(known, faults.DataFileError | faults.CatalogBusyError)
            raise known if known and unread else QueryError(str(error)) from None
