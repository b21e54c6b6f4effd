"""Adding rows to tables as one snapshot of DuckLake, written by its specification and not by its SQL.

A commit of new bars is the lake's daily bread: a Parquet file or a few, and some rows in ledgers.
DuckLake takes 35 ms and more for that, most of it planning and reading back what we know already;
here it is one transaction of some 10 statements on DuckLake's own tables. Whatever replaces or
deletes rows stays with DuckLake. docs/adr/0010 says why, and tests/lake/test_appending.py holds
every table of the catalog to what DuckLake itself writes for the same rows.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from lake.bounds import Stats, merged, of_copy, of_rows, text_of
from lake.catalog import WRITES, Transaction
from lake.home import Home
from lake.sqltext import Row, quoted, sqlite

_ROW_GROUP = 32_768
# SQLite takes a statement of a million bytes; a row of statistics has some hundred.
_ROWS_A_STATEMENT = 2_000
_NUMERIC = ("int", "float")


class NotPlainError(Exception):
    """This catalog, or these rows, are DuckLake's own affair; nothing was written."""


@dataclass(frozen=True)
class _Column:
    id: int
    name: str
    numeric: bool


@dataclass(frozen=True)
class _Table:
    id: int
    folder: Path
    columns: tuple[_Column, ...]
    partition: int | None
    keys: tuple[tuple[str, str], ...]  # column and transform
    inlined: str | None  # the table in the catalog that holds its inlined rows
    most_inlined: int


@dataclass(frozen=True)
class _File:
    table: _Table
    path: Path
    rows: int
    size: int
    footer: int
    partition: tuple[str, ...]
    stats: dict[str, Stats]


@dataclass
class _Added:
    """What one commit adds to one table."""

    files: list[_File] = field(default_factory=list)
    inlined: pl.DataFrame | None = None

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files) + (
            0 if self.inlined is None else self.inlined.height
        )

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def stats(self) -> "list[dict[str, Stats]]":
        """Of each column, part by part."""
        told = [file.stats for file in self.files]
        if self.inlined is not None:
            told.append({name: of_rows(self.inlined[name]) for name in self.inlined.columns})
        return told


class Append:
    """One snapshot in the making, inside :meth:`Catalog.registering`."""

    def __init__(self, transaction: Transaction, home: Home) -> None:
        self._cursor, self._home = transaction.connection, home
        self._commit = transaction.commit_id
        row = self._ask(
            f"""SELECT schema_version, next_catalog_id, next_file_id FROM ducklake_snapshot
                WHERE snapshot_id = {self._commit - 1}"""
        )[0]
        self._schema, self._next_catalog, self._next_file = (int(value or 0) for value in row)
        self._added: dict[str, _Added] = {}
        self._tables: dict[str, _Table] = {}

    def add(self, tables: dict[str, pl.DataFrame]) -> None:
        """Write rows of some tables; they are there once :meth:`finish` has run and COMMIT after it.

        Args:
            tables: By name: a column for each of the table's, in the order in which they shall lie.

        Raises:
            NotPlainError: DuckLake has to do it.
        """
        filled = {name: rows for name, rows in tables.items() if not rows.is_empty()}
        self._tables = self._look_up(tuple(filled))
        for name, rows in filled.items():
            table = self._tables[name]
            ordered = rows.select([column.name for column in table.columns])
            if rows.height <= table.most_inlined:
                if table.inlined is None:
                    raise NotPlainError
                self._added[name] = _Added(inlined=ordered)
            else:
                added = self._added[name] = _Added()
                for partition, part in _partitioned(ordered, table):
                    added.files.append(self._write(table, partition, part))

    def finish(self) -> None:
        """Register what was added; COMMIT makes it the newest snapshot."""
        stats = self._known_stats()
        number = self._next_file
        changes: list[str] = []
        files: list[tuple[_File, int, int]] = []
        for name, added in self._added.items():
            table = self._tables[name]
            known = stats.get(table.id)
            row_id = known.next_row if known else 0
            for file in added.files:
                files.append((file, number, row_id))
                number, row_id = number + 1, row_id + file.rows
            if added.files:
                changes.append(f"inserted_into_table:{table.id}")
            if added.inlined is not None:
                self._inline(table, added.inlined, row_id)
                # DuckLake keeps statistics by this number: it changes with every insert.
                number += 1
                changes.append(f"inlined_insert:{table.id}")
        self._count(stats)
        self._register(files)
        self._insert(
            "ducklake_snapshot",
            [
                (
                    self._commit,
                    _Sql("strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00'"),
                    self._schema,
                    self._next_catalog,
                    number,
                )
            ],
        )
        changes.sort(key=lambda change: not change.startswith("inserted"))
        self._insert(
            "ducklake_snapshot_changes", [(self._commit, ",".join(changes), None, None, None)]
        )

    def forget(self) -> None:
        """Remove the files of a commit that will not be."""
        for added in self._added.values():
            for file in added.files:
                with suppress(OSError):
                    file.path.unlink()

    def _look_up(self, names: Sequence[str]) -> dict[str, _Table]:
        chosen = ", ".join(quoted(name) for name in names)
        rows = self._ask(
            f"""SELECT t.table_name, t.table_id, s.path || t.path, c.column_id, c.column_name, p.partition_id,
                  (SELECT i.table_name FROM ducklake_inlined_data_tables i WHERE i.table_id = t.table_id
                   ORDER BY i.schema_version DESC LIMIT 1) AS inlined,
                  coalesce((SELECT value FROM ducklake_metadata WHERE key = 'data_inlining_row_limit'
                            AND scope = 'table' AND scope_id = t.table_id), 0) AS most_inlined,
                  s.path_is_relative AND t.path_is_relative AS relative,
                  k.partition_key_index, k.transform, c.column_type
                FROM ducklake_table t JOIN ducklake_schema s USING (schema_id)
                JOIN ducklake_column c ON c.table_id = t.table_id AND c.end_snapshot IS NULL
                LEFT JOIN ducklake_partition_info p ON p.table_id = t.table_id AND p.end_snapshot IS NULL
                LEFT JOIN ducklake_partition_column k ON k.partition_id = p.partition_id
                  AND k.table_id = t.table_id AND k.column_id = c.column_id
                WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL AND s.schema_name = 'main'
                  AND t.table_name IN ({chosen}) ORDER BY t.table_id, c.column_order"""
        )
        found = {name: [row for row in rows if row[0] == name] for name in names}
        return {name: self._table(facts) for name, facts in found.items()}

    def _table(self, rows: list[Row]) -> _Table:
        if not rows or not int(rows[0][8] or 0):
            raise NotPlainError
        _, table, folder, _, _, partition, inlined, most, *_ = rows[0]
        keys = sorted((int(row[9] or 0), str(row[4]), str(row[10])) for row in rows if row[10])
        if any(transform not in {"identity", "year"} for _, _, transform in keys):
            raise NotPlainError
        return _Table(
            id=int(table or 0),
            folder=self._home.parquet / str(folder),
            columns=tuple(
                _Column(int(row[3] or 0), str(row[4]), str(row[11]).startswith(_NUMERIC))
                for row in rows
            ),
            partition=int(partition) if partition else None,
            keys=tuple((name, transform) for _, name, transform in keys),
            inlined=inlined,
            most_inlined=int(most or 0),
        )

    def _write(self, table: _Table, partition: tuple[str, ...], rows: pl.DataFrame) -> _File:
        folder = table.folder
        for (key, transform), value in zip(table.keys, partition, strict=True):
            name = key if transform == "identity" else transform
            folder /= f"{name}={quote(value, safe='')}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"barlake-{uuid.uuid4()}.parquet"
        ids = ", ".join(f'"{column.name}": {column.id}' for column in table.columns)
        self._cursor.register("appended", rows)
        found = self._cursor.execute(
            f"""COPY (FROM appended) TO {quoted(path)} (FORMAT parquet, COMPRESSION uncompressed,
                ROW_GROUP_SIZE {_ROW_GROUP}, FIELD_IDS {{{ids}}}, RETURN_STATS)"""
        ).fetchone()
        self._cursor.unregister("appended")
        if found is None:
            raise NotPlainError
        _, count, size, footer, columns, _ = found
        stats = {name.strip('"'): of_copy(facts) for name, facts in columns.items()}
        return _File(table, path, int(count), int(size), int(footer), partition, stats)

    def _register(self, files: Sequence[tuple[_File, int, int]]) -> None:
        """Name files in the catalog: each with its number and that of its first row."""
        self._insert("ducklake_data_file", [self._file_row(*file) for file in files])
        stats = [
            (number, file.table.id, column.id, *file.stats[column.name].of_file)
            for file, number, _ in files
            for column in file.table.columns
        ]
        self._insert("ducklake_file_column_stats", stats)
        parts = [
            (number, file.table.id, index, value)
            for file, number, _ in files
            for index, value in enumerate(file.partition)
        ]
        self._insert("ducklake_file_partition_value", parts)

    def _file_row(self, file: _File, number: int, row_id: int) -> tuple[Any, ...]:
        table = file.table
        path = str(file.path.relative_to(table.folder))
        begun = (number, table.id, self._commit, None, None)
        facts = (path, 1, "parquet", file.rows, file.size, file.footer, row_id)
        return (*begun, *facts, table.partition, None, None, None)

    def _inline(self, table: _Table, rows: pl.DataFrame, row_id: int) -> None:
        self._insert(
            str(table.inlined),
            [
                (row_id + offset, self._commit, None, *(_plain(value) for value in row))
                for offset, row in enumerate(rows.iter_rows())
            ],
        )

    # Statistics of whole tables ---------------------------------------------------------------

    def _known_stats(self) -> "dict[int, _TableStats]":
        ids = ", ".join(str(self._tables[name].id) for name in self._added)
        rows = self._ask(
            f"""SELECT t.table_id, t.next_row_id, c.column_id, c.contains_null, c.contains_nan, c.min_value, c.max_value
                FROM ducklake_table_stats t LEFT JOIN ducklake_table_column_stats c USING (table_id)
                WHERE t.table_id IN ({ids})"""
        )
        found: dict[int, _TableStats] = {}
        for table, next_row, column, nulls, nan, low, high in rows:
            stats = found.setdefault(int(table or 0), _TableStats(int(next_row or 0), {}))
            if column is not None:
                stats.columns[int(column)] = Stats(
                    1, int(nulls or 0), low, high, None if nan is None else bool(int(nan))
                )
        return found

    def _count(self, known: "dict[int, _TableStats]") -> None:
        """Add what was added to the statistics of its tables."""
        grown: list[tuple[int, int, int]] = []
        begun: list[tuple[int, int, int, int]] = []
        new: list[tuple[Any, ...]] = []
        changed: list[tuple[Any, ...]] = []
        for name, added in self._added.items():
            table = self._tables[name]
            stats, rows, size = known.get(table.id), added.rows, added.size
            told = added.stats
            if stats is None:
                begun.append((table.id, rows, rows, size))
            else:
                grown.append((table.id, rows, size))
            for column in table.columns:
                before = stats.columns.get(column.id) if stats else None
                parts = [part[column.name] for part in told]
                after = merged(parts, before, numeric=column.numeric)
                if after != before:
                    row = (table.id, column.id, *after.of_table)
                    (changed if before else new).append(row)
        self._insert("ducklake_table_stats", begun)
        self._insert("ducklake_table_column_stats", new)
        if grown:
            self._ask(
                f"""UPDATE ducklake_table_stats SET record_count = record_count + v.column2,
                    next_row_id = next_row_id + v.column2, file_size_bytes = file_size_bytes + v.column3
                    FROM (VALUES {_values(grown)}) v WHERE table_id = v.column1 RETURNING 1"""
            )
        if changed:
            self._ask(
                f"""UPDATE ducklake_table_column_stats SET contains_null = v.column3, contains_nan = v.column4,
                    min_value = v.column5, max_value = v.column6 FROM (VALUES {_values(changed)}) v
                    WHERE table_id = v.column1 AND column_id = v.column2 RETURNING 1"""
            )

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for first in range(0, len(rows), _ROWS_A_STATEMENT):
            some = rows[first : first + _ROWS_A_STATEMENT]
            self._ask(f'INSERT INTO "{table}" VALUES {_values(some)} RETURNING 1')

    def _ask(self, query: str) -> list[Row]:
        return sqlite(self._cursor, WRITES, query)


@dataclass(frozen=True)
class _TableStats:
    next_row: int
    columns: dict[int, Stats]


class _Sql(str):
    """An SQL expression, where a value would be."""

    __slots__ = ()


def _values(rows: Sequence[tuple[Any, ...]]) -> str:
    return ", ".join("(" + ", ".join(_literal(value) for value in row) + ")" for row in rows)


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | _Sql):
        return str(value)
    return quoted(value)


def _partitioned(
    rows: pl.DataFrame, table: _Table
) -> Iterator[tuple[tuple[str, ...], pl.DataFrame]]:
    """The rows of each partition, in their order."""
    if not table.keys:
        yield (), rows
        return
    keys = {
        f"_{index}": (pl.col(name) if transform == "identity" else pl.col(name).dt.year())
        for index, (name, transform) in enumerate(table.keys)
    }
    found = rows.select(**keys)
    begins = pl.any_horizontal(pl.all() != pl.all().shift()).fill_null(value=True)
    starts = found.select(begins.arg_true()).to_series()
    names = found[starts.to_list()].rows()
    if len({*names}) == len(names):  # each partition's rows stand together
        ends = [*starts[1:], rows.height]
        for name, start, end in zip(names, starts, ends, strict=True):
            yield tuple(str(value) for value in name), rows[start:end]
        return
    parts = rows.with_columns(**keys).partition_by([*keys], as_dict=True, maintain_order=True)
    for name, part in parts.items():
        yield tuple(str(value) for value in name), part.drop(*keys)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int) else text_of(value)
