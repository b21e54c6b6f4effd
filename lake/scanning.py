"""Reading Parquet files that a plan names: their rows without the deleted ones."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from lake.planning import DataFile

_TIME = pl.col("timestamp")
_ROW = "_row"

Span = tuple[datetime | None, datetime | None]


def scan(
    files: Sequence[DataFile], columns: Sequence[str], span: Span, only: Sequence[pl.Expr] = ()
) -> pl.LazyFrame:
    """Rows of some files, in the order of the files.

    Args:
        files: Of one table.
        columns: Of the table, to be returned.
        span: Start inside, end outside (UTC); a file that lies wholly inside is not filtered.
        only: More conditions on the rows.
    """
    whole = [file for file in files if file.deletes is None]
    frames: list[pl.LazyFrame] = []
    if whole:
        frames.append(_parquet([file.path for file in whole]))
    frames += [_undeleted(file) for file in files if file.deletes is not None]
    inside = [] if all(_within(file, span) for file in files) else _bounds(span)
    conditions = [*inside, *only]
    found = [
        (frame.filter(*conditions) if conditions else frame).select(columns) for frame in frames
    ]
    return found[0] if len(found) == 1 else pl.concat(found)


def _parquet(paths: Sequence[str], **options: Any) -> pl.LazyFrame:
    # Merged files have a column of DuckLake's own: which snapshot each row came with.
    return pl.scan_parquet(
        list(paths), glob=False, hive_partitioning=False, extra_columns="ignore", **options
    )


def _undeleted(file: DataFile) -> pl.LazyFrame:
    gone = pl.read_parquet(
        file.deletes or "", columns=["pos"], glob=False, hive_partitioning=False
    )["pos"]
    rows = _parquet([file.path], row_index_name=_ROW)
    return rows.filter(~pl.col(_ROW).cast(pl.Int64).is_in(gone.implode())).drop(_ROW)


def _within(file: DataFile, span: Span) -> bool:
    low, high = span
    return (low is None or (file.first is not None and file.first >= low)) and (
        high is None or (file.last is not None and file.last < high)
    )


def _bounds(span: Span) -> list[pl.Expr]:
    low, high = span
    return [
        *([pl.lit(low).cast(pl.Datetime("us", "UTC")) <= _TIME] if low is not None else []),
        *([pl.lit(high).cast(pl.Datetime("us", "UTC")) > _TIME] if high is not None else []),
    ]
