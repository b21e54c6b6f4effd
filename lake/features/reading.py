"""Reading stored features, straight from their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from lake import sessions
from lake.catalog import METADATA, patiently
from lake.errors import MissingError, RangeError
from lake.features.naming import (
    HELD,
    KEYS,
    FeaturesMissingError,
    check_set_name,
    table_of,
)
from lake.features.records import current_version, latest_build
from lake.features.versions import VersionMissingError, stored_versions
from lake.pins import SnapshotMissingError
from lake.planning import TRIES
from lake.reading import ColumnsError, known_until
from lake.scanning import scan
from lake.schema import check_symbol
from lake.sessions import Moment
from lake.sqltext import quoted, sqlite

if TYPE_CHECKING:
    from lake.features.records import StoredBuild
    from lake.store import Lake

Span = tuple[datetime | None, datetime | None]


class PastFeaturesError(MissingError):
    """What was stored at a time is not there any more, or was not there yet."""

    def __init__(self, symbol: str, feature_set: str, moment: str) -> None:
        super().__init__(symbol, feature_set, moment)
        self.symbol, self.feature_set, self.moment = symbol, feature_set, moment

    def __str__(self) -> str:
        return (
            f"The {self.feature_set} features of {self.symbol} as they were stored at {self.moment} are not "
            "in the lake: its snapshots of then have expired, or none were built by then. Compute them from "
            "the bars as they were known then: feature_service.build.compute(..., as_of=...)."
        )


def read_features(
    lk: "Lake",
    symbols: str | Sequence[str],
    set_name: str = "core",
    start: Moment = None,
    end: Moment = None,
    columns: Sequence[str] | None = None,
    source: str | None = None,
    *,
    limit: int | None = None,
    set_version: str | None = None,
    as_of: Moment = None,
) -> pl.DataFrame:
    """Stored features of one or more symbols, a row a bar, sorted by symbol and timestamp.

    Args:
        lk: The lake.
        symbols: Tickers, in any case.
        set_name: The feature set, with its form: ``core``, ``wide_1h``.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
        columns: Some of the set's columns; None for all. The keys come always.
        source: Provider and feed; None for the one ``bars`` shows.
        limit: The newest this many rows of each symbol; None for all.
        set_version: An exact version; None for the one that was built last.
        as_of: Features as they were stored then: a New York date (its end) or a time with its zone.

    Returns:
        ``symbol``, ``timestamp`` (the bar's opening, UTC), ``session_date`` and the columns
        (Float64, null in their warm-up and where their definition says). Empty if the range
        holds none.

    Raises:
        FeaturesMissingError: The set was not built for a symbol.
        VersionMissingError: The version is not in the lake, or was dropped meanwhile.
        PastFeaturesError: What was stored then is gone.
        BarsMissingError: No source is named and the lake has no bars of a symbol.
        InvalidError: Something asked for cannot be; the sentence says what.
    """
    name = check_set_name(set_name)
    tickers = [symbols] if isinstance(symbols, str) else list(symbols)
    if limit is not None and limit < 1:
        raise RangeError(f"limit must be at least 1, was {limit}.")
    span = sessions.window(start, end)
    found = [
        _of_one(lk, _wanted(lk, ticker, name, source, set_version), columns, span, as_of)
        for ticker in map(check_symbol, tickers)
    ]
    frames = [frame.tail(limit) if limit else frame for frame in found]
    return frames[0] if len(frames) == 1 else pl.concat(frames)


def held_rows(
    lk: "Lake", build: "StoredBuild", columns: Sequence[str], start: datetime, end: datetime
) -> pl.DataFrame:
    """Rows of a build as they are stored, ``held_`` columns too: ``timestamp`` and the columns.

    Args:
        lk: The lake.
        build: Whose.
        columns: Of its table.
        start: The first moment (UTC).
        end: None from there on (UTC).
    """
    wanted = _Wanted(build.symbol, build.source, build.feature_set, build.set_version)
    return _scanned(lk, wanted, ["timestamp", *columns], (start, end), None)


def builds(lk: "Lake") -> pl.DataFrame:
    """Every build ever made, newest first: the table ``feature_builds``."""
    with lk.reading() as connection:
        return connection.execute("FROM feature_builds ORDER BY created_at DESC, build_id").pl()


def definitions(lk: "Lake") -> pl.DataFrame:
    """Every version of every feature ever built: the table ``feature_definitions``."""
    with lk.reading() as connection:
        return connection.execute("FROM feature_definitions ORDER BY feature_name, version").pl()


@dataclass(frozen=True)
class _Wanted:
    """Stored features of one symbol."""

    symbol: str
    source: str
    feature_set: str
    version: str

    @property
    def table(self) -> str:
        return table_of(self.feature_set, self.version)


def _wanted(lk: "Lake", symbol: str, name: str, source: str | None, version: str | None) -> _Wanted:
    origin = source or lk.source_of(symbol, None)
    chosen = version or current_version(lk, name, origin, symbol)
    if chosen is None or latest_build(lk, name, chosen, origin, symbol) is None:
        if version is not None and version not in (known := _versions(lk, name)):
            raise VersionMissingError(name, version, known)
        raise FeaturesMissingError(symbol, name, source)
    return _Wanted(symbol, origin, name, chosen)


def _of_one(
    lk: "Lake", wanted: _Wanted, columns: Sequence[str] | None, span: Span, as_of: Moment
) -> pl.DataFrame:
    own = _columns(lk, wanted)
    if columns is not None and (unknown := [name for name in columns if name not in own]):
        raise ColumnsError(unknown, own)
    chosen = [*KEYS, *(own if columns is None else dict.fromkeys(columns))]
    if as_of is None:
        return _scanned(lk, wanted, chosen, span, None)
    try:
        snapshot = _snapshot_at(lk, known_until(as_of))
        found = _scanned(lk, wanted, chosen, span, snapshot)
        if found.height or _scanned(lk, wanted, ["timestamp"], (None, None), snapshot).height:
            return found
    except (FileNotFoundError, SnapshotMissingError):
        pass
    raise PastFeaturesError(wanted.symbol, wanted.feature_set, str(as_of))


def _versions(lk: "Lake", name: str) -> list[str]:
    return [one.version for one in stored_versions(lk, name)]


def _columns(lk: "Lake", wanted: _Wanted) -> list[str]:
    """The feature columns of a version.

    Raises:
        VersionMissingError: It was dropped a moment ago.
    """
    with lk.catalog.planning() as connection:
        query = f"""SELECT c.column_name FROM ducklake_column c JOIN ducklake_table t USING (table_id)
            WHERE t.table_name = {quoted(wanted.table)} AND t.end_snapshot IS NULL AND c.end_snapshot IS NULL
            ORDER BY c.column_order"""
        rows = patiently(lambda: sqlite(connection, METADATA, query))
    found = [str(name) for (name,) in rows]
    if not found:
        name = wanted.feature_set
        raise VersionMissingError(name, wanted.version, _versions(lk, name))
    return [name for name in found if name not in {*KEYS, "source"} and not name.startswith(HELD)]


def _snapshot_at(lk: "Lake", moment: datetime | None) -> int:
    """The newest snapshot that was made by a moment."""
    with lk.catalog.planning() as connection:
        query = "SELECT snapshot_id, snapshot_time FROM ducklake_snapshot ORDER BY snapshot_id DESC"
        rows = patiently(lambda: sqlite(connection, METADATA, query))
    for number, text in rows:
        if moment is None or datetime.fromisoformat(str(text)) <= moment:
            return int(number or 0)
    raise SnapshotMissingError(0)


def _scanned(
    lk: "Lake", wanted: _Wanted, columns: Sequence[str], span: Span, snapshot: int | None
) -> pl.DataFrame:
    """Columns of rows within a span, sorted by timestamp."""
    start, end = span
    for _ in range(TRIES):
        plan = lk.planner.plan([wanted.table], [wanted.symbol], snapshot)
        if plan is None:
            break
        files = [
            file
            for file in plan.files[wanted.table]
            if file.may_hold(wanted.symbol, start, end) and file.may_be_of(wanted.source)
        ]
        if not files:
            return _queried(lk, wanted, columns, span, "false")
        mine = (
            [] if all(file.exact(wanted.symbol, wanted.source) for file in files) else _mine(wanted)
        )
        ordered = sorted(files, key=lambda file: (file.first is not None, file.first))
        try:
            return scan(ordered, columns, span, mine).collect()
        except FileNotFoundError:  # files make room for others; whoever was slower plans once more
            lk.planner.forget()
    at = "" if snapshot is None else f" AT (VERSION => {snapshot:d})"
    return _queried(lk, wanted, columns, span, "true", at)


def _mine(wanted: _Wanted) -> list[pl.Expr]:
    return [pl.col("symbol") == wanted.symbol, pl.col("source") == wanted.source]


def _queried(
    lk: "Lake", wanted: _Wanted, columns: Sequence[str], span: Span, condition: str, at: str = ""
) -> pl.DataFrame:
    """The same by DuckLake's own scan."""
    where, values = f"{condition} AND symbol = ? AND source = ?", [wanted.symbol, wanted.source]
    for bound, comparison in zip(span, (">=", "<"), strict=True):
        if bound is not None:
            where += f" AND timestamp {comparison} ?"
            values.append(bound)  # type: ignore[arg-type]
    chosen = ", ".join(f'"{name}"' for name in columns)
    query = f'SELECT {chosen} FROM "{wanted.table}"{at} WHERE {where} ORDER BY timestamp'
    try:
        with lk.reading() as connection:
            return connection.execute(query, values).pl()
    except duckdb.CatalogException:
        name = wanted.feature_set
        raise VersionMissingError(name, wanted.version, _versions(lk, name)) from None
