"""Tables that say what is known and what was known when: rows that hold, and rows that did.

A row holds from its ``recorded_at`` until its ``superseded_at``, which is null for what holds now.
What is told anew takes the place of what was known; the same again changes nothing.
"""

from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl

if TYPE_CHECKING:
    from lake.store import Lake


def rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    schema: pl.Schema,
    source: str,
    as_of: datetime | None = None,
    *,
    only: str = "true",
    **values: object,
) -> pl.DataFrame:
    """What holds, or held at a moment.

    Args:
        only: SQL that a row must keep, with parameters by the names of ``values``.
    """
    held = "superseded_at IS NULL"
    if as_of is not None:
        held = "recorded_at <= $as_of AND (superseded_at IS NULL OR superseded_at > $as_of)"
    names = ", ".join(f'"{name}"' for name in schema.names())
    asked: dict[str, object] = {"source": source, **values}
    asked |= {} if as_of is None else {"as_of": as_of}
    found = connection.execute(
        f"SELECT {names} FROM {table} WHERE source = $source AND {held} AND ({only}) ORDER BY ALL",
        asked,
    ).pl()
    return found.cast(schema)


def replace(
    lake: "Lake",
    table: str,
    schema: pl.Schema,
    source: str,
    told: pl.DataFrame,
    *,
    read: tuple[str, date, date, int] | None = None,
) -> int:
    """Let what is told now hold, and nothing else of a source; in one transaction.

    Args:
        table: With ``source``, the columns of ``schema``, ``recorded_at`` and ``superseded_at``.
        told: As ``schema``, no row twice.
        read: What to note in ``reference_reads`` with it: kind, first and last day, rows.

    Returns:
        How many rows came or went.
    """
    wanted = told.cast(schema)
    with lake.writing() as transaction:
        run, now = transaction.connection, transaction.recorded_at
        held = rows(run, table, schema, source)
        names = schema.names()
        fresh = wanted.join(held, on=names, how="anti", nulls_equal=True)
        gone = held.join(wanted, on=names, how="anti", nulls_equal=True)
        if not gone.is_empty():
            run.register("gone", gone.select(key=_key(names)))
            run.execute(
                f"""UPDATE {table} SET superseded_at = ? WHERE source = ? AND superseded_at IS NULL
                    AND {_sql_key(schema)} IN (SELECT key FROM gone)""",
                [now, source],
            )
        if not fresh.is_empty():
            run.register("fresh", fresh)
            listed = ", ".join(f'"{name}"' for name in names)
            run.execute(
                f"INSERT INTO {table} (source, {listed}, recorded_at) SELECT ?, {listed}, ? FROM fresh",
                [source, now],
            )
        if read is not None:
            note(run, source, read, fresh.height + gone.height, now)
    return fresh.height + gone.height


def note(
    run: duckdb.DuckDBPyConnection,
    source: str,
    read: tuple[str, date, date, int],
    changed: int,
    now: datetime,
) -> None:
    """Add a row to ``reference_reads``: kind, first and last day, rows, and how many were news."""
    run.execute(
        "INSERT INTO reference_reads VALUES (?, ?, ?, ?, ?, ?, ?)", [source, *read, changed, now]
    )


def newest_read(lake: "Lake", source: str, kind: str, start: date | None = None) -> date | None:
    """The last day of the newest complete read of a kind (that began no later); None: never."""
    with lake.reading() as connection:
        row = connection.execute(
            """SELECT max("end") FROM reference_reads
               WHERE source = $source AND kind = $kind AND ($start::DATE IS NULL OR "start" <= $start::DATE)""",
            {"source": source, "kind": kind, "start": start},
        ).fetchone()
    found: date | None = row[0] if row else None
    return found


def _key(names: list[str]) -> pl.Expr:
    texts = [pl.col(name).cast(pl.String).fill_null("") for name in names]
    return pl.concat_str(texts, separator="\x1f")


def _sql_key(schema: pl.Schema) -> str:
    texts = ", ".join(f"coalesce(\"{name}\"::VARCHAR, '')" for name in schema.names())
    return f"concat_ws(chr(31), {texts})"
