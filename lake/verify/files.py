"""Files against the catalog: there, whole, readable, and with the rows and bounds it says."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from lake.datasets import DATASETS
from lake.home import Home
from lake.schema import SORTED
from lake.verify.listing import METADATA, StoredFile, stored_files
from lake.verify.report import Finding

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns of bars whose bounds in the catalog readers trust to pass over a file.
_BOUNDED = ("timestamp", "open", "high", "low", "close", "volume")

Bounds = dict[str, tuple[str, str]]


def check_file(
    connection: duckdb.DuckDBPyConnection, home: Home, file: StoredFile
) -> list[Finding]:
    """What is wrong with one file; nothing if the catalog has meanwhile let go of it.

    Args:
        connection: In the lake, in no transaction: a doubt is looked up in the newest catalog.
        home: Of the lake.
        file: As the catalog described it.
    """
    found = list(_look(connection, home, file))
    if not found:
        return []
    return found if _still_named(connection, file) else []


def _still_named(connection: duckdb.DuckDBPyConnection, file: StoredFile) -> bool:
    again = stored_files(connection, f"kind = '{file.kind}' AND id = {file.id}")
    return any((one.path, one.size) == (file.path, file.size) for one in again)


def _look(connection: duckdb.DuckDBPyConnection, home: Home, file: StoredFile) -> Iterator[Finding]:
    name, full = file.named(home), file.under(home)
    try:
        size = full.stat().st_size
    except OSError as error:
        yield _lost("file missing", name, file, f"is not there ({error.strerror})")
        return
    if size != file.size:
        problem = f"has {size:,} bytes and the catalog says {file.size:,}"
        yield _lost("file size", name, file, problem)
        return
    try:
        rows, bounds, sorted_rows = _read(full, file)
    except Exception as error:  # noqa: BLE001 - pyarrow raises many kinds on damaged bytes
        yield _lost("file unreadable", name, file, f"cannot be read ({_first_line(error)})")
        return
    if rows != file.rows:
        yield _lost(
            "row count", name, file, f"has {rows:,} rows and the catalog says {file.rows:,}"
        )
    if not sorted_rows:
        sentence = (
            f"The rows of {name} are not sorted by {SORTED[file.table]}: no value is lost and reads sort "
            "them, but reading a day of it is slower. A backup that has it sorted brings it back; else leave it."
        )
        yield Finding("sort order", name, sentence, file)
    if bounds:
        yield from _compare(name, file, bounds, _bounds(connection, file))


def _read(full: Any, file: StoredFile) -> tuple[int, dict[str, tuple[Any, Any]], bool]:
    """Decode every value, a row group at a time: rows, bounds of columns, whether in order."""
    import pyarrow.parquet as pq

    bars = file.kind == "data" and file.table in _bar_tables()
    ordered = bars and SORTED.get(file.table) == "timestamp"
    rows, last, in_order = 0, None, True
    bounds: dict[str, tuple[Any, Any]] = {}
    with pq.ParquetFile(full) as parquet:
        if not file.current:
            return parquet.metadata.num_rows, {}, True
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group)
            table.validate(full=True)
            rows += table.num_rows
            if bars and table.num_rows:
                _widen(bounds, table)
            if ordered and table.num_rows:
                times = table.column("timestamp").to_numpy()
                in_order &= bool((times[1:] >= times[:-1]).all()) and (
                    last is None or times[0] >= last
                )
                last = times[-1]
        return rows, bounds, in_order


def _widen(bounds: dict[str, tuple[Any, Any]], table: "pa.Table") -> None:
    import pyarrow.compute as pc

    for name in _BOUNDED:
        part = pc.min_max(table.column(name)).as_py()
        low, high = part["min"], part["max"]
        if low is not None:
            known = bounds.get(name, (low, high))
            bounds[name] = (min(low, known[0]), max(high, known[1]))


def _bounds(connection: duckdb.DuckDBPyConnection, file: StoredFile) -> Bounds:
    """The bounds in the catalog, as it writes them."""
    names = ", ".join(f"'{name}'" for name in _BOUNDED)
    rows = connection.execute(
        f"""SELECT * FROM sqlite_query('{METADATA}', $$
              SELECT DISTINCT c.column_name, s.min_value, s.max_value FROM ducklake_file_column_stats s
              JOIN ducklake_column c ON c.table_id = s.table_id AND c.column_id = s.column_id
              WHERE s.data_file_id = {file.id} AND c.parent_column IS NULL AND c.column_name IN ({names})$$)"""
    ).fetchall()
    return {name: (low, high) for name, low, high in rows if low is not None and high is not None}


def _compare(
    name: str, file: StoredFile, held: dict[str, tuple[Any, Any]], told: Bounds
) -> Iterator[Finding]:
    for column, (low, high) in held.items():
        if column not in told:
            continue
        kind = datetime.fromisoformat if column == "timestamp" else float
        said = tuple(kind(value) for value in told[column])
        if said != (low, high):
            sentence = (
                f"The {column} in {name} runs from {low} to {high} and the catalog says {said[0]} to {said[1]}; "
                f"{_restore(file)}"
            )
            yield Finding("bounds", name, sentence, file)


def _lost(kind: str, name: str, file: StoredFile, problem: str) -> Finding:
    return Finding(kind, name, f"The file {name} {problem}; {_restore(file)}", file)


def _restore(file: StoredFile) -> str:
    if file.kind == "data" and file.table in _bar_tables():
        return (
            "`barlake verify --repair --backup DIR` takes it from a backup, "
            "`barlake verify --repair` marks its range as not fetched."
        )
    return "`barlake verify --repair --backup DIR` takes it from a backup."


def _bar_tables() -> set[str]:
    return {table for dataset in DATASETS.values() for table in dataset.tables}


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
