"""Which source ``bars`` shows where a symbol has several."""

from typing import TYPE_CHECKING

import duckdb

from lake import actions

if TYPE_CHECKING:
    from lake.store import Lake


def prefer(lake: "Lake", source: str) -> None:
    """Let ``bars`` show this source for every symbol it has; kept in the lake, for SQL users too.

    A sandbox never takes the place of a real provider: nobody shall see made-up prices where
    real ones were shown before.
    """
    with lake.reading() as connection:
        if not _yields(connection, source):
            return
    with lake.writing() as transaction:
        run = transaction.connection
        if not _yields(run, source):
            return
        run.execute("DELETE FROM lake_settings WHERE name = 'default_source'")
        run.execute("INSERT INTO lake_settings VALUES ('default_source', ?)", [source])


def _yields(connection: duckdb.DuckDBPyConnection, source: str) -> bool:
    """Whether the source that ``bars`` shows by default is another one and makes room for this."""
    row = connection.execute(
        "SELECT value FROM lake_settings WHERE name = 'default_source'"
    ).fetchone()
    shown = row[0] if row else None
    real = shown is not None and actions.provider_of(shown) != "sandbox"
    return shown != source and not (real and actions.provider_of(source) == "sandbox")
