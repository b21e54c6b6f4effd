"""The catalog's bounds of columns: wider than every file's, or queries go wrong.

DuckLake keeps the least and the greatest value of each column of a table, and DuckDB believes them:
it passes over filters that cannot hold, and sorts numbers in as few bytes as they need. DuckLake
1.0 makes them too narrow in one case: a first commit of several files, one of which has nothing
but nulls in a column, leaves no bounds, and those of the next commit stand for all. The lake's own
tables begin with bounds (``lake.layout``); tables that are made later, like those of features, and
lakes of older layouts are looked over here.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb

from lake.catalog import METADATA, WRITES, Catalog, patiently
from lake.sqltext import quoted, sqlite

_NUMBER = {"int": "HUGEINT", "float": "DOUBLE"}


@dataclass(frozen=True)
class Bounds:
    """What the bounds of one column ought to be; as DuckLake writes values."""

    table_id: int
    column_id: int
    low: str
    high: str


def too_narrow(connection: duckdb.DuckDBPyConnection) -> list[Bounds]:
    """Columns of numbers whose bounds in the catalog leave out a value of one of their files, or are lost.

    Args:
        connection: Of ``Catalog.planning``.
    """
    found = []
    for kind, number in _NUMBER.items():
        query = f"""
            WITH held AS (
              SELECT f.table_id, f.column_id, f.min_value AS low, f.max_value AS high,
                     TRY_CAST(f.min_value AS {number}) AS least, TRY_CAST(f.max_value AS {number}) AS greatest
              FROM {METADATA}.ducklake_file_column_stats f
              JOIN {METADATA}.ducklake_column c
                ON c.table_id = f.table_id AND c.column_id = f.column_id AND c.end_snapshot IS NULL
              WHERE starts_with(c.column_type, '{kind}')
              UNION ALL
              SELECT s.table_id, s.column_id, s.min_value, s.max_value,
                     TRY_CAST(s.min_value AS {number}), TRY_CAST(s.max_value AS {number})
              FROM {METADATA}.ducklake_table_column_stats s
              JOIN {METADATA}.ducklake_column c
                ON c.table_id = s.table_id AND c.column_id = s.column_id AND c.end_snapshot IS NULL
              WHERE starts_with(c.column_type, '{kind}')),
            whole AS (
              SELECT table_id, column_id, arg_min(low, least) AS low, arg_max(high, greatest) AS high,
                     min(least) AS least, max(greatest) AS greatest
              FROM held GROUP BY table_id, column_id)
            SELECT w.table_id, w.column_id, w.low, w.high FROM whole w
            JOIN {METADATA}.ducklake_table_column_stats s USING (table_id, column_id)
            WHERE w.low IS NOT NULL
              AND (s.min_value IS NULL OR s.max_value IS NULL
                OR TRY_CAST(s.min_value AS {number}) > w.least OR TRY_CAST(s.max_value AS {number}) < w.greatest)
            ORDER BY ALL"""
        found += patiently(partial(_rows, connection, query))
    return [Bounds(*row) for row in found]


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def widen(catalog: Catalog) -> int:
    """Mend every bound that is too narrow; how many columns had one.

    Raises:
        GateBusyError: Another process held the commit gate too long; nothing was changed.
    """
    with catalog.planning() as connection:
        if not too_narrow(connection):
            return 0
    with catalog.registering() as transaction, catalog.planning() as connection:
        narrow = too_narrow(connection)
        values = ", ".join(
            f"({one.table_id}, {one.column_id}, {quoted(one.low)}, {quoted(one.high)})"
            for one in narrow
        )
        if narrow:
            statement = f"""UPDATE ducklake_table_column_stats SET min_value = v.column3, max_value = v.column4
                FROM (VALUES {values}) v WHERE table_id = v.column1 AND column_id = v.column2 RETURNING 1"""
            sqlite(transaction.connection, WRITES, statement)
    return len(narrow)
