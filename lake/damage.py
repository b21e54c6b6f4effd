"""Which data file is to blame when bars cannot be read: polars does not say."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from lake.catalog import Catalog
from lake.faults import DataFileError, broken
from lake.home import Home
from lake.planning import Planner
from lake.reader import Reader
from lake.reading import Question

_CANNOT_READ = (duckdb.Error, pl.exceptions.PolarsError, OSError)


class NamingReader(Reader):
    """A reader that names the file it cannot read.

    Raises:
        DataFileError: A file is gone, cut off or overwritten.
    """

    def __init__(self, catalog: Catalog, home: Home) -> None:
        super().__init__(catalog, Planner(catalog, home))
        self._naming_catalog, self._naming_home = catalog, home

    def read(self, question: Question) -> pl.DataFrame:
        """As :meth:`lake.reader.Reader.read`."""
        with self._naming(question):
            return super().read(question)

    def series(self, question: Question) -> Iterator[pl.DataFrame]:
        """As :meth:`lake.reader.Reader.series`."""
        with self._naming(question):
            yield from super().series(question)

    def extent(self, question: Question) -> tuple[datetime | None, datetime | None]:
        """As :meth:`lake.reader.Reader.extent`."""
        with self._naming(question):
            return super().extent(question)

    @contextmanager
    def _naming(self, question: Question) -> Iterator[None]:
        tables = question.dataset.tables_at(question.as_of)
        with named(self._naming_catalog, self._naming_home, tables, question.symbols):
            yield


@contextmanager
def named(
    catalog: Catalog, home: Home, tables: Sequence[str], symbols: Sequence[str] = ()
) -> Iterator[None]:
    """Say which file is to blame for an error in a block; pass the error on if none is.

    Args:
        catalog: Of the lake.
        home: Where it lies.
        tables: What was read.
        symbols: Of which symbols; none: of all.

    Raises:
        DataFileError: A file is gone, cut off or overwritten.
    """
    try:
        yield
    except _CANNOT_READ as error:
        found = _to_blame(Planner(catalog, home), [*tables, "sessions"], symbols)
        if found is None:
            raise
        path, words = found
        inside = path.relative_to(home.root) if path.is_relative_to(home.root) else path
        raise DataFileError(str(inside), broken(path, words)) from error


def _to_blame(
    planner: Planner, tables: Sequence[str], symbols: Sequence[str]
) -> tuple[Path, str] | None:
    plan = planner.plan(tables, symbols)
    held = [file for files in plan.files.values() for file in files] if plan else []
    for path in [part for file in held for part in (file.path, file.deletes) if part]:
        try:
            pl.read_parquet(path, glob=False, hive_partitioning=False)
        except _CANNOT_READ as error:
            return Path(path), str(error)
    return None
