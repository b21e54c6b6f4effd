"""A consistent copy of a SQLite database that others write to: ``python sqlite_copy.py SOURCE TARGET``.

It runs in a process of its own: where DuckDB has the catalog attached, nobody else may open it
(docs/adr/0008). Only the standard library is imported, so that it starts at once. For a catalog
it prints, as one line of JSON, the lake's id, the newest snapshot and the files that are named.
"""

import json
import sqlite3
import sys
from contextlib import closing

_PATIENCE = 60.0


def copy(source: str, target: str) -> None:
    """Copy every page of one moment; the copy is one file."""
    place = f"file:{source.replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode=rw"
    with (
        closing(sqlite3.connect(place, uri=True, timeout=_PATIENCE)) as held,
        closing(sqlite3.connect(target)) as copied,
    ):
        held.backup(copied)
        copied.execute("PRAGMA journal_mode = WAL")
        copied.commit()


def describe(target: str, parquet: str, files: str) -> dict[str, object]:
    """What a copied catalog holds; the copy is made independent of the folder it came from.

    Absolute paths under ``parquet`` become relative to their table, and nothing waits for deletion any
    more: what waited is not in the backup.
    """
    with closing(sqlite3.connect(target)) as catalog:
        tables = catalog.execute(
            """SELECT t.table_id, s.path || t.path FROM ducklake_table t JOIN ducklake_schema s USING (schema_id)
               WHERE t.path_is_relative AND s.path_is_relative GROUP BY t.table_id"""
        ).fetchall()
        for table, path in tables:
            prefix = f"{parquet}/{path}"
            for kind in ("data", "delete"):
                catalog.execute(
                    f"""UPDATE ducklake_{kind}_file SET path = substr(path, ?), path_is_relative = 1
                        WHERE table_id = ? AND NOT path_is_relative AND substr(path, 1, ?) = ?""",
                    [len(prefix) + 1, table, len(prefix), prefix],
                )
        catalog.execute("DELETE FROM ducklake_files_scheduled_for_deletion")
        catalog.commit()
        named = catalog.execute(f"SELECT path, size, relative FROM ({files})").fetchall()
        lake, snapshot = catalog.execute(
            """SELECT (SELECT schema_uuid FROM ducklake_schema ORDER BY schema_id LIMIT 1),
                      (SELECT max(snapshot_id) FROM ducklake_snapshot)"""
        ).fetchone()
        catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {"lake": lake, "snapshot": snapshot, "files": named}


if __name__ == "__main__":
    copy(sys.argv[1], sys.argv[2])
    if len(sys.argv) > 3:  # noqa: PLR2004
        print(json.dumps(describe(sys.argv[2], sys.argv[3], sys.stdin.read())))  # noqa: T201 - its answer
