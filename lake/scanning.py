"""Reading Parquet files that a plan names: their rows without the deleted ones, with their sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from lake.planning import DataFile
from lake.sessions import days_of, midnights_of

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


class Hours:
    """The regular hours of every session, as sorted arrays of microseconds in UTC."""

    def __init__(self, sessions: pl.DataFrame) -> None:
        ordered = sessions.select("open", "close").sort("open")
        edges = ordered.cast(pl.Int64).to_numpy()
        self._edges = np.ascontiguousarray(edges).reshape(-1)

    def regular(self, timestamps: np.ndarray) -> np.ndarray:
        """Whether each of some sorted timestamps (microseconds) lies in regular hours."""
        if not len(timestamps) or not len(self._edges):
            return np.zeros(len(timestamps), dtype=np.bool_)
        first, last = np.searchsorted(self._edges, timestamps[[0, -1]], side="right")
        # An even position is outside of hours: between a close and the next open.
        cuts = np.searchsorted(timestamps, self._edges[first:last])
        lengths = np.diff(np.concatenate(([0], cuts, [len(timestamps)])))
        inside = (np.arange(first, last + 1) % 2) == 1
        return np.asarray(np.repeat(inside, lengths))


def session_dates(timestamps: np.ndarray) -> pl.Series:
    """The New York date of each of some sorted timestamps (microseconds)."""
    if not len(timestamps):
        return pl.Series("session_date", [], dtype=pl.Date)
    first, last = days_of(timestamps[[0, -1]])
    days = np.arange(first, last + 1, dtype=np.int32)
    cuts = np.searchsorted(timestamps, midnights_of(days[1:]))
    lengths = np.diff(np.concatenate(([0], cuts, [len(timestamps)])))
    return pl.Series("session_date", np.repeat(days, lengths)).cast(pl.Date)
