"""Reading Parquet files that a plan names: their rows without the deleted ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from lake.datasets import REVISIONS, Dataset
from lake.planning import DataFile, Plan

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
    inside = [] if all(within(file, span) for file in files) else bounded(span)
    conditions = [*inside, *only]
    found = [
        (frame.filter(*conditions) if conditions else frame).select(columns) for frame in frames
    ]
    return found[0] if len(found) == 1 else pl.concat(found)


@dataclass(frozen=True)
class Series:
    """The bars of one symbol from one source.

    Attributes:
        dataset: Whose bars.
        symbol: Of the bars.
        source: Provider and feed.
        as_of: As the lake knew them then (UTC); None for now.
    """

    dataset: Dataset
    symbol: str
    source: str
    as_of: datetime | None = None

    def frames(self, plan: Plan, columns: Sequence[str], span: Span) -> list[pl.LazyFrame]:
        """Its bars of a span in the files of a plan: none, or frames to be put one after the other."""
        if self.as_of is None:
            return [
                frame
                for table in self.dataset.tables
                for frame in self._within(plan.files[table], columns, span)
            ]
        known = pl.col("recorded_at") <= self.as_of
        then = [
            known,
            pl.col("superseded_at") > self.as_of,
            pl.col("dataset") == self.dataset.name,
        ]
        return [
            frame
            for table in self.dataset.tables_at(self.as_of)
            for frame in self._within(
                plan.files[table], columns, span, then if table == REVISIONS else [known]
            )
        ]

    def may_lie_in(self, files: Sequence[DataFile], span: Span) -> list[DataFile]:
        """Those files that can hold its bars of a span."""
        return [
            file
            for file in files
            if file.may_hold(self.symbol, *span) and file.may_be_of(self.source)
        ]

    def _within(
        self,
        files: Sequence[DataFile],
        columns: Sequence[str],
        span: Span,
        only: Sequence[pl.Expr] = (),
    ) -> list[pl.LazyFrame]:
        held = self.may_lie_in(files, span)
        mine = [file for file in held if file.exact(self.symbol, self.source)]
        shared = [file for file in held if not file.exact(self.symbol, self.source)]
        itself = [pl.col("symbol") == self.symbol, pl.col("source") == self.source]
        return [
            *([scan(sorted(mine, key=_opening), columns, span, only)] if mine else []),
            *([scan(shared, columns, span, [*itself, *only])] if shared else []),
        ]


def _opening(file: DataFile) -> tuple[bool, datetime | None]:
    return (file.first is not None, file.first)


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


def within(file: DataFile, span: Span) -> bool:
    """Whether all rows of a file are known to lie in a span."""
    low, high = span
    return (low is None or (file.first is not None and file.first >= low)) and (
        high is None or (file.last is not None and file.last < high)
    )


def bounded(span: Span) -> list[pl.Expr]:
    """Conditions on ``timestamp``: start inside, end outside (UTC)."""
    low, high = span
    return [
        *([pl.lit(low).cast(pl.Datetime("us", "UTC")) <= _TIME] if low is not None else []),
        *([pl.lit(high).cast(pl.Datetime("us", "UTC")) > _TIME] if high is not None else []),
    ]
