"""How a lake is laid out: making its tables, and bringing an older lake up to date.

The catalog says its layout in a table of its own, ``barlake_layout``, beside DuckLake's. A newer
Barlake brings an older lake up to date behind the gate; an older one refuses a newer lake.
"""

import duckdb

from lake.errors import InvalidError
from lake.macros import MACROS
from lake.schema import ADDED, LEDGERS, PARTITIONS, SORTED, TABLES
from lake.sqltext import quoted, sqlite
from lake.views import COLUMN_COMMENTS, COMMENTED, VIEWS

#: 1: the first tables. 2: live and daily bars, pins; files of bars hold one source each.
#: 3: macros, daily bars of one source, comments on columns.
#: 4: scans for gaps, halts, instruments, lists of symbols, and what was read about them.
#: 5: feature sets of users. Their rows lie in files: no table is inlined once views exist.
#: 6: searches with their trials, tags of models (in files too), symbol and purpose of simulated orders.
LAYOUT = 6

_OPTIONS = {
    "parquet_compression": "uncompressed",
    "parquet_row_group_size": "32768",
    "data_inlining_row_limit": "0",
}
_LEDGER_ROWS = 500
#: The ledgers that a commit of bars writes to itself (lake.appending).
_APPENDED = ("changes", "coverage", "series")
_FIRST = {
    "VARCHAR": "''",
    "BIGINT": "0",
    "DATE": "'1970-01-01'",
    "TIMESTAMP WITH TIME ZONE": "'1970-01-01 00:00:00+00'",
}

#: Read one symbol's files without looking at those of all others. DuckLake has no indexes of its own.
_INDEXES: dict[str, str] = {
    "barlake_partition_value": "ducklake_file_partition_value (table_id, partition_value)",
    "barlake_column_stats": "ducklake_file_column_stats (data_file_id, column_id)",
    "barlake_delete_file": "ducklake_delete_file (data_file_id)",
    "barlake_data_file": "ducklake_data_file (table_id, partition_id, end_snapshot)",
}

# Ledgers keep their rows in the catalog: one symbol's are found without a look at all others.
_INLINED = """SELECT 'barlake_' || i.table_name, i.table_name || ' (symbol)'
    FROM ducklake_inlined_data_tables i JOIN ducklake_column c USING (table_id)
    WHERE c.column_name = 'symbol' AND c.end_snapshot IS NULL"""

#: Tables that begin with statistics, for two reasons. DuckLake asks its catalog for the statistics of
#: a table without any again and again, 25 ms each: a plan of `bars` took ten times as long. And where
#: a first commit writes several files and one of them has nothing but nulls in a column, DuckLake 1.0
#: takes the bounds of the next commit for those of the whole table: filters then miss rows, and a
#: sort gives other numbers than were stored.
_OFTEN_EMPTY: tuple[str, ...] = (
    "bars_1m",
    "quarantine",
    "bars_live",
    "bars_daily",
    "bar_revisions",
    "corporate_actions",
    "lake_settings",
    "feature_sets",
)
#: What DuckLake leaves behind of a row that was inserted and deleted: no rows, and what it was like.
_EMPTY_STATISTICS = f"""
    INSERT INTO ducklake_table_column_stats
    SELECT c.table_id, c.column_id, 0, CASE WHEN c.column_type = 'float64' THEN 0 END, w.value, w.value, NULL
    FROM ducklake_column c JOIN ducklake_table t ON t.table_id = c.table_id
    JOIN (VALUES ('varchar', ''), ('float64', '0.0'), ('int32', '0'), ('int64', '0'), ('date', '1970-01-01'),
                 ('timestamptz', '1970-01-01 00:00:00+00')) w (type, value) ON w.type = c.column_type
    WHERE t.table_name IN {_OFTEN_EMPTY} AND t.end_snapshot IS NULL AND c.end_snapshot IS NULL
      AND t.table_id NOT IN (SELECT s.table_id FROM ducklake_table_stats s);
    INSERT INTO ducklake_table_stats
    SELECT DISTINCT c.table_id, 0, 0, 0 FROM ducklake_table_column_stats c
    WHERE c.table_id NOT IN (SELECT s.table_id FROM ducklake_table_stats s)"""


class LayoutError(InvalidError):
    """A lake that a newer Barlake has made or brought up to date."""

    def __init__(self, layout: int, known: int) -> None:
        super().__init__(layout, known)
        self.layout, self.known = layout, known

    def __str__(self) -> str:
        return (
            f"This lake has layout {self.layout} and this Barlake knows {self.known}. "
            "Use the Barlake that wrote it, or a newer one; nothing was touched."
        )


def make(connection: duckdb.DuckDBPyConnection, metadata: str) -> None:
    """Make every table and view of a new lake.

    Args:
        connection: In the lake.
        metadata: The database in which DuckLake's own tables lie.
    """
    _set_options(connection)
    _make_tables(connection, TABLES)
    _show(connection)
    _begin(connection)
    _number(connection, metadata)


def upgrade(connection: duckdb.DuckDBPyConnection, metadata: str) -> None:
    """Bring an older lake up to date: options, new tables, views, macros; no file is rewritten.

    Killed at any point, it is repeated whole: the number comes last.
    """
    held = {
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'"
        ).fetchall()
    }
    _hide(connection)
    _set_options(connection)
    _make_tables(connection, {name: facts for name, facts in TABLES.items() if name not in held})
    for table in held & {*PARTITIONS, *SORTED}:
        _arrange(connection, table)
    for table in held & {*ADDED}:
        _widen(connection, table)
    _show(connection)
    _begin(connection)
    _number(connection, metadata)


def layout_of(connection: duckdb.DuckDBPyConnection, metadata: str) -> int:
    """The layout of a lake.

    Raises:
        LayoutError: It is newer than we know.
    """
    named = "SELECT count(*) FROM sqlite_master WHERE name = 'barlake_layout'"
    ((found,),) = sqlite(connection, metadata, named)
    if not int(found or 0):
        return 1
    ((number,),) = sqlite(connection, metadata, "SELECT max(version) FROM barlake_layout")
    layout = int(number or 1)
    if layout > LAYOUT:
        raise LayoutError(layout, LAYOUT)
    return layout


def _set_options(connection: duckdb.DuckDBPyConnection) -> None:
    for name, value in _OPTIONS.items():
        connection.execute(f"CALL lake.set_option('{name}', '{value}')")


def _make_tables(connection: duckdb.DuckDBPyConnection, tables: dict[str, tuple[str, str]]) -> None:
    connection.execute("BEGIN")
    for table, (columns, comment) in tables.items():
        connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.execute(f"COMMENT ON TABLE {table} IS {quoted(comment)}")
        _arrange(connection, table)
    connection.execute("COMMIT")
    # A commit adds a row or two to each ledger: a file apiece would soon be thousands. Inlined rows
    # live in the catalog; never for bars, and set before the first view exists (DuckLake 1.0
    # crashes when it is set after).
    for table in LEDGERS:
        if table in tables:
            connection.execute(
                f"CALL lake.set_option('data_inlining_row_limit', '{_LEDGER_ROWS}', table_name => '{table}')"
            )


def _begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Let DuckLake make the place of a ledger's inlined rows, which it does with a first row."""
    empty = [
        table
        for table in _APPENDED
        if not connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
    ]
    connection.execute("BEGIN")  # together: each commit takes DuckLake a tenth of a second
    for table in empty:
        columns = connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = 'lake' AND table_name = ?",
            [table],
        ).fetchall()
        values = ", ".join(f'{_FIRST[kind]}::{kind} AS "{name}"' for name, kind in columns)
        connection.execute(f"INSERT INTO {table} SELECT {values}")
    connection.execute("COMMIT")
    connection.execute("BEGIN")
    for table in empty:
        connection.execute(f"DELETE FROM {table} WHERE symbol = ''")
    connection.execute("COMMIT")


def _arrange(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    if table in PARTITIONS:
        connection.execute(f"ALTER TABLE {table} SET PARTITIONED BY ({PARTITIONS[table]})")
    if table in SORTED:
        connection.execute(f"ALTER TABLE {table} SET SORTED BY ({SORTED[table]})")


def _widen(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    for column, kind in ADDED[table].items():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} {kind}")


def _hide(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop views and macros, together."""
    connection.execute("BEGIN")
    for macro in MACROS:
        connection.execute(f"DROP MACRO TABLE IF EXISTS {macro}")
    for view in VIEWS:
        connection.execute(f"DROP VIEW IF EXISTS {view}")
    connection.execute("COMMIT")


def _show(connection: duckdb.DuckDBPyConnection) -> None:
    """Make views and macros and tell what columns are, together: one snapshot and not fifty."""
    connection.execute("BEGIN")
    for table in COMMENTED:
        for column, comment in COLUMN_COMMENTS.items():
            connection.execute(f"COMMENT ON COLUMN {table}.{column} IS {quoted(comment)}")
    for view, (query, comment) in VIEWS.items():
        connection.execute(f"CREATE VIEW {view} AS {query}")
        connection.execute(f"COMMENT ON VIEW {view} IS {quoted(comment)}")
    # DuckLake 1.0 keeps no comments on macros: the view `macros` has them.
    for name, macro in MACROS.items():
        connection.execute(f"CREATE MACRO {name}({macro.parameters}) AS TABLE {macro.query}")
    connection.execute("COMMIT")


def _number(connection: duckdb.DuckDBPyConnection, metadata: str) -> None:
    connection.execute(f"USE {metadata}")
    try:
        inlined = sqlite(connection, metadata, _INLINED)
        for name, target in [*_INDEXES.items(), *inlined]:
            connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {target}")
        connection.execute("BEGIN")
        connection.execute(_EMPTY_STATISTICS)
        connection.execute("COMMIT")
        connection.execute("CREATE TABLE IF NOT EXISTS barlake_layout (version BIGINT)")
        connection.execute(f"INSERT INTO barlake_layout VALUES ({LAYOUT})")
    finally:
        connection.execute("USE lake")
