"""Tables as the catalog has them: where their files lie, how they are parted, and new files of them."""

import struct
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import polars as pl

from lake.bounds import Stats, text_of
from lake.home import Home
from lake.sqltext import Row, quoted

_NUMERIC = ("int", "float")
_ROW_GROUP = 32_768
_TAIL = struct.Struct("<I4s")  # of a Parquet file: the footer's size and its name


class NotPlainError(Exception):
    """This catalog, or these rows, are DuckLake's own affair; nothing was written."""


@dataclass(frozen=True)
class Column:
    """A column of a table of the catalog."""

    id: int
    name: str
    numeric: bool


@dataclass(frozen=True)
class Table:
    """A table as the catalog has it: where its files lie and how they are parted."""

    id: int
    folder: Path
    columns: tuple[Column, ...]
    partition: int | None
    keys: tuple[tuple[str, str], ...]  # column and transform
    inlined: str | None  # the table in the catalog that holds its inlined rows
    most_inlined: int


@dataclass(frozen=True)
class File:
    """A Parquet file that is written and not registered yet; ``size`` and ``footer`` in bytes."""

    table: Table
    path: Path
    rows: int
    size: int
    footer: int
    partition: tuple[str, ...]
    stats: dict[str, Stats]


def look_up(ask: Callable[[str], list[Row]], home: Home, names: Sequence[str]) -> dict[str, Table]:
    """Tables of the lake as the catalog has them, by name.

    Raises:
        NotPlainError: One is not there, or lies or is parted in a way that only DuckLake knows.
    """
    chosen = ", ".join(quoted(name) for name in names)
    rows = ask(
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
    return {name: _table(home, facts) for name, facts in found.items()}


def new_path(table: Table, partition: Sequence[str]) -> Path:
    """Where a new file of a partition goes; its folder is made."""
    folder = table.folder
    for (key, transform), value in zip(table.keys, partition, strict=True):
        name = key if transform == "identity" else transform
        folder /= f"{name}={quote(value, safe='')}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"barlake-{uuid.uuid4()}.parquet"


def _table(home: Home, rows: list[Row]) -> Table:
    if not rows or not int(rows[0][8] or 0):
        raise NotPlainError
    _, table, folder, _, _, partition, inlined, most, *_ = rows[0]
    keys = sorted((int(row[9] or 0), str(row[4]), str(row[10])) for row in rows if row[10])
    if any(transform not in {"identity", "year"} for _, _, transform in keys):
        raise NotPlainError
    return Table(
        id=int(table or 0),
        folder=home.parquet / str(folder),
        columns=tuple(
            Column(int(row[3] or 0), str(row[4]), str(row[11]).startswith(_NUMERIC)) for row in rows
        ),
        partition=int(partition) if partition else None,
        keys=tuple((name, transform) for _, name, transform in keys),
        inlined=inlined,
        most_inlined=int(most or 0),
    )


def write(table: Table, partition: Sequence[str], rows: pl.DataFrame) -> File:
    """Write a new file of many columns of numbers, which nothing names yet.

    Arrow does it: on such rows it takes two thirds of polars' time, and a fraction of DuckDB's, which
    tries a dictionary first. Several threads may do so side by side.

    Args:
        table: Where it belongs.
        partition: What its rows have in common, as ``table.keys`` names it.
        rows: A column for each of the table's, in their order, no nulls among the keys.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = new_path(table, partition)
    found = rows.to_arrow()
    schema = pa.schema(
        [
            found.schema.field(column.name).with_metadata({"PARQUET:field_id": str(column.id)})
            for column in table.columns
        ]
    )
    texts = [column.name for column in table.columns if rows[column.name].dtype == pl.String]
    parquet.write_table(
        found.cast(schema),
        path,
        compression="lz4",  # read in half the time of zstd, for a fifth more bytes
        row_group_size=_ROW_GROUP,
        use_dictionary=texts,  # numbers hardly repeat
        store_schema=False,
    )
    with path.open("rb") as file:
        file.seek(-_TAIL.size, 2)
        footer, _ = _TAIL.unpack(file.read())
    size = path.stat().st_size
    return File(table, path, rows.height, size, footer, tuple(partition), _stats(rows))


def _stats(rows: pl.DataFrame) -> dict[str, Stats]:
    """What the catalog says of each column; bytes are those of its values."""
    lows, highs = (rows.select(each).row(0) for each in (pl.all().min(), pl.all().max()))
    found = {}
    for column, low, high in zip(rows, lows, highs, strict=True):
        nulls = column.null_count()
        nan = False if column.dtype.is_float() else None
        found[column.name] = Stats(
            rows.height - nulls, nulls, text_of(low), text_of(high), nan, column.len() * 8
        )
    return found


def partitioned(rows: pl.DataFrame, table: Table) -> Iterator[tuple[tuple[str, ...], pl.DataFrame]]:
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
