"""Verifying a whole lake, part by part, with the memory of one part."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from lake.datasets import DATASETS, Dataset
from lake.faults import CatalogDamagedError, DataFileError
from lake.schema import PARTITIONS, check_symbol
from lake.verify import ledgers
from lake.verify.files import check_file
from lake.verify.listing import StoredFile, stored_files
from lake.verify.report import Finding, Report
from lake.verify.series import Batch, Stored, check_batch, read_batch, sessions_of

if TYPE_CHECKING:
    from lake.store import Lake

#: Symbols read together where one file holds many of them.
_TOGETHER = 50
#: How often a read that failed is tried again: beside upkeep a file may go while it is planned.
_TRIES = 3
_UNREADABLE = (duckdb.Error, DataFileError, CatalogDamagedError)


def verify(lake: "Lake", symbols: Sequence[str] | None = None) -> Report:
    """Check what a lake promises, at rest or beside writers and upkeep. Nothing is written.

    Every file of the catalog is there with its size and its rows, and can be decoded; files of bars
    are sorted and have the bounds the catalog says; no key is stored twice; stored bars keep the
    rules and have the flags of their dataset; revisions follow one another; ``series``, coverage,
    changes and models agree with what is there. Each series is read from one snapshot.

    Args:
        lake: Open.
        symbols: Only these, with their files; None for all and for the ledgers.

    Raises:
        SymbolError: No ticker looks like that.
    """
    return _Run(lake, [check_symbol(name) for name in symbols] if symbols else None).report()


class _Run:
    """One verification: its findings and what it looked at so far."""

    def __init__(self, lake: "Lake", symbols: Sequence[str] | None) -> None:
        self._lake, self._symbols = lake, symbols
        self._home = lake.place
        self._findings: list[Finding] = []
        self._files = self._bytes = self._series = self._bars = 0

    def report(self) -> Report:
        begun = time.perf_counter()
        steps = [self._check_files, self._check_bars]
        if self._symbols is None:
            steps.append(self._check_ledgers)
        try:
            for step in steps:
                self._take(step)
        except _UNREADABLE as error:
            self._unreadable("duckdb/lake.sqlite", error)
        return Report(
            tuple(self._findings),
            self._files,
            self._bytes,
            self._series,
            self._bars,
            time.perf_counter() - begun,
        )

    def _take(self, step: Callable[[], None]) -> None:
        """Take a step anew where cleanup removed a replaced file from under it."""
        for attempt in range(_TRIES):
            before = len(self._findings), self._files, self._bytes, self._series, self._bars
            try:
                step()
            except _UNREADABLE:
                if attempt == _TRIES - 1:
                    raise
                found, self._files, self._bytes, self._series, self._bars = before
                del self._findings[found:]
            else:
                return

    def _check_files(self) -> None:
        with self._lake.reading() as connection:
            _forget_files(connection)
            if self._symbols is None:
                self._findings += ledgers.check_catalog(connection)
            for file in stored_files(connection):
                if self._symbols is None or _is_of(file, self._symbols):
                    self._findings += check_file(connection, self._home, file)
                    self._files += 1
                    self._bytes += file.size

    def _check_bars(self) -> None:
        with self._lake.reading() as connection:
            expected = ledgers.changed_sessions(connection)
        held: list[pl.DataFrame] = []
        for batch in self._batches():
            stored = self._read(batch)
            if (
                stored is None
            ):  # what cannot be read has its finding, and says nothing about sessions
                expected = expected.filter(
                    (pl.col("source") != batch.source) | ~pl.col("symbol").is_in(batch.symbols)
                )
            else:
                held.append(sessions_of(batch, stored))
        if self._symbols is not None:
            expected = expected.filter(pl.col("symbol").is_in(self._symbols))
        self._check_sessions(expected, held)

    def _read(self, batch: Batch) -> Stored | None:
        for attempt in range(_TRIES):
            try:
                with self._lake.reading() as connection:
                    connection.execute("BEGIN TRANSACTION READ ONLY")
                    stored = read_batch(connection, batch)
                clock = ledgers.read_clock(self._home)  # after the bars
            except _UNREADABLE as error:
                if attempt == _TRIES - 1:
                    self._unreadable(f"{batch.dataset.name} {batch.source}", error, batch)
                continue
            self._series += len(batch.symbols)
            self._bars += stored.current.height
            self._findings += check_batch(batch, stored, clock)
            return stored
        return None

    def _check_sessions(self, expected: pl.DataFrame, held: Sequence[pl.DataFrame]) -> None:
        keys = expected.columns
        lost = expected.join(pl.concat([expected.clear(), *held]), on=keys, how="anti")
        if lost.is_empty():
            return
        with self._lake.reading() as connection:  # upkeep may have retired them meanwhile
            again = ledgers.changed_sessions(connection)
        self._findings += ledgers.check_sessions(lost.join(again, on=keys, how="semi"))

    def _batches(self) -> list[Batch]:
        """What is stored or named, in parts that fit into memory."""
        grouped: dict[tuple[str, str], set[str]] = defaultdict(set)
        with self._lake.reading() as connection:
            named = connection.execute("SELECT dataset, source, symbol FROM series").fetchall()
        for name, source, symbol in [*named, *self._held()[0]]:
            if name in DATASETS and (self._symbols is None or symbol in self._symbols):
                grouped[name, source].add(symbol)
        return [
            Batch(DATASETS[name], source, tuple(part))
            for (name, source), names in sorted(grouped.items())
            for part in _parts(sorted(names), _size(DATASETS[name]))
        ]

    def _held(self) -> tuple[set[ledgers.Series], bool]:
        """The series that have bars, and whether every table could be read."""
        found: set[ledgers.Series] = set()
        whole = True
        for dataset in DATASETS.values():
            for table in dataset.tables:
                try:
                    with self._lake.reading() as connection:
                        found |= ledgers.series_of_bars(connection, [table], dataset.name)
                except _UNREADABLE:
                    whole = False  # the file that cannot be read has its own finding
        return found, whole

    def _check_ledgers(self) -> None:
        with self._lake.reading() as connection:
            self._findings += ledgers.check_coverage(connection, self._home)
            self._findings += ledgers.check_changes(connection)
            self._findings += ledgers.check_scans(connection)
            self._findings += ledgers.check_models(connection, self._home)
        if not self._held()[1]:
            return
        with self._lake.reading() as connection:
            connection.execute("BEGIN TRANSACTION READ ONLY")
            self._findings += ledgers.check_series(connection)

    def _unreadable(self, place: str, error: Exception, batch: Batch | None = None) -> None:
        """Say that something cannot be read, unless a finding has named the file already."""
        damaged = {one.file.table for one in self._findings if one.file is not None}
        if batch is not None and damaged & {*batch.dataset.tables, "bar_revisions"}:
            return
        reason = " ".join(str(error).split())[:200]
        sentence = f"{place} cannot be read ({reason}). Restore a backup."
        self._findings.append(Finding("unreadable", place, sentence))


def _forget_files(connection: duckdb.DuckDBPyConnection) -> None:
    """Let DuckDB read from the disk what it remembers of files: DuckLake tells it that they never change."""
    row = connection.execute("SELECT current_setting('enable_external_file_cache')").fetchone()
    if row and row[0]:
        connection.execute("SET enable_external_file_cache = false")
        connection.execute("SET enable_external_file_cache = true")


def _is_of(file: StoredFile, symbols: Sequence[str]) -> bool:
    """Whether a file may hold bars of one of the symbols."""
    from urllib.parse import unquote

    named = [part for part in file.path.split("/") if part.startswith("symbol=")]
    return not named or unquote(named[0].removeprefix("symbol=")) in symbols


def _size(dataset: Dataset) -> int:
    return 1 if "symbol" in PARTITIONS.get(dataset.name, "") else _TOGETHER


def _parts(names: list[str], size: int) -> list[list[str]]:
    return [names[begin : begin + size] for begin in range(0, len(names), size)]
