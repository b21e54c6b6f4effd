"""Importing files: their bars through the same checks and the same ledger as those of any source.

A file is read once, whole, and laid down sorted beside the lake before anything is committed: what
is wrong with it is said first, and commits are few, of whole sessions, each symbol's in a row.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl

from agents.sources.files import FileBarsError, Form, batches, ignored
from lake import BAR_SCHEMA, Commit, Covered, Fetched, Lake, sessions
from lake.bars import check_bars
from lake.datasets import check_dataset
from lake.errors import InvalidError, LakeError, ProblemError, TransientError

#: Bars in one commit, about: a commit ends with a session.
COMMIT = 200_000
_MEMORY = "1GB"
_LEFTOVER = 24 * 60 * 60.0  # seconds
_SOURCE = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_KINDS = (".parquet", ".pq", ".csv", ".txt", ".tsv")

#: Called after each commit: bars done, bars in all.
Tell = Callable[[int, int], None]


class SourceNameError(ProblemError):
    """A name that the source of a file cannot have."""


class ImportStoppedError(TransientError):
    """An import that some commits of came through."""

    def __init__(self, committed: int, total: int, reason: str) -> None:
        super().__init__(committed, total, reason)
        self.committed, self.total, self.reason = committed, total, reason

    def __str__(self) -> str:
        return (
            f"Stopped after {self.committed:,} of {self.total:,} bars were committed, in whole sessions: {self.reason} "
            "Repeat the import; what is there stays as it is."
        )


@dataclass
class Imported:
    """What an import did, in bars; a dry run counts what it read and what would be quarantined.

    Attributes:
        ignored: Columns that nothing was taken from.
        rules: Broken rules and how many bars each, in a dry run.
    """

    source: str
    dataset: str
    read: int = 0
    symbols: list[str] = field(default_factory=list)
    first: date | None = None
    last: date | None = None
    new: int = 0
    corrected: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    quarantined: int = 0
    commits: int = 0
    ignored: list[str] = field(default_factory=list)
    rules: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Unit:
    """Rows of the sorted stage that commit together, and what they complete."""

    offset: int
    rows: int
    covered: tuple[Covered, ...]


def check_source(name: str) -> str:
    """The source of files: ``file:NAME``.

    Raises:
        SourceNameError: It is none, or another's: a file never fills a provider's coverage.

    >>> check_source("kaggle")
    'file:kaggle'
    """
    short = name.removeprefix("file:")
    if not _SOURCE.fullmatch(short):
        problem = (
            f"{name[:60]!r} cannot be the source of a file. Use small letters, digits, - or _, like kaggle; "
            "bars are stored as file:kaggle."
        )
        raise SourceNameError(problem)
    return f"file:{short}"


def import_files(
    lake: Lake,
    paths: Sequence[Path],
    source: str,
    form: Form,
    *,
    dataset: str = "bars_1m",
    complete: bool = False,
    rows: int = COMMIT,
    tell: Tell = lambda *_: None,
) -> Imported:
    """Bring the bars of files into the lake.

    Harmless to repeat: bars that are there are unchanged, others correct them. Of two bars of one
    minute the last one, in the order of files and rows, wins.

    Args:
        paths: Parquet or CSV files, or folders of them.
        source: A name of your own; bars are stored as ``file:NAME``.
        form: What the files do not say by themselves.
        dataset: ``bars_1m`` or ``bars_daily``.
        complete: The files hold all bars from each symbol's first session to its last: that span
            counts as fetched, and stored bars in it that the files lack are withdrawn.
        rows: Bars in one commit, about.
        tell: Told of progress.

    Raises:
        FileBarsError, SymbolError, SourceNameError: Nothing was committed; the sentence says why.
        ImportStoppedError: Some was committed, then the lake could not go on.
    """
    done = _begun(paths, source, form, dataset)
    with _staged(paths, form, lake.place.run) as stage:
        groups = _groups(stage, done)
        for unit in _units(groups, rows, complete=complete):
            bars = _slice(stage, unit)
            try:
                fetched = Fetched(done.source, bars, unit.covered)
                _add(done, lake.commit_bars(fetched, dataset=dataset))
            except (LakeError, OSError) as error:
                if not unit.offset or isinstance(error, InvalidError):
                    raise
                raise ImportStoppedError(unit.offset, done.read, str(error)) from error
            tell(unit.offset + unit.rows, done.read)
    return done


def look(
    paths: Sequence[Path],
    source: str,
    form: Form,
    *,
    dataset: str = "bars_1m",
    rows: int = COMMIT,
) -> Imported:
    """What an import would read and quarantine; the lake is not asked and nothing is written.

    Raises:
        FileBarsError, SymbolError, SourceNameError: As :func:`import_files`.
    """
    done = _begun(paths, source, form, dataset)
    with _staged(paths, form, None) as stage:
        for unit in _units(_groups(stage, done), rows, complete=False):
            bad = check_bars(_slice(stage, unit), dataset).bad
            done.quarantined += bad.height
            for rule, count in bad.group_by("rule").len().iter_rows():
                done.rules[rule] = done.rules.get(rule, 0) + count
    return done


def _begun(paths: Sequence[Path], source: str, form: Form, dataset: str) -> Imported:
    check_dataset(dataset)
    done = Imported(check_source(source), dataset)
    done.ignored = sorted({name for file in _files(paths) for name in ignored(file, form)})
    return done


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [file for file in path.rglob("*") if file.suffix.lower() in _KINDS]
            if not inside:
                raise FileBarsError(f"The folder {path} holds no Parquet or CSV file.")
            found += sorted(inside)
        elif path.is_file():
            found.append(path)
        else:
            raise FileBarsError(f"There is no file {path}. Check its name.")
    return found


class _staged:  # noqa: N801
    """All bars of the files, sorted by symbol and time, in one Parquet file while the block lasts."""

    def __init__(self, paths: Sequence[Path], form: Form, near: Path | None) -> None:
        self._paths, self._form, self._near = paths, form, near

    def __enter__(self) -> Path:
        if self._near is not None:
            self._near.mkdir(parents=True, exist_ok=True)
            _sweep(self._near)
        self._folder = Path(tempfile.mkdtemp(prefix="import-", dir=self._near))
        try:
            return self._sorted(self._collected())
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _collected(self) -> Path:
        import pyarrow.parquet as pq

        place = self._folder / "read.parquet"
        empty = pl.DataFrame(schema={**BAR_SCHEMA, "number": pl.Int64})
        oldest = pl.CompatLevel.oldest()
        number = 0
        with pq.ParquetWriter(place, empty.to_arrow(compat_level=oldest).schema) as writer:
            for file in _files(self._paths):
                for bars in batches(file, self._form):
                    numbered = bars.with_columns(
                        number=pl.int_range(number, number + bars.height, dtype=pl.Int64)
                    )
                    writer.write_table(numbered.to_arrow(compat_level=oldest))
                    number += bars.height
        return place

    def _sorted(self, read: Path) -> Path:
        """DuckDB sorts what is larger than memory."""
        place = self._folder / "sorted.parquet"
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET memory_limit = '{_MEMORY}'")
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET temp_directory = ?", [str(self._folder)])
            query = f"SELECT {', '.join(BAR_SCHEMA)} FROM read_parquet({_text(read)}) ORDER BY symbol, timestamp, number"
            connection.execute(f"COPY ({query}) TO {_text(place)} (FORMAT parquet)")
        read.unlink()
        return place


def _sweep(near: Path) -> None:
    """Remove what imports that were killed have left; none that runs is a day old."""
    for left in near.glob("import-*"):
        with suppress(OSError):  # another import has just swept it
            if time.time() - left.stat().st_mtime > _LEFTOVER:
                shutil.rmtree(left, ignore_errors=True)


def _groups(stage: Path, done: Imported) -> pl.DataFrame:
    """Rows of each symbol and session, in the order of the stage."""
    groups = (
        pl.scan_parquet(stage)
        .group_by("symbol", session=sessions.session_of(pl.col("timestamp")))
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("symbol", "session")
        .collect(engine="streaming")
    )
    done.read = int(groups["rows"].sum())
    done.symbols = groups["symbol"].unique().sort().to_list()
    if not groups.is_empty():
        days = groups["session"].sort()
        done.first, done.last = days[0], days[-1]
    return groups


def _units(groups: pl.DataFrame, most: int, *, complete: bool) -> Iterator[_Unit]:
    """Whole sessions, until there are enough; with what they complete, end to end."""
    offset = rows = 0
    reach: dict[str, tuple[date, date]] = {}  # first and last session of this unit, by symbol
    before: tuple[str, date] | None = None  # where the last unit left off

    def unit() -> _Unit:
        parts = tuple(_covered(symbol, span, before) for symbol, span in reach.items())
        return _Unit(offset, rows, parts if complete else ())

    for symbol, session, count in groups.iter_rows():
        if rows and rows + count > most:
            yield unit()
            last = next(reversed(reach))
            before = last, reach[last][1]
            offset, rows, reach = offset + rows, 0, {}
        rows += count
        reach[symbol] = (reach.get(symbol, (session, session))[0], session)
    if rows:
        yield unit()


def _covered(symbol: str, span: tuple[date, date], before: tuple[str, date] | None) -> Covered:
    first = before[1] + timedelta(days=1) if before and before[0] == symbol else span[0]
    return Covered(symbol, sessions.midnight(first), sessions.midnight(span[1] + timedelta(days=1)))


def _slice(stage: Path, unit: _Unit) -> pl.DataFrame:
    return pl.scan_parquet(stage).slice(unit.offset, unit.rows).collect().cast(BAR_SCHEMA)


def _add(done: Imported, commit: Commit) -> None:
    done.commits += 1
    for name in ("new", "corrected", "withdrawn", "unchanged", "quarantined"):
        setattr(done, name, getattr(done, name) + getattr(commit, name))


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
