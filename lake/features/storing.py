"""Storing a build: its rows in place of older ones of the symbol, and what it was, in one snapshot.

Whole files make room for others (``lake.appending``), so a build costs what it changes: an appended
session a small file, a corrected year the files from there on. The files are written before the
gate; a build that is overtaken or killed leaves files that nothing names, which upkeep removes.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from lake import sessions
from lake.appending import Append
from lake.catalog import METADATA, patiently
from lake.errors import TransientError
from lake.features.naming import HELD, KEYS, table_of, view_sql
from lake.features.records import (
    Built,
    StoredBuild,
    build_id,
    build_row,
    latest_build,
    latest_id,
    note_definitions,
)
from lake.features.sums import content_hash, replaced
from lake.planning import DataFile
from lake.reading import ColumnsError
from lake.scanning import scan
from lake.sqltext import quoted, sqlite
from lake.table_files import File, NotPlainError, Table, look_up, partitioned, write

if TYPE_CHECKING:
    from lake.store import Lake

#: The newest file of a year with fewer rows is written again with those that follow.
_FOLDED = 4_096
_TRIES = 5
#: Files that are written at a time.
_WRITERS = 2


class BuildOvertakenError(TransientError):
    """Another build of the same features was stored while this one went on from an older."""

    def __init__(self, symbol: str, feature_set: str) -> None:
        super().__init__(symbol, feature_set)
        self.symbol, self.feature_set = symbol, feature_set

    def __str__(self) -> str:
        return (
            f"The {self.feature_set} features of {self.symbol} were built by somebody else meanwhile. "
            "Nothing was changed; build them again."
        )


@dataclass(frozen=True)
class _Staged:
    """Files of a build that lie there and are not named yet, and what the build comes to."""

    files: tuple[File, ...]
    ended: tuple[int, ...]
    rows: int
    start: datetime | None
    end: datetime | None
    content: str

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def forget(self) -> None:
        for file in self.files:
            with suppress(OSError):
                file.path.unlink()


def store_features(lk: "Lake", built: Built, *, anew: bool = False) -> StoredBuild:
    """Put the features of one symbol in place of its older ones, and note the build.

    Safe beside readers and other builders: of two builds of one symbol the one that saw the newer
    bars stays, whichever comes last. Readers see the old features or the new ones.

    Args:
        lk: The lake.
        built: What was computed.
        anew: Store it though a build of the same bars stands.

    Returns:
        The build that stands: this one, or a newer one that was there.

    Raises:
        FeatureSetNameError: The set's name or version cannot be part of a table's name.
        BuildOvertakenError: The build that this one goes on from stands no more.
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    name = table_of(built.feature_set, built.set_version)
    table = _made(lk, name, built)
    for _ in range(_TRIES):
        before = built.rest.build if built.rest else _standing(lk, built)
        staged = _stage(lk, table, name, built)
        try:
            stored = _commit(lk, name, built, staged, before, anew=anew)
        except BaseException:
            staged.forget()
            raise
        if stored is not None:
            _show(lk, name, built)
            return stored
    raise BuildOvertakenError(built.symbol, built.feature_set)


def _commit(
    lk: "Lake", name: str, built: Built, staged: _Staged, before: StoredBuild | None, *, anew: bool
) -> StoredBuild | None:
    """The build that stands in the end; None if what was staged fits no more what is there."""
    with lk.catalog.registering() as transaction:
        newest = latest_id(lk, built.feature_set, built.set_version, built.source, built.symbol)
        standing = before if before and before.build_id == newest else _standing(lk, built)
        newer = standing is not None and standing.changes_commit >= built.changes_commit
        if standing is not None and newer and not (anew and _same(standing, before)):
            staged.forget()
            return standing
        if built.rest is not None and not _same(built.rest.build, standing):
            raise BuildOvertakenError(built.symbol, built.feature_set)
        if not _same(standing, before):
            staged.forget()
            return None
        stored = _told(built, staged, transaction.recorded_at)
        append = Append(transaction, lk.catalog.home)
        append.take(name, staged.files, staged.ended)
        row = build_row(built, stored, transaction.recorded_at)
        append.add({"feature_builds": row})
        append.finish()
        return stored


def _same(one: StoredBuild | None, other: StoredBuild | None) -> bool:
    """Whether two are one build; an audit may have been noted in between."""
    return (one and one.build_id) == (other and other.build_id)


def _standing(lk: "Lake", built: Built) -> StoredBuild | None:
    return latest_build(lk, built.feature_set, built.set_version, built.source, built.symbol)


def _stage(lk: "Lake", table: Table, name: str, built: Built) -> _Staged:
    """Write the files; files of the series that overlap them are to end, their other rows come along."""
    held = _files(lk, name, built)
    shown, new = _shown(built.frame), _whole(table, built, built.frame)
    times = built.frame["timestamp"]
    first, last = times.min(), times.max()
    rest = built.rest
    if rest is None:
        ended = tuple(file.number for file in held)
        with ThreadPoolExecutor(1) as beside:  # hashed while the disk is busy
            content = beside.submit(content_hash, shown)
            files = _written(table, new)
        return _Staged(files, ended, new.height, first, last, content.result())  # type: ignore[arg-type]
    bound = sessions.midnight(rest.since)
    old = _overlapped(held, bound)
    columns = [column.name for column in table.columns]
    before = scan(old, columns, (None, None)).collect() if old else new.head(0)
    gone = before.filter(pl.col("timestamp") >= bound)
    stays = before.filter(pl.col("timestamp") < bound) if gone.height else before
    rows = pl.concat([stays, new])
    if not rows["timestamp"].is_sorted():
        rows = rows.sort("timestamp")
    with ThreadPoolExecutor(1) as beside:
        content = beside.submit(replaced, rest.build.content_hash, _shown(gone), shown)
        files = _written(table, rows)
    return _Staged(
        files,
        tuple(file.number for file in old),
        rest.build.row_count - gone.height + new.height,
        rest.build.start,
        last or stays["timestamp"].max(),  # type: ignore[arg-type]
        content.result(),
    )


def _overlapped(files: Sequence[DataFile], bound: datetime) -> list[DataFile]:
    """Those with rows from a moment on, and the one before if it is small and of the same year."""
    found = [file for file in files if file.last is None or file.last >= bound]
    kept = [file for file in files if file not in found]
    tail = max(kept, key=lambda file: file.last or bound, default=None)
    if tail and tail.last and tail.rows < _FOLDED and tail.last.year == bound.year:
        found.append(tail)
    return found


def _written(table: Table, rows: pl.DataFrame) -> tuple[File, ...]:
    """The rows as files, some at a time; none is left where one could not be written."""
    parts = list(partitioned(rows, table))
    if len(parts) == 1:
        return (write(table, *parts[0]),)
    with ThreadPoolExecutor(_WRITERS) as pool:
        waiting = [pool.submit(write, table, *part) for part in parts]
    try:
        return tuple(one.result() for one in waiting)
    except BaseException:
        for one in waiting:
            if one.exception() is None:
                one.result().path.unlink(missing_ok=True)
        raise


def _told(built: Built, staged: _Staged, at: datetime) -> StoredBuild:
    params = {
        "goes_on": True,
        **built.params,
        "changes_commit": built.changes_commit,
        "feature_hashes": {item.name: item.hash for item in built.definitions},
        "since": built.rest.since.isoformat() if built.rest else None,
        "bytes": staged.size,
    }
    return StoredBuild(
        build_id(built, at),
        built.feature_set,
        built.set_version,
        built.source,
        built.symbol,
        staged.rows,
        built.seconds,
        staged.content,
        built.snapshot,
        staged.start,
        staged.end,
        params,
    )


def _files(lk: "Lake", name: str, built: Built) -> list[DataFile]:
    """The files of one series; each holds nothing else, for the table is parted so."""
    plan = lk.planner.plan([name], [built.symbol])
    if plan is None:
        raise NotPlainError
    return [file for file in plan.files[name] if file.exact(built.symbol, built.source)]


def _whole(table: Table, built: Built, frame: pl.DataFrame) -> pl.DataFrame:
    known = [column.name for column in table.columns]
    if unknown := [name for name in frame.columns if name not in known]:
        raise ColumnsError(unknown, known)
    named = frame.with_columns(source=pl.lit(built.source), symbol=pl.lit(built.symbol))
    return named.select(known)


def _shown(frame: pl.DataFrame) -> pl.DataFrame:
    """What a reader sees of rows, but for the symbol."""
    names = [name for name in frame.columns if name not in {"source", "symbol"}]
    return frame.select(name for name in names if not name.startswith(HELD))


def _made(lk: "Lake", name: str, built: Built) -> Table:
    """The table of the set's version, made if it is not there, with the definitions in it."""
    with suppress(NotPlainError):
        return _looked_up(lk, name)
    values = [column for column in built.frame.columns if column not in KEYS]
    columns = ", ".join(f'"{column}" DOUBLE' for column in values)
    with lk.writing() as transaction:
        run = transaction.connection
        made = run.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = ?",
            [name],
        ).fetchone()
        if not (made and made[0]):  # nobody was faster
            run.execute(
                f"""CREATE TABLE "{name}" (source VARCHAR NOT NULL, symbol VARCHAR NOT NULL,
                    timestamp TIMESTAMPTZ NOT NULL, session_date DATE NOT NULL, {columns})"""
            )
            run.execute(
                f'ALTER TABLE "{name}" SET PARTITIONED BY (source, symbol, year(session_date))'
            )
            note_definitions(transaction, built.definitions)
    return _looked_up(lk, name)


def _looked_up(lk: "Lake", name: str) -> Table:
    with lk.catalog.planning() as connection:

        def ask(query: str) -> list[tuple[str | None, ...]]:
            return patiently(lambda: sqlite(connection, METADATA, query))

        return look_up(ask, lk.catalog.home, [name])[name]


def _show(lk: "Lake", name: str, built: Built) -> None:
    """Let the view of the set show this version, unless it does."""
    view = f"features_{built.feature_set}"
    with lk.catalog.planning() as connection:
        query = f"SELECT sql FROM ducklake_view WHERE view_name = {quoted(view)} AND end_snapshot IS NULL"
        found = patiently(lambda: sqlite(connection, METADATA, query))
    if found and f"{name}" in str(found[0][0]):
        return
    with lk.writing() as transaction:
        transaction.connection.execute(view_sql(built.feature_set, name, built.columns))
