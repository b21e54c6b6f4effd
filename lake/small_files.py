"""Rows of small files that were read before: live bars land in a file a minute, and files never change.

Whoever follows a symbol asks for the same files again and again, and one more. Opening thirty takes
polars 3 ms, for each of them costs as much as a large one; so only new ones are read.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from lake.planning import DataFile
from lake.scanning import Span, bounded, scan, within

#: Rows of a file that is small, series that are remembered, and rows of each.
SMALL, _SERIES, _ROWS = 512, 256, 16_384

_Key = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class _Read:
    """Whole files, and the rows of one series in them."""

    paths: frozenset[str]
    rows: pl.DataFrame


class SmallFiles:
    """Remembers, for each series, the small files that were read last; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Read] = OrderedDict()

    def rows(
        self,
        files: Sequence[DataFile],
        columns: Sequence[str],
        span: Span,
        symbol: str,
        source: str,
    ) -> pl.DataFrame:
        """Rows of one series, in no order.

        Args:
            files: Small ones without deleted rows, one at least, that can hold rows of the series.
            columns: Of their table, ``timestamp`` among them.
            span: Start inside, end outside (UTC).
            symbol: Of the series.
            source: Provider and feed.
        """
        key = symbol, source, tuple(columns)
        with self._lock:
            known = self._kept.get(key)
        paths = frozenset(file.path for file in files)
        if known is not None and known.paths <= paths:
            new = [file for file in files if file.path not in known.paths]
            rows = pl.concat([known.rows, *_read(new, columns, symbol, source)])
        else:
            rows = pl.concat(_read(files, columns, symbol, source))
        if rows.n_chunks() > 1:
            rows = rows.rechunk()
        with self._lock:
            self._kept[key] = _Read(paths, rows)
            self._kept.move_to_end(key)
            while len(self._kept) > _SERIES:
                self._kept.popitem(last=False)
        return rows if all(within(file, span) for file in files) else rows.filter(*bounded(span))


def are_small(files: Sequence[DataFile]) -> bool:
    """Whether files are worth remembering."""
    return bool(
        files
        and all(file.deletes is None and file.rows <= SMALL for file in files)
        and sum(file.rows for file in files) <= _ROWS
    )


def _read(
    files: Sequence[DataFile], columns: Sequence[str], symbol: str, source: str
) -> list[pl.DataFrame]:
    mine = [file for file in files if file.exact(symbol, source)]
    shared = [file for file in files if not file.exact(symbol, source)]
    itself = [pl.col("symbol") == symbol, pl.col("source") == source]
    return [
        scan(some, columns, (None, None), only).collect()
        for some, only in ((mine, []), (shared, itself))
        if some
    ]
