"""The stored versions of a set: which there are, and dropping those that nobody needs any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lake.errors import InvalidError, MissingError
from lake.features.naming import check_set_name, table_of, view_sql

if TYPE_CHECKING:
    import duckdb

    from lake.store import Lake

#: Of a version's name in what people read and write.
SHORT = 8
_FEWEST = 4


class VersionMissingError(MissingError):
    """A version of a set that is not in the lake, or not any more."""

    def __init__(self, feature_set: str, version: str, known: Sequence[str]) -> None:
        super().__init__(feature_set, version, tuple(known))
        self.feature_set, self.version, self.known = feature_set, version, tuple(known)

    def __str__(self) -> str:
        there = ", ".join(version[:SHORT] for version in self.known)
        held = f"The lake has {there}." if there else "The lake has none of its versions."
        return (
            f"No version {self.version[:SHORT]} of the set {self.feature_set} is in the lake; it may have been "
            f"dropped. {held} `barlake features build --set {self.feature_set}` builds the current one."
        )


class VersionInUseError(InvalidError):
    """A version that readers see."""

    def __init__(self, feature_set: str, version: str, symbols: int) -> None:
        super().__init__(feature_set, version, symbols)
        self.feature_set, self.version, self.symbols = feature_set, version, symbols

    def __str__(self) -> str:
        return (
            f"Version {self.version[:SHORT]} of {self.feature_set} is what readers of {self.symbols:,} "
            f"{'symbol' if self.symbols == 1 else 'symbols'} see. Build the current version first, or add --force."
        )


@dataclass(frozen=True)
class StoredVersion:
    """A version of a set that features were built of.

    Attributes:
        symbols: That it was built for.
        shown: Of so many of them it is what readers see.
        rows: Of the newest build of each.
        first: When it was built first (UTC).
        last: When it was built last.
    """

    feature_set: str
    version: str
    symbols: int
    shown: int
    rows: int
    first: datetime
    last: datetime


_VERSIONS = """
    WITH builds AS (FROM lake.main.feature_builds WHERE feature_set = $name),
         newest AS (SELECT source, symbol, max_by(set_version, created_at) AS shown FROM builds GROUP BY ALL),
         each AS (SELECT set_version, source, symbol, max_by(row_count, created_at) AS held,
                         min(created_at) AS first, max(created_at) AS last FROM builds GROUP BY ALL)
    SELECT $name, set_version, count(*), count(*) FILTER (shown = set_version), sum(held)::BIGINT, min(first), max(last)
    FROM each JOIN newest USING (source, symbol) GROUP BY set_version ORDER BY max(last) DESC"""


def stored_versions(lk: "Lake", name: str) -> list[StoredVersion]:
    """The versions of a set that are in the lake, the one built last first."""
    with lk.reading() as connection:
        rows = connection.execute(_VERSIONS, {"name": name}).fetchall()
    return [StoredVersion(*row) for row in rows]


def drop_version(lk: "Lake", name: str, version: str, *, force: bool = False) -> StoredVersion:
    """Drop the features of one version of a set, and the notes of its builds; its definitions stay known.

    In one transaction; readers that are under way end well, for the files stay until upkeep.

    Args:
        lk: To write.
        name: Of the set, with its form.
        version: It, or its beginning.
        force: Also one that readers see.

    Returns:
        What was dropped.

    Raises:
        VersionMissingError: There is none, or several that begin so.
        VersionInUseError: Readers of some symbol see it. Nothing was dropped.
        GateBusyError: Another process held the commit gate too long. Nothing was dropped.
    """
    check_set_name(name)
    with lk.writing() as transaction:
        run = transaction.connection
        held = [StoredVersion(*row) for row in run.execute(_VERSIONS, {"name": name}).fetchall()]
        found = [one for one in held if one.version.startswith(version)]
        if len(found) != 1 or len(version) < _FEWEST:
            raise VersionMissingError(name, version, [one.version for one in held])
        gone = found[0]
        if gone.shown and not force:
            raise VersionInUseError(name, gone.version, gone.shown)
        _show(run, name, [one for one in held if one is not gone])
        run.execute(f'DROP TABLE IF EXISTS "{table_of(name, gone.version)}"')
        run.execute(
            "DELETE FROM feature_builds WHERE feature_set = ? AND set_version = ?",
            [name, gone.version],
        )
    return gone


def _show(run: "duckdb.DuckDBPyConnection", name: str, left: Sequence[StoredVersion]) -> None:
    """Let the view of a set show the newest of some versions; without one there is no view."""
    if not left:
        run.execute(f'DROP VIEW IF EXISTS "features_{name}"')
        return
    table = table_of(name, left[0].version)
    names = run.execute(
        """SELECT column_name FROM duckdb_columns() WHERE database_name = 'lake' AND table_name = ?
           ORDER BY column_index""",
        [table],
    ).fetchall()
    run.execute(view_sql(name, table, [column for (column,) in names]))
