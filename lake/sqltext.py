"""Texts in SQL: quoted for DuckDB, and whole statements handed on to SQLite."""

from datetime import datetime

import duckdb

Row = tuple[str | None, ...]


def quoted(text: object) -> str:
    """A text as SQL writes it.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + str(text).replace("'", "''") + "'"


def sqlite(connection: duckdb.DuckDBPyConnection, database: str, statement: str) -> list[Row]:
    """What SQLite answers to one statement; values come as text.

    The statement goes along as a text that needs no escapes. A parameter would do as well, but
    DuckDB imports pandas for it.

    Args:
        connection: With the database attached.
        database: Its name there.
        statement: It must return rows: one that writes says RETURNING.
    """
    tag = "q"
    while f"${tag}$" in statement:
        tag += "q"
    return connection.execute(
        f"FROM sqlite_query('{database}', ${tag}${statement}${tag}$)"
    ).fetchall()


def moment_of(value: object) -> datetime:
    """A time as SQLite hands it on, as text, or as a file has it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
