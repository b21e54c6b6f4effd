"""Closing prices from stored bars, as adjusting needs them: regular hours, raw, as known at a time."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from lake import sessions
from lake.coverage import subtract
from lake.datasets import BARS_1M, BARS_DAILY, DATASETS, Dataset

if TYPE_CHECKING:
    from lake.file_closes import FileCloses
    from lake.planning import Planner

#: An older close is no price any more: weekends, holidays and usual halts are shorter.
OLDEST_DAYS = 14
#: Days since 1970 of a regular minute: those hours lie in one UTC day, and it costs no calendar.
_DAY_NUMBER = "epoch_us(b.timestamp) // 86400000000"
_CLOSING = {"minutes": BARS_1M, "daily": BARS_DAILY}
_CLOSES = f"""
    WITH asked AS (
        SELECT w.symbol, w.day, w.before, s.session_date,
               max(s.session_date) OVER (PARTITION BY w.symbol, w.day, w.before) AS latest
        FROM wanted_closes w
        JOIN sessions s ON s.session_date BETWEEN w.oldest AND w.day AND (NOT w.before OR s.session_date < w.day)),
    hours AS (
        SELECT session_date, "open", "close", date_diff('day', DATE '1970-01-01', session_date) AS number
        FROM sessions WHERE session_date IN (SELECT session_date FROM asked)),
    closing AS (
        SELECT symbol, session_date, 1 AS rank, max_by(price, timestamp) AS price
        FROM (SELECT symbol, timestamp, b.close AS price, {_DAY_NUMBER} AS number FROM ({{minutes}}) b) b
        JOIN hours h USING (number) WHERE timestamp >= h."open" AND timestamp < h."close"
        GROUP BY symbol, session_date
        UNION ALL
        SELECT symbol, (timestamp AT TIME ZONE 'America/New_York')::DATE, 0, close FROM ({{daily}}))
    SELECT symbol, day, before, session_date AS held, latest, price AS close
    FROM asked JOIN closing USING (symbol, session_date)
    QUALIFY row_number() OVER (PARTITION BY symbol, day, before ORDER BY session_date DESC, rank) = 1"""


def closes(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    sought: pl.DataFrame,
    as_of: datetime | None = None,
    files: "Planner | None" = None,
) -> pl.DataFrame:
    """Closing prices of regular hours, of one source.

    The provider's own daily bar of a session goes before the session's last regular minute. Where
    the session before a day has no bar, an earlier close (of at most two weeks) still holds if the
    sessions since were fetched completely: nobody traded. Otherwise it is unknown.

    Args:
        connection: A reading one, in UTC.
        source: Provider and feed.
        sought: ``symbol``, ``day``, ``before``: the close of that day, or the last one before it.
        as_of: Bars as the lake knew them then; None for now.
        files: Of the lake: bars are then read from files, which is faster, where files have them all.

    Returns:
        ``symbol``, ``day``, ``before``, ``close``; no row for a close that is not there.
    """
    empty = sought.with_columns(close=pl.lit(None, pl.Float64)).clear()
    if sought.is_empty():
        return empty
    oldest = pl.col("day") - pl.duration(days=OLDEST_DAYS)
    wanted = sought.with_columns(
        oldest=pl.when("before").then(oldest).otherwise("day").cast(pl.Date)
    )
    found = _from_files(
        files, source, sought["symbol"], as_of, lambda held: held.closes(wanted, **_CLOSING)
    )
    if found is None:
        found = _asked(connection, source, wanted, as_of)
    kept = [
        row
        for row in found.iter_rows(named=True)
        if row["held"] == row["latest"] or _nobody_traded(connection, source, row, as_of)
    ]
    return pl.DataFrame(kept, schema={**found.schema}).select(empty.columns).cast(empty.schema)


def _asked(
    connection: duckdb.DuckDBPyConnection, source: str, wanted: pl.DataFrame, as_of: datetime | None
) -> pl.DataFrame:
    only, values = _only(source, wanted["symbol"], as_of)
    bars = {name: _known(dataset, only, as_of) for name, dataset in _CLOSING.items()}
    connection.register("wanted_closes", wanted)
    try:
        return connection.execute(_CLOSES.format(**bars), values).pl()
    finally:
        connection.unregister("wanted_closes")


def _from_files(
    files: "Planner | None",
    source: str,
    symbols: pl.Series,
    as_of: datetime | None,
    look: "Callable[[FileCloses], pl.DataFrame]",
) -> pl.DataFrame | None:
    """What files say; None where they do not hold it all, or upkeep has just replaced one."""
    if files is None:
        return None
    from lake.file_closes import (
        FileCloses,
    )  # which plans, and the catalog's macros need this module

    held = FileCloses.planned(files, source, symbols.to_list(), as_of)
    try:
        return look(held) if held is not None else None
    except FileNotFoundError:
        return None


def newest_sessions(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    told: pl.DataFrame,
    as_of: datetime | None = None,
    files: "Planner | None" = None,
) -> pl.DataFrame:
    """The New York date of each symbol's newest stored bar, of any dataset: ``symbol``, ``newest``.

    Args:
        connection: A reading one, in UTC.
        source: Provider and feed.
        told: ``symbol``, ``ex_date``: bars before the first ex date are not looked at.
        as_of: Bars as the lake knew them then; None for now.
        files: As for :func:`closes`.
    """
    found = _from_files(files, source, told["symbol"], as_of, lambda held: held.newest(told))
    if found is not None:
        return found
    first = sessions.midnight(told.select(pl.col("ex_date").min()).item())
    only, values = _only(source, told["symbol"], as_of)
    bars = " UNION ALL ".join(_known(dataset, only, as_of) for dataset in DATASETS.values())
    return connection.execute(
        f"""SELECT symbol, (max(timestamp) AT TIME ZONE 'America/New_York')::DATE AS newest
            FROM ({bars}) WHERE timestamp >= $first GROUP BY symbol""",
        values | {"first": first},
    ).pl()


def _nobody_traded(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    found: dict[str, Any],
    as_of: datetime | None,
) -> bool:
    """Whether the sessions after the one a close is of were fetched: then they had no bar to have."""
    since = connection.execute(
        """SELECT "open", "close" FROM sessions WHERE session_date > $held AND session_date <= $latest""",
        {"held": found["held"], "latest": found["latest"]},
    ).fetchall()
    known = "" if as_of is None else "AND recorded_at <= $as_of"
    fetched = connection.execute(
        f"""SELECT "start", "end" FROM coverage
            WHERE dataset = $dataset AND source = $source AND symbol = $symbol {known}""",
        {"source": source, "symbol": found["symbol"], "dataset": BARS_1M.name}
        | ({} if as_of is None else {"as_of": as_of}),
    ).fetchall()
    return not any(subtract(hours, fetched) for hours in since)


def _known(dataset: Dataset, only: str, as_of: datetime | None) -> str:
    """SQL of the bars of a dataset that a condition names, as known then: ``symbol timestamp close``."""
    parts = [f"{name} WHERE {only}" for name in dataset.tables]
    if as_of is not None:
        before = f"dataset = '{dataset.name}' AND superseded_at > $as_of"
        parts.append(f"bar_revisions WHERE {only} AND {before}")
    return " UNION ALL ".join(f"SELECT symbol, timestamp, close FROM {part}" for part in parts)


def _only(source: str, symbols: pl.Series, as_of: datetime | None) -> tuple[str, dict[str, Any]]:
    """The condition that names a source's bars of some symbols, and its values.

    Each symbol is a value of its own: DuckLake leaves the files of other symbols alone for ``IN``
    and ``=``, not for a list.
    """
    values = {f"symbol_{number}": name for number, name in enumerate(symbols.unique().sort())}
    only = f"source = $source AND symbol IN ({', '.join(f'${name}' for name in values)})"
    if as_of is None:
        return only, values | {"source": source}
    return f"{only} AND recorded_at <= $as_of", values | {"source": source, "as_of": as_of}
