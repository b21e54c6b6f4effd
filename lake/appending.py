"""Adding rows to tables as one snapshot of DuckLake, written by its specification and not by its SQL.

A commit of new bars is the lake's daily bread: a Parquet file or a few, and some rows in ledgers.
DuckLake takes 35 ms and more for that, most of it planning and reading back what we know already;
here it is one transaction of some 10 statements on DuckLake's own tables. Whatever replaces or
deletes rows stays with DuckLake. docs/adr/0010 says why, and tests/lake/test_appending.py holds
every table of the catalog to what DuckLake itself writes for the same rows.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lake.bounds import Stats, merged, of_copy, of_rows, text_of
from lake.catalog import WRITES, Transaction
from lake.home import Home
from lake.sqltext import Row, quoted, sqlite
from lake.table_files import File, NotPlainError, Table, look_up, new_path, partitioned

_ROW_GROUP = 32_768
# SQLite takes a statement of a million bytes; a row of statistics has some hundred.
_ROWS_A_STATEMENT = 2_000


@dataclass
class _Added:
    """What one commit adds to one table."""

    files: list[File] = field(default_factory=list)
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
        self._tables: dict[str, Table] = {}
        self._ended: set[int] = set()

    def add(self, tables: dict[str, pl.DataFrame]) -> None:
        """Write rows of some tables; they are there once :meth:`finish` has run and COMMIT after it.

        Args:
            tables: By name: a column for each of the table's, in the order in which they shall lie.

        Raises:
            NotPlainError: DuckLake has to do it.
        """
        filled = {name: rows for name, rows in tables.items() if not rows.is_empty()}
        self._tables |= self._look_up(tuple(filled))
        for name, rows in filled.items():
            table = self._tables[name]
            ordered = rows.select([column.name for column in table.columns])
            if rows.height <= table.most_inlined:
                if table.inlined is None:
                    raise NotPlainError
                self._added[name] = _Added(inlined=ordered)
            else:
                added = self._added[name] = _Added()
                for partition, part in partitioned(ordered, table):
                    added.files.append(self._write(table, partition, part))

    def take(self, name: str, files: Sequence[File], ended: Sequence[int]) -> None:
        """Files of a table that lie there already, in place of others of it.

        Args:
            name: Of the table.
            files: What is new.
            ended: Numbers of the files that go, each with all of its rows.
        """
        if not files and not ended:
            return
        table = files[0].table if files else self._look_up([name])[name]
        self._tables[name] = table
        if files:
            self._added[name] = _Added([*files])
        if ended:
            numbers = ", ".join(str(number) for number in ended)
            for kept in ("ducklake_data_file", "ducklake_delete_file"):
                self._ask(
                    f"""UPDATE {kept} SET end_snapshot = {self._commit}
                        WHERE data_file_id IN ({numbers}) AND end_snapshot IS NULL RETURNING 1"""
                )
            self._ended.add(table.id)

    def finish(self) -> None:
        """Register what was added; COMMIT makes it the newest snapshot."""
        stats = self._known_stats()
        number = self._next_file
        changes: list[str] = []
        files: list[tuple[File, int, int]] = []
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
        changes += [f"deleted_from_table:{table}" for table in sorted(self._ended)]
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

    def _look_up(self, names: Sequence[str]) -> dict[str, Table]:
        return look_up(self._ask, self._home, names)

    def _write(self, table: Table, partition: tuple[str, ...], rows: pl.DataFrame) -> File:
        path = new_path(table, partition)
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
        return File(table, path, int(count), int(size), int(footer), partition, stats)

    def _register(self, files: Sequence[tuple[File, int, int]]) -> None:
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

    def _file_row(self, file: File, number: int, row_id: int) -> tuple[Any, ...]:
        table = file.table
        path = str(file.path.relative_to(table.folder))
        begun = (number, table.id, self._commit, None, None)
        facts = (path, 1, "parquet", file.rows, file.size, file.footer, row_id)
        return (*begun, *facts, table.partition, None, None, None)

    def _inline(self, table: Table, rows: pl.DataFrame, row_id: int) -> None:
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


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int) else text_of(value)
