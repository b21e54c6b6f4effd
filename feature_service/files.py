"""Plain files instead of a lake: bars from a DuckDB file, features into one or into Parquet."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from feature_service import inputs
from feature_service.build import definitions_of
from feature_service.sets import FeatureSet
from lake import sessions
from lake.datasets import BARS_1M
from lake.errors import InvalidError, MissingError
from lake.features import content_hash
from lake.schema import check_symbol

_NEEDED = ("symbol", "timestamp", "open", "high", "low", "close", "volume")
_USUAL_NAMES = ("bars", "bars_1m")
_SQLITE = b"SQLite format 3\0"
#: A plain file asks for nothing from the network, whatever is written in it.
_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class SourceMissingError(MissingError):
    """There is nothing where bars or features were to be."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(str(path))
        self.path = str(path)

    def __str__(self) -> str:
        return (
            f"There is no file {self.path}. "
            "SOURCE_DUCKDB_PATH names a lake's home or a DuckDB file with a table of bars."
        )


class PlainFileError(InvalidError):
    """A DuckDB file that cannot be opened, or does not hold what is needed."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(str(path), problem)
        self.path, self.problem = str(path), problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class SymbolMissingError(MissingError):
    """A DuckDB file has no bars of a symbol."""

    def __init__(self, path: Path | str, symbol: str) -> None:
        super().__init__(str(path), symbol)
        self.path, self.symbol = str(path), symbol

    def __str__(self) -> str:
        return f"{self.path} has no bars of {self.symbol}. Without a symbol, all of them are built."


@dataclass(frozen=True)
class PlainBars:
    """Bars of one symbol from a plain file.

    Attributes:
        bars: ``inputs.BARS`` and ``is_regular``, sorted; prices as the file has them.
        left_out: Rows that break a rule of bars, like prices that are not positive.
    """

    symbol: str
    bars: pl.DataFrame
    left_out: int


def symbols(path: Path) -> list[str]:
    """The symbols a DuckDB file has bars of.

    Raises:
        SourceMissingError: There is no such file.
        PlainFileError: It is locked, is no DuckDB file, or has no table of bars, or none in it.
    """
    with _reading(path) as connection:
        table = _bars_table(connection, path)
        rows = connection.execute(
            f"SELECT DISTINCT symbol::VARCHAR FROM {table} WHERE symbol IS NOT NULL ORDER BY 1"
        ).fetchall()
    if not rows:
        raise PlainFileError(path, "its table of bars is empty.")
    return [row[0] for row in rows]


def read_bars(path: Path, symbol: str) -> PlainBars:
    """The bars of one symbol in a DuckDB file; a timestamp without a zone is UTC.

    Raises:
        SourceMissingError, PlainFileError: As for :func:`symbols`.
        SymbolMissingError: The file has no bars of the symbol.
    """
    with _reading(path) as connection:
        table = _bars_table(connection, path)
        values = ", ".join(f"{name}::DOUBLE AS {name}" for name in _NEEDED[2:])
        found = connection.execute(
            f"""SELECT timestamp::TIMESTAMPTZ AS timestamp, {values} FROM {table}
                WHERE upper(symbol) = ? AND timestamp IS NOT NULL ORDER BY 1""",
            [check_symbol(symbol)],
        ).pl()
    if found.is_empty():
        raise SymbolMissingError(path, symbol)
    if twice := found.height - found["timestamp"].n_unique():
        problem = (
            f"{symbol} has {twice:,} timestamps more than once. "
            "Give each symbol one bar a minute, for instance with a view called bars."
        )
        raise PlainFileError(path, problem)
    good = found.filter(_keeps_the_rules())
    return PlainBars(symbol, _with_sessions(good), found.height - good.height)


def write_duckdb(path: Path, symbol: str, features: pl.DataFrame, wanted: FeatureSet) -> None:
    """Replace a symbol's rows in the table ``features`` of a DuckDB file, in one transaction.

    The file and its folder are made if they are not there. Features of another version of the
    set are kept as ``features_<first 8 of that version>``.

    Raises:
        PlainFileError: It is locked, is no DuckDB file, or has another table called ``features``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path, read_only=False) as connection:
        connection.execute("BEGIN")
        _set_old_version_aside(connection, path, wanted)
        _create_tables(connection, wanted)
        connection.execute("DELETE FROM features WHERE symbol = ?", [symbol])
        connection.register("built", features.with_columns(pl.lit(symbol).alias("symbol")))
        connection.execute("INSERT INTO features BY NAME FROM built")
        _note(connection, symbol, features, wanted)
        connection.execute("COMMIT")


def write_parquet(folder: Path, symbol: str, features: pl.DataFrame, wanted: FeatureSet) -> Path:
    """Write ``SYMBOL.parquet`` in a folder; a reader sees the old file or the new one, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{check_symbol(symbol)}.parquet"
    draft = folder / f".{target.name}.{os.getpid()}.draft"
    try:
        features.select(pl.lit(symbol).alias("symbol"), pl.all()).write_parquet(
            draft, metadata={"feature_set": wanted.name, "set_version": wanted.version}
        )
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


@contextmanager
def _reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if not path.is_file():
        raise SourceMissingError(path)
    with _opened(path, read_only=True) as connection:
        yield connection


@contextmanager
def _opened(path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in UTC; what DuckDB says against it becomes a sentence."""
    try:
        if _is_sqlite(path):  # DuckDB would fetch or load an extension and write into it
            problem = "this is a SQLite file, not a DuckDB file. A lake is named by its home."
            raise PlainFileError(path, problem)
        with duckdb.connect(str(path), read_only=read_only, config=_OFFLINE) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.IOException as error:
        raise PlainFileError(path, _explain(str(error))) from error
    except duckdb.Error as error:
        problem = f"DuckDB refuses it ({str(error).splitlines()[0]})."
        raise PlainFileError(path, problem) from error


def _is_sqlite(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:  # what cannot be read, DuckDB words
        return file.read(len(_SQLITE)) == _SQLITE
    return False


def _explain(reason: str) -> str:
    if "Could not set lock" in reason:
        return (
            "another process has this file open, and a DuckDB file has one writer or only readers. "
            "Close it there and run this again."
        )
    if "not a valid DuckDB" in reason:
        return "this is not a DuckDB file."
    return f"it cannot be opened ({reason.splitlines()[0]})."


def _bars_table(connection: duckdb.DuckDBPyConnection, path: Path) -> str:
    rows = connection.execute(
        """SELECT table_schema, table_name FROM information_schema.columns
           WHERE table_catalog = current_database() AND list_contains(?, lower(column_name))
           GROUP BY ALL HAVING count(*) = ? ORDER BY ALL""",
        [list(_NEEDED), len(_NEEDED)],
    ).fetchall()
    usual = [row for name in _USUAL_NAMES for row in rows if row[1].lower() == name]
    if len(rows) > 1 and not usual:
        names = ", ".join(row[1] for row in rows)
        problem = f"several tables could hold the bars ({names}). Call the right one bars."
        raise PlainFileError(path, problem)
    if not rows:
        problem = f"no table has the columns of bars: {', '.join(_NEEDED)}."
        raise PlainFileError(path, problem)
    schema, name = (usual or rows)[0]
    return f"{_quoted(schema)}.{_quoted(name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _keeps_the_rules() -> pl.Expr:
    known = {*_NEEDED}
    rules = [rule for rule in BARS_1M.rules.values() if known.issuperset(rule.meta.root_names())]
    return pl.all_horizontal(rule.fill_null(value=False) for rule in rules)


def _with_sessions(bars: pl.DataFrame) -> pl.DataFrame:
    """Add the New York date of each bar, and whether it lies in that session's regular hours."""
    absent = [name for name in inputs.BARS if name not in {*bars.columns, "session_date"}]
    dated = bars.with_columns(
        sessions.session_of(pl.col("timestamp")).alias("session_date"),
        *(pl.lit(None, pl.Float64).alias(name) for name in absent),
    )
    first, last = dated["session_date"].min(), dated["session_date"].max()
    if first is None or last is None:
        return dated.with_columns(pl.lit(value=False).alias("is_regular"))
    hours = sessions.schedule(first, last).select(  # type: ignore[arg-type]
        "session_date", opens="open", closes="close"
    )
    inside = pl.col("timestamp").is_between("opens", "closes", closed="left")
    return dated.join(
        hours, on="session_date", how="left", maintain_order="left", validate="m:1"
    ).select(*inputs.BARS, inside.fill_null(value=False).alias("is_regular"))


def _set_old_version_aside(
    connection: duckdb.DuckDBPyConnection, path: Path, wanted: FeatureSet
) -> None:
    tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    if "features" not in tables:
        return
    newest = None
    if "feature_builds" in tables:
        newest = connection.execute(
            "SELECT max_by(set_version, created_at) FROM feature_builds"
        ).fetchone()
    if newest is None or newest[0] is None:
        problem = "its table features was not made by this service. Choose another file."
        raise PlainFileError(path, problem)
    if newest[0] != wanted.version:
        old = _quoted(f"features_{newest[0][:8]}")
        connection.execute(f"DROP TABLE IF EXISTS {old}")
        connection.execute(f"ALTER TABLE features RENAME TO {old}")


def _create_tables(connection: duckdb.DuckDBPyConnection, wanted: FeatureSet) -> None:
    values = ", ".join(f"{_quoted(name)} DOUBLE" for name in wanted.columns)
    connection.execute(
        f"""CREATE TABLE IF NOT EXISTS features (symbol VARCHAR NOT NULL,
              timestamp TIMESTAMPTZ NOT NULL, session_date DATE NOT NULL, {values})"""
    )
    connection.execute(
        """CREATE TABLE IF NOT EXISTS feature_definitions (feature_name VARCHAR, feature_group VARCHAR,
             version INTEGER, params VARCHAR, hash VARCHAR, code_reference VARCHAR, created_at TIMESTAMPTZ)"""
    )
    connection.execute(
        """CREATE TABLE IF NOT EXISTS feature_builds (feature_set VARCHAR, set_version VARCHAR,
             symbol VARCHAR, "start" TIMESTAMPTZ, "end" TIMESTAMPTZ, row_count BIGINT,
             column_count INTEGER, content_hash VARCHAR, adjust VARCHAR, created_at TIMESTAMPTZ)"""
    )


def _note(
    connection: duckdb.DuckDBPyConnection, symbol: str, features: pl.DataFrame, wanted: FeatureSet
) -> None:
    now, times = datetime.now(UTC), features["timestamp"]
    for item in definitions_of(wanted):
        connection.execute(
            """INSERT INTO feature_definitions
               SELECT $name, $family, 1 + coalesce(max(version), 0), $params, $hash, $code, $now
               FROM feature_definitions WHERE feature_name = $name
               HAVING count(*) FILTER (hash = $hash) = 0""",
            {
                "name": item.name,
                "family": item.group,
                "params": json.dumps(dict(item.params)),
                "hash": item.hash,
                "code": item.code_reference,
                "now": now,
            },
        )
    connection.execute(
        "INSERT INTO feature_builds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            wanted.name,
            wanted.version,
            symbol,
            times.min(),
            times.max(),
            features.height,
            len(wanted.columns),
            content_hash(features),
            "raw",
            now,
        ],
    )
