"""Storing and reading wide features: a table for each version of a set, a view on the current one.

``features_<set>_<first 8 of the version>`` has ``source``, ``symbol``, ``timestamp`` (the bar's
opening, UTC), ``session_date`` and a DOUBLE column a feature. The view ``features_<set>`` shows the
version that was built last. What the features are is the feature service's affair.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from lake import sessions
from lake.catalog import Transaction
from lake.errors import InvalidError, MissingError, RangeError
from lake.reading import ColumnsError
from lake.scan_sql import source_of
from lake.schema import check_symbol
from lake.sessions import Moment

if TYPE_CHECKING:
    from lake.store import Lake

KEYS: tuple[str, ...] = ("symbol", "timestamp", "session_date")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_VERSION = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FeatureSetNameError(InvalidError):
    """A name that no feature set can have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.name[:40]!r} cannot name a feature set. "
            "Use small letters, digits and _, beginning with a letter, like core."
        )


class FeaturesMissingError(MissingError):
    """No features of a set were built for a symbol."""

    def __init__(self, symbol: str, feature_set: str, source: str | None = None) -> None:
        super().__init__(symbol, feature_set, source)
        self.symbol, self.feature_set, self.source = symbol, feature_set, source

    def __str__(self) -> str:
        origin = f" from {self.source}" if self.source else ""
        return (
            f"No {self.feature_set} features of {self.symbol}{origin} are in the lake. "
            f"Build them with `barlake features build {self.symbol} --set {self.feature_set}`."
        )


@dataclass(frozen=True)
class Definition:
    """One feature as it was when it was built."""

    name: str
    group: str
    params: Mapping[str, int]
    hash: str
    code_reference: str


@dataclass(frozen=True)
class Built:
    """The features of one symbol, computed and not stored yet.

    Attributes:
        frame: ``timestamp`` (UTC), ``session_date``, then a Float64 column a feature.
        changes_commit: Newest commit in ``changes`` when the bars were read: what a later build
            compares with to see whether anything is new.
        params: More facts for ``feature_builds.params``.
    """

    feature_set: str
    set_version: str
    source: str
    symbol: str
    frame: pl.DataFrame
    snapshot: int
    changes_commit: int
    seconds: float
    adjust: str
    definitions: tuple[Definition, ...]
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The feature columns."""
        return [name for name in self.frame.columns if name not in KEYS]

    @property
    def content_hash(self) -> str:
        """The hash of every value."""
        return content_hash(self.frame)


@dataclass(frozen=True)
class StoredBuild:
    """What the lake knows of one build."""

    build_id: str
    feature_set: str
    set_version: str
    source: str
    symbol: str
    row_count: int
    seconds: float
    content_hash: str
    changes_commit: int


def store_features(lk: "Lake", built: Built) -> StoredBuild:
    """Replace the features of one symbol and note the build, in one transaction.

    Safe beside readers and other builders: of two builds of one symbol the one that saw the newer
    bars stays, whichever comes last.

    Returns:
        The build that stands: this one, or a newer one that was there.

    Raises:
        FeatureSetNameError: The set's name or version cannot be part of a table's name.
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    table = _table(built.feature_set, built.set_version)
    content = built.content_hash  # the long part of a commit: before the gate, not behind it
    with lk.writing() as transaction:
        run = transaction.connection
        standing = _latest(run, built.feature_set, built.set_version, built.source, built.symbol)
        if standing is not None and standing.changes_commit >= built.changes_commit:
            return standing
        _make_table(run, table, built)
        _replace_rows(run, table, built)
        _note_definitions(transaction, built.definitions)
        return _note_build(transaction, built, content)


def latest_build(
    lk: "Lake", feature_set: str, set_version: str, source: str, symbol: str
) -> StoredBuild | None:
    """The newest build of one symbol in one version of a set; None if there is none."""
    with lk.reading() as connection:
        return _latest(connection, feature_set, set_version, source, symbol)


def newest_change(lk: "Lake", source: str, symbol: str) -> int:
    """The newest commit that touched bars or corporate actions of a symbol; 0 if none did."""
    with lk.reading() as connection:
        row = connection.execute(
            'SELECT max("commit") FROM changes WHERE source = ? AND symbol = ?', [source, symbol]
        ).fetchone()
    return (row[0] if row else None) or 0


def read_features(
    lk: "Lake",
    symbol: str,
    set_name: str = "core",
    start: Moment = None,
    end: Moment = None,
    columns: Sequence[str] | None = None,
    source: str | None = None,
    *,
    limit: int | None = None,
    set_version: str | None = None,
) -> pl.DataFrame:
    """Stored features of one symbol, a row a bar, sorted by timestamp.

    Args:
        symbol: A ticker, in any case.
        set_name: The feature set.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
        columns: Some of the set's columns; None for all. The keys come always.
        source: Provider and feed; None for the one ``bars`` shows.
        limit: The newest this many rows; None for all.
        set_version: An exact version; None for the one that was built last.

    Returns:
        ``symbol``, ``timestamp`` (the bar's opening, UTC), ``session_date`` and the columns
        (Float64, null in their warm-up and where their definition says). Empty if the range
        holds none.

    Raises:
        FeaturesMissingError: The set was not built for the symbol.
        BarsMissingError: No source is named and the lake has no bars of the symbol.
        InvalidError: Something asked for cannot be; the sentence says what.
    """
    name, ticker = check_set_name(set_name), check_symbol(symbol)
    if limit is not None and limit < 1:
        raise RangeError(f"limit must be at least 1, was {limit}.")
    bounds = sessions.window(start, end)
    with lk.reading() as connection:
        origin = source or source_of(connection, ticker, None)
        version = set_version or _current_version(connection, name)
        if version is None or _latest(connection, name, version, origin, ticker) is None:
            raise FeaturesMissingError(ticker, name, source)
        table = _table(name, version)
        chosen = _choose(connection, table, columns)
        where, values = "symbol = ? AND source = ?", [ticker, origin]
        for bound, comparison in zip(bounds, (">=", "<"), strict=True):
            if bound is not None:
                where += f" AND timestamp {comparison} ?"
                values.append(bound)  # type: ignore[arg-type]
        newest = f"DESC LIMIT {int(limit)}" if limit else ""
        query = f"SELECT {chosen} FROM {table} WHERE {where} ORDER BY timestamp {newest}"
        return connection.execute(f"FROM ({query}) ORDER BY timestamp", values).pl()


def builds(lk: "Lake") -> pl.DataFrame:
    """Every build ever made, newest first: the table ``feature_builds``."""
    with lk.reading() as connection:
        return connection.execute("FROM feature_builds ORDER BY created_at DESC, build_id").pl()


def definitions(lk: "Lake") -> pl.DataFrame:
    """Every version of every feature ever built: the table ``feature_definitions``."""
    with lk.reading() as connection:
        return connection.execute("FROM feature_definitions ORDER BY feature_name, version").pl()


def check_set_name(name: str) -> str:
    """The name itself.

    Raises:
        FeatureSetNameError: No feature set can be called that.
    """
    if not _NAME.fullmatch(name):
        raise FeatureSetNameError(name)
    return name


def content_hash(frame: pl.DataFrame) -> str:
    """SHA-256 of a frame's names, types and values; the same for any chunking."""
    found = hashlib.sha256()
    for column in frame:
        found.update(f"{column.name}:{column.dtype}:{column.len()};".encode())
        values = column.cast(pl.String) if column.dtype == pl.String else column.to_physical()
        text = values.dtype == pl.String
        data = "\0".join(values.to_list()).encode() if text else values.to_numpy().tobytes()
        found.update(column.is_null().to_numpy().tobytes())
        found.update(data)
    return found.hexdigest()


def _table(name: str, version: str) -> str:
    if not _VERSION.fullmatch(version):
        raise FeatureSetNameError(version)
    return f'"features_{check_set_name(name)}_{version[:8]}"'


def _latest(
    connection: duckdb.DuckDBPyConnection, name: str, version: str, source: str, symbol: str
) -> StoredBuild | None:
    row = connection.execute(
        """SELECT build_id, row_count, seconds, content_hash, params FROM feature_builds
           WHERE feature_set = ? AND set_version = ? AND source = ? AND symbol = ?
           ORDER BY created_at DESC LIMIT 1""",
        [name, version, source, symbol],
    ).fetchone()
    if row is None:
        return None
    build_id, rows, seconds, content, params = row
    commit = json.loads(params)["changes_commit"]
    return StoredBuild(build_id, name, version, source, symbol, rows, seconds, content, commit)


def _current_version(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    row = connection.execute(
        "SELECT max_by(set_version, created_at) FROM feature_builds WHERE feature_set = ?", [name]
    ).fetchone()
    return row[0] if row else None


def _choose(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str] | None
) -> str:
    known = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
    own = [name for name in known if name not in {*KEYS, "source"}]
    wanted = own if columns is None else list(columns)
    if unknown := [name for name in wanted if name not in own]:
        raise ColumnsError(unknown, own)
    return ", ".join(f'"{name}"' for name in (*KEYS, *wanted))


def _make_table(run: duckdb.DuckDBPyConnection, table: str, built: Built) -> None:
    view = f'"features_{built.feature_set}"'
    values = ", ".join(f'"{name}" DOUBLE' for name in built.columns)
    made = run.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = ?",
        [table.strip('"')],
    ).fetchone()
    if not (made and made[0]):
        run.execute(
            f"""CREATE TABLE {table} (source VARCHAR NOT NULL, symbol VARCHAR NOT NULL,
                timestamp TIMESTAMPTZ NOT NULL, session_date DATE NOT NULL, {values})"""
        )
        run.execute(f"ALTER TABLE {table} SET PARTITIONED BY (symbol)")
    if _current_version(run, built.feature_set) != built.set_version:
        run.execute(f"CREATE OR REPLACE VIEW {view} AS FROM lake.main.{table}")


def _replace_rows(run: duckdb.DuckDBPyConnection, table: str, built: Built) -> None:
    run.execute(
        f"DELETE FROM {table} WHERE symbol = ? AND source = ?", [built.symbol, built.source]
    )
    run.register("built", built.frame)
    names = ", ".join(f'"{name}"' for name in ("timestamp", "session_date", *built.columns))
    run.execute(
        f"INSERT INTO {table} (source, symbol, {names}) SELECT ?, ?, {names} FROM built",
        [built.source, built.symbol],
    )
    run.unregister("built")


def _note_definitions(transaction: Transaction, wanted: Sequence[Definition]) -> None:
    run = transaction.connection
    rows = run.execute("SELECT feature_name, hash, version FROM feature_definitions").fetchall()
    known = {(name, digest) for name, digest, _ in rows}
    newest: dict[str, int] = {}
    for name, _, version in rows:
        newest[name] = max(version, newest.get(name, 0))
    fresh = [
        {
            "feature_name": item.name,
            "feature_group": item.group,
            "version": newest.get(item.name, 0) + 1,
            "params": json.dumps(dict(item.params), sort_keys=True),
            "hash": item.hash,
            "code_reference": item.code_reference,
        }
        for item in wanted
        if (item.name, item.hash) not in known
    ]
    if not fresh:
        return
    run.register("fresh", pl.DataFrame(fresh))
    run.execute(
        "INSERT INTO feature_definitions BY NAME SELECT *, ?::TIMESTAMPTZ AS created_at FROM fresh",
        [transaction.recorded_at],
    )
    run.unregister("fresh")


def _note_build(transaction: Transaction, built: Built, content: str) -> StoredBuild:
    at = transaction.recorded_at
    build_id = hashlib.sha256(
        f"{built.set_version}/{built.source}/{built.symbol}/{at.isoformat()}".encode()
    ).hexdigest()[:16]
    params = {
        **built.params,
        "changes_commit": built.changes_commit,
        "feature_hashes": {item.name: item.hash for item in built.definitions},
    }
    times = built.frame["timestamp"]
    transaction.connection.execute(
        """INSERT INTO feature_builds (build_id, feature_set, set_version, source, symbol, snapshot,
             "start", "end", row_count, column_count, seconds, content_hash, adjust, params, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            build_id,
            built.feature_set,
            built.set_version,
            built.source,
            built.symbol,
            built.snapshot,
            times.min(),
            times.max(),
            built.frame.height,
            len(built.columns),
            built.seconds,
            content,
            built.adjust,
            json.dumps(params, sort_keys=True),
            at,
        ],
    )
    return StoredBuild(
        build_id,
        built.feature_set,
        built.set_version,
        built.source,
        built.symbol,
        built.frame.height,
        built.seconds,
        content,
        built.changes_commit,
    )
