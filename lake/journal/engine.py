"""The journal's database: connections, short transactions, and its layout brought up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from lake import gate
from lake.errors import SettingsError
from lake.journal import events
from lake.journal.records import JournalBusyError, JournalVersionError
from lake.journal.tables import HEAD

#: Seconds a transaction waits for another process's before it gives up.
PATIENCE = 15.0

#: The one number under which all processes agree to queue one after another on PostgreSQL.
_QUEUE_LOCK = 0x6261726C616B65


def locate(where: str | Path) -> URL:
    """The database of a URL, or of a home: ``HOME/duckdb/journal.sqlite``."""
    if isinstance(where, str) and "://" in where:
        return make_url(where)
    file = Path(where).resolve() / "duckdb" / "journal.sqlite"
    return URL.create("sqlite", database=str(file))


class Database:
    """One database, safe for the threads of one process. Open it after a fork, never before."""

    def __init__(self, url: URL) -> None:
        self.name = url.render_as_string(hide_password=True)
        self._file = _file(url)
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _make_engine(url)
        self._migrate()

    @property
    def file(self) -> Path | None:
        """Where SQLite keeps it; None for a server's."""
        return self._file

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A snapshot of the database for a block.

        Raises:
            JournalBusyError: The database is locked for too long, full, broken or out of reach.
        """
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[Connection]:
        """One short transaction: all or nothing.

        Args:
            alone: No other process may be in such a block at the same time. SQLite has one writer
                anyway; PostgreSQL takes an advisory lock until the end of the block.

        Raises:
            JournalBusyError: As in :meth:`reading`. Nothing was written.
        """
        writers = self._engine.execution_options(barlake_write=True)
        with self._explained(), writers.begin() as connection:
            if alone and connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _QUEUE_LOCK})
            events.begin(connection)
            yield connection
            events.flush(connection)

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            if isinstance(error, OperationalError) or type(error) is DatabaseError:
                raise JournalBusyError(self.name, str(error.orig)) from error
            raise

    def _migrate(self) -> None:
        """Run the missing revisions; harmless when many processes open a new journal at once.

        The lock is held even to look: turning a new file to WAL fails when two try at once.
        """
        lock = self._file.with_suffix(".lock") if self._file else None
        with gate.hold(lock) if lock else nullcontext():
            with self.reading() as connection:
                if _revision(connection) == HEAD:
                    return
            with self.writing(alone=True) as connection:
                revision = _revision(connection)
                if revision != HEAD:
                    self._upgrade(connection, revision)

    def _upgrade(self, connection: Connection, revision: str | None) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if revision is not None and revision not in known:
            raise JournalVersionError(self.name, revision)
        command.upgrade(config, "head")


def _file(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _make_engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        try:
            return create_engine(url, pool_pre_ping=True)
        except (ArgumentError, ModuleNotFoundError) as error:
            shown = url.render_as_string(hide_password=True)
            problem = (
                f"BARLAKE_JOURNAL_URL names {shown}, which cannot be used ({error}). "
                "Install that database's driver, or unset it for the journal in the home."
            )
            raise SettingsError(problem) from error
    engine = create_engine(url, connect_args={"timeout": PATIENCE})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Write-ahead log: readers never wait for the writer. We say BEGIN ourselves, below."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that will write takes the lock first: taken later it may fail at once."""
    write = connection.get_execution_options().get("barlake_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])
