"""DuckLake over SQLite: connections, the gate around every write, the tables and views.

DuckDB's extensions come from wheels, so nothing is downloaded when a process starts.
"""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import duckdb

from lake import gate, layout
from lake.errors import LakeMissingError
from lake.faults import CatalogDamagedError, CatalogVersionError, ReadOnlyError, explained
from lake.home import Home, check_new
from lake.sqltext import quoted, sqlite
from lake.still import Copy, is_still

T = TypeVar("T")

_EXTENSIONS = ("sqlite_scanner", "ducklake")
# DuckDB would hash 35 MB a file for its signature in each new process, 65 ms, though they lie beside
# our own code and came the same way. Nothing else is ever loaded: SQL of users cannot LOAD.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "allow_unsigned_extensions": "true",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# DuckDB's SQLite scanner else asks for a table's range of row numbers in one transaction and reads the
# rows in others: a reader whose transaction began before a merge of files then misses rows.
_ONE_CONNECTION = "SET GLOBAL sqlite_disable_multithreaded_scans = true"
#: The catalog's file, read by itself; and where DuckLake keeps the same tables once it is attached.
METADATA = "catalog_tables"
_DUCKLAKE = "__ducklake_metadata_lake"
#: The catalog's file once more, for those who write to DuckLake's tables themselves.
WRITES = "catalog_writes"
#: The version that DuckLake gives the catalogs of this Barlake.
DUCKLAKE_VERSION = "1.0"
_CALENDAR_AHEAD = timedelta(days=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Seconds of asking again while another process holds the catalog for a moment, and between two tries
#: at first and at most.
_PATIENCE, _PAUSE, _LONGEST_PAUSE = 5.0, 0.002, 0.05


@dataclass(frozen=True)
class Transaction:
    """One write, while the gate is held.

    Attributes:
        connection: Inside BEGIN; the block's end commits, an error rolls back.
        recorded_at: When the lake learns what is written here (UTC); later than any before.
        commit_id: The DuckLake snapshot that this commit makes.
        waited: Seconds spent before the gate.
    """

    connection: duckdb.DuckDBPyConnection
    recorded_at: datetime
    commit_id: int
    waited: float


class Catalog:
    """The connection of one process to one lake; safe for its threads, made anew after a fork.

    Any number of processes may read, and write one after another through the gate.
    """

    def __init__(self, home: Home, now: Callable[[], datetime]) -> None:
        self._home, self._now = home, now
        self._root: duckdb.DuckDBPyConnection | None = None
        self._owner = 0
        self._attached = False
        self._copy: Copy | None = None
        self._lock = threading.Lock()

    @property
    def home(self) -> Home:
        """Where the lake's files lie."""
        return self._home

    @property
    def exists(self) -> bool:
        """Whether a lake was made here, wholly."""
        return self._home.catalog.exists()

    @property
    def attached(self) -> bool:
        """Whether DuckLake itself was needed so far; reads of bars do without."""
        return self._attached

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own for a block, in the lake, with UTC as its time zone."""
        with explained(self._home), self._cursor() as cursor:
            yield cursor

    @contextmanager
    def planning(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that sees DuckLake's own tables alone, in the database ``METADATA``.

        It costs a fraction of :meth:`reading`: DuckLake itself is neither loaded nor asked. Whoever
        asks it does so :func:`patiently`.
        """
        with explained(self._home):
            cursor = self._connection().cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    def newest(self) -> int:
        """The number of the newest snapshot."""
        with self.planning() as cursor:
            return patiently(lambda: _newest(cursor, METADATA))

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction behind the gate: all or nothing, safe beside readers and other writers.

        Raises:
            GateBusyError: Another process held the gate too long. Nothing was written.
            ReadOnlyError: The lake's folder cannot be written.
        """
        with explained(self._home), self._cursor() as cursor, self._gate() as waited:
            cursor.execute("BEGIN")
            try:
                newest = cursor.execute(
                    "SELECT id FROM ducklake_current_snapshot('lake')"
                ).fetchone()
                commit_id = (newest[0] if newest else 0) + 1
                yield Transaction(cursor, self._tick(), commit_id, waited)
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                raise

    @contextmanager
    def registering(self) -> Iterator[Transaction]:
        """As :meth:`writing`, but in DuckLake's own tables, the database ``WRITES``: without DuckLake.

        Nothing of DuckLake looks at what is written; see ``lake.appending``.
        """
        with explained(self._home), self._gate() as waited:
            cursor = self._connection().cursor()
            try:
                cursor.execute(
                    f"ATTACH IF NOT EXISTS {quoted(self._home.catalog)} AS {WRITES} (TYPE sqlite)"
                )
                cursor.execute("SET TimeZone = 'UTC'")
                cursor.execute("BEGIN")
                try:
                    commit_id = _newest(cursor, WRITES) + 1
                    yield Transaction(cursor, self._tick(), commit_id, waited)
                    cursor.execute("COMMIT")
                except BaseException:
                    with suppress(duckdb.Error):
                        cursor.execute("ROLLBACK")
                    raise
            finally:
                cursor.close()

    def create(self) -> None:
        """Make the lake and its tables, or bring what an earlier version made up to date.

        Harmless to repeat and to call from several processes at once.
        """
        with explained(self._home):
            if not self.exists:
                check_new(self._home)
            for folder in (self._home.catalog.parent, self._home.parquet):
                folder.mkdir(parents=True, exist_ok=True)
            with self._gate():
                if not self.exists:
                    self._make_catalog()
            self._connection()  # which brings an older lake up to date
            with self._gate():
                self._extend_calendar()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            if self._root is not None and self._owner == os.getpid():
                self._root.close()
            if self._copy is not None:
                self._copy.remove()
            self._root = self._copy = None

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._in_lake().cursor()
        try:
            cursor.execute("USE lake")
            cursor.execute("SET TimeZone = 'UTC'")
            yield cursor
        finally:
            cursor.close()

    @contextmanager
    def _gate(self) -> Iterator[float]:
        if is_still(self._home.catalog):
            raise ReadOnlyError(self._home.root, "its catalog lies in a read-only folder")
        with gate.hold(self._home.gate) as waited:
            yield waited

    def _connection(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            stale = self._copy is not None and self._copy.is_old
            if self._root is None or self._owner != os.getpid() or stale:
                if not self.exists:
                    raise LakeMissingError(self._home.root)
                self._root, self._attached = None, False
                root = self._open()
                # What an older Barlake made can be read as it is where it cannot be changed.
                found = patiently(lambda: layout.layout_of(root, METADATA))
                if found < layout.LAYOUT and self._copy is None:
                    self._upgrade(root)
                self._root, self._owner = root, os.getpid()
            return self._root

    def _open(self) -> duckdb.DuckDBPyConnection:
        self._copy = Copy(self._home.catalog) if is_still(self._home.catalog) else None
        root = _planner(self._attachable)
        version = "SELECT value FROM ducklake_metadata WHERE key = 'version'"
        try:
            ((held,),) = patiently(lambda: sqlite(root, METADATA, f"SELECT ({version})"))
        except duckdb.Error as error:
            if "no such table" in str(error):  # DuckLake would begin a new lake in it
                raise CatalogDamagedError(self._home.catalog, "it is empty") from error
            raise
        if held != DUCKLAKE_VERSION:
            raise CatalogVersionError(str(held), DUCKLAKE_VERSION)
        return root

    @property
    def _attachable(self) -> Path:
        """The catalog, or a copy of it where its folder cannot be written."""
        return self._copy.path if self._copy is not None else self._home.catalog

    def _attach(self, root: duckdb.DuckDBPyConnection) -> None:
        _load(root, "ducklake")
        read_only = self._copy is not None
        root.execute(_attach_sql(self._attachable, self._home.parquet, read_only=read_only))
        self._attached = True

    def _in_lake(self) -> duckdb.DuckDBPyConnection:
        """The connection with the lake itself attached, which most reads of bars do without."""
        root = self._connection()
        with self._lock:
            if not self._attached:
                self._attach(root)
        return root

    def _upgrade(self, root: duckdb.DuckDBPyConnection) -> None:
        with self._gate():
            self._attach(root)
            if (
                patiently(lambda: layout.layout_of(root, METADATA)) < layout.LAYOUT
            ):  # nobody was faster
                cursor = root.cursor()
                cursor.execute("USE lake")
                layout.upgrade(cursor, _DUCKLAKE)
                cursor.close()

    def _make_catalog(self) -> None:
        """Build beside its final name: a catalog that is there is whole, whenever we are killed."""
        draft = self._home.catalog.with_suffix(".draft")
        for leftover in draft.parent.glob(draft.name + "*"):
            leftover.unlink()
        wal = sqlite3.connect(draft)
        wal.execute("PRAGMA journal_mode=WAL")
        wal.close()
        connection = _engine()
        _load(connection, "ducklake")
        connection.execute(_attach_sql(draft, self._home.parquet))
        connection.execute("USE lake")
        layout.make(connection, _DUCKLAKE)
        connection.close()
        checkpoint = sqlite3.connect(draft)
        checkpoint.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        checkpoint.close()
        draft.rename(self._home.catalog)

    def _extend_calendar(self) -> None:
        from lake import sessions

        with self._cursor() as cursor:
            known = cursor.execute("SELECT max(session_date) FROM sessions").fetchone()
            newest: date | None = known[0] if known else None
            today = sessions.today(self._now())
            if newest is not None and newest - today > _CALENDAR_AHEAD:
                return
            first = newest + timedelta(days=1) if newest else sessions.FIRST_SESSION
            more = sessions.schedule(first, date(today.year + 1, 12, 31))
            cursor.register("more", more)
            cursor.execute("INSERT INTO sessions FROM more")

    def _tick(self) -> datetime:
        """The next ``recorded_at``: now, or just after the last one where the clock was set back."""
        tick = max((self._now() - _EPOCH) // timedelta(microseconds=1), self._last() + 1)
        # Not synced, which would cost a tenth of a commit: what a power cut leaves of it is older,
        # empty or nothing, and matters only if the clock is set back as well.
        draft = self._home.clock.with_suffix(".draft")
        draft.write_text(str(tick))
        draft.rename(self._home.clock)
        return _EPOCH + timedelta(microseconds=tick)

    def _last(self) -> int:
        """The newest ``recorded_at`` in microseconds; from the tables where its file is lost."""
        with suppress(OSError, ValueError):
            return int(self._home.clock.read_text())
        with self._cursor() as cursor:
            newest = cursor.execute(
                """SELECT epoch_us(max(moment)) FROM (SELECT max(recorded_at) AS moment FROM coverage
                   UNION ALL SELECT max(recorded_at) FROM changes
                   UNION ALL SELECT max(superseded_at) FROM bar_revisions)"""
            ).fetchone()
        return (newest[0] if newest else None) or 0


def patiently(ask: Callable[[], T]) -> T:
    """What a question to ``METADATA`` answers, asked again while another process holds the catalog.

    Raises:
        duckdb.Error: It is held for too long; or something else is wrong.
    """
    end, pause = time.monotonic() + _PATIENCE, _PAUSE
    while True:
        try:
            return ask()
        except duckdb.Error as error:
            if "database is locked" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads tries, guards nothing
        pause = min(pause * 2, _LONGEST_PAUSE)


def init_sql(home: Path, *, read_only: bool = True) -> str:
    """What ``duckdb -init FILE`` needs to open the lake beside running agents."""
    place = Home(home.resolve())
    mode = "READ_ONLY, " if read_only else ""
    loads = "".join(f"LOAD {quoted(extension_file(name))};\n" for name in _EXTENSIONS)
    options = f"{mode}DATA_PATH {quoted(f'{place.parquet}/')}, OVERRIDE_DATA_PATH true"
    return (
        f"-- Opens the lake in {place.root}: duckdb -init THIS_FILE\n"
        f"{loads}{_ONE_CONNECTION};\nSET TimeZone = 'UTC';\n"
        f"ATTACH {quoted(f'ducklake:sqlite:{place.catalog}')} AS lake ({options});\nUSE lake;\n"
    )


@cache
def extension_file(name: str) -> Path:
    """Where the wheel of a DuckDB extension put its file.

    Raises:
        ModuleNotFoundError: The wheel is not installed.
    """
    spec = find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        message = f"The wheel duckdb-extension-{name.replace('_', '-')} is missing; run `pip install -e .` again."
        raise ModuleNotFoundError(message)
    root = Path(next(iter(spec.submodule_search_locations)))
    return next(root.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension"))


def _engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=_CONFIG)
    _load(connection, "sqlite_scanner")
    connection.execute(_ONE_CONNECTION)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _load(connection: duckdb.DuckDBPyConnection, extension: str) -> None:
    connection.execute(f"LOAD {quoted(extension_file(extension))}")


def _planner(catalog: Path) -> duckdb.DuckDBPyConnection:
    connection = _engine()
    # SQLite as DuckDB has it sleeps for whole seconds where a file is locked for a moment, as it is
    # while the last of the processes that had it open lets go. So it does not wait; we do.
    statement = (
        f"ATTACH {quoted(catalog.resolve())} AS {METADATA} (TYPE sqlite, READ_ONLY, BUSY_TIMEOUT 0)"
    )
    patiently(lambda: connection.execute(statement))
    return connection


def _attach_sql(catalog: Path, parquet: Path, *, read_only: bool = False) -> str:
    mode = "READ_ONLY, " if read_only else ""
    return (
        f"ATTACH {quoted(f'ducklake:sqlite:{catalog.resolve()}')} AS lake "
        f"({mode}DATA_PATH {quoted(f'{parquet.resolve()}/')}, OVERRIDE_DATA_PATH true)"
    )


def _newest(connection: duckdb.DuckDBPyConnection, database: str) -> int:
    ((newest,),) = sqlite(connection, database, "SELECT max(snapshot_id) FROM ducklake_snapshot")
    return int(newest or 0)
