"""The files a catalog names, read from DuckLake's own tables through DuckDB."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from lake.home import Home

METADATA = "__ducklake_metadata_lake"

#: Every file of any snapshot the catalog still knows. SQLite gives the row of the greatest
#: ``begin_snapshot`` to each table: its newest name.
FILES = """
    SELECT f.kind, f.id, f.of_file, t.table_name, f.rows, f.size, f.begin_snapshot, f.end_snapshot,
           f.path_is_relative AND t.path_is_relative AND s.path_is_relative AS relative,
           CASE WHEN f.path_is_relative = 0 THEN f.path
                WHEN t.path_is_relative = 0 THEN t.path || f.path
                ELSE s.path || t.path || f.path END AS path
    FROM (SELECT 'data' AS kind, data_file_id AS id, data_file_id AS of_file, table_id, record_count AS rows,
                 file_size_bytes AS size, begin_snapshot, end_snapshot, path, path_is_relative
          FROM ducklake_data_file
          UNION ALL
          SELECT 'delete', delete_file_id, data_file_id, table_id, delete_count,
                 file_size_bytes, begin_snapshot, end_snapshot, path, path_is_relative
          FROM ducklake_delete_file) f
    JOIN (SELECT table_id, schema_id, table_name, path, path_is_relative, max(begin_snapshot)
          FROM ducklake_table GROUP BY table_id) t USING (table_id)
    JOIN (SELECT schema_id, path, path_is_relative, max(begin_snapshot)
          FROM ducklake_schema GROUP BY schema_id) s USING (schema_id)
"""


@dataclass(frozen=True)
class StoredFile:
    """One Parquet file as the catalog describes it.

    Attributes:
        kind: ``data``, or ``delete`` for the positions that were deleted from a data file.
        id: Of the file in the catalog.
        of_file: The data file it is or belongs to.
        table: The table whose rows it holds.
        path: Relative to the folder of Parquet files; absolute if the catalog has it so.
        rows: How many the catalog counts in it.
        size: In bytes, by the catalog.
        current: Whether the newest snapshot has it; else only older snapshots do.
    """

    kind: str
    id: int
    of_file: int
    table: str
    path: str
    rows: int
    size: int
    current: bool

    def under(self, home: Home) -> Path:
        """Where it lies."""
        return home.parquet / self.path

    def named(self, home: Home) -> str:
        """Its name for people: relative to the home where it lies there."""
        full = self.under(home)
        return str(full.relative_to(home.root)) if full.is_relative_to(home.root) else str(full)


def stored_files(connection: duckdb.DuckDBPyConnection, where: str = "true") -> list[StoredFile]:
    """The files of all snapshots, from one moment of the catalog.

    Args:
        connection: In the lake.
        where: A condition in SQLite's words on the columns of ``FILES``.
    """
    rows = connection.execute(
        f"SELECT * FROM sqlite_query('{METADATA}', $$SELECT * FROM ({FILES}) WHERE {where}$$)"
    ).fetchall()
    return [
        StoredFile(
            kind=kind,
            id=int(number),
            of_file=int(of_file),
            table=table,
            path=path,
            rows=int(count),
            size=int(size),
            current=end is None,
        )
        for kind, number, of_file, table, count, size, _, end, _, path in rows
    ]
