"""Closing prices from stored bars, as adjusting needs them: regular hours, raw, as known at a time."""

from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from lake import sessions
from lake.coverage import subtract
from lake.datasets import BARS_1M, BARS_DAILY, DATASETS, Dataset

#: An older close is no price any more: weekends, holidays and usual halts are shorter.
_OLDEST_DAYS = 14
#: Days since 1970 of a regular minute: those hours lie in one UTC day, and it costs no calendar.
_DAY_NUMBER = "epoch_us(b.timestamp) // 86400000000"

_CLOSES = f"""
    WITH asked AS (
        SELECT w.symbol, w.day, w.before, s.session_date, s."open", s."close",
               date_diff('day', DATE '1970-01-01', s.session_date) AS number
        FROM wanted_closes w
        JOIN sessions s ON s.session_date BETWEEN w.oldest AND w.day AND (NOT w.before OR s.session_date < w.day)),
    found AS (
        SELECT a.symbol, a.day, a.before, a.session_date, 1 AS rank, max_by(b.close, b.timestamp) AS close
        FROM asked a JOIN ({{minutes}}) b ON b.symbol = a.symbol AND {_DAY_NUMBER} = a.number
         AND b.timestamp >= a."open" AND b.timestamp < a."close"
        GROUP BY ALL
        UNION ALL
        SELECT a.symbol, a.day, a.before, a.session_date, 0, b.close
        FROM asked a JOIN ({{daily}}) b ON b.symbol = a.symbol
         AND (b.timestamp AT TIME ZONE 'America/New_York')::DATE = a.session_date)
    SELECT symbol, day, before, session_date AS held, close FROM found
    QUALIFY row_number() OVER (PARTITION BY symbol, day, before ORDER BY session_date DESC, rank) = 1"""


def closes(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    sought: pl.DataFrame,
    as_of: datetime | None = None,
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

    Returns:
        ``symbol``, ``day``, ``before``, ``close``; no row for a close that is not there.
    """
    empty = sought.with_columns(close=pl.lit(None, pl.Float64)).clear()
    if sought.is_empty():
        return empty
    oldest = pl.col("day") - pl.duration(days=_OLDEST_DAYS)
    wanted = sought.with_columns(
        oldest=pl.when("before").then(oldest).otherwise("day").cast(pl.Date)
    )
    bars = {"minutes": _known(BARS_1M, as_of), "daily": _known(BARS_DAILY, as_of)}
    values = _values(source, as_of) | {"symbols": sought["symbol"].unique().to_list()}
    connection.register("wanted_closes", wanted)
    try:
        found = connection.execute(_CLOSES.format(**bars), values).pl()
    finally:
        connection.unregister("wanted_closes")
    kept = [
        row
        for row in found.iter_rows(named=True)
        if not row["before"] or _holds(connection, source, row, as_of)
    ]
    return pl.DataFrame(kept, schema={**found.schema}).select(empty.columns).cast(empty.schema)


def newest_sessions(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    told: pl.DataFrame,
    as_of: datetime | None = None,
) -> pl.DataFrame:
    """The New York date of each symbol's newest stored bar, of any dataset: ``symbol``, ``newest``.

    Args:
        connection: A reading one, in UTC.
        source: Provider and feed.
        told: ``symbol``, ``ex_date``: bars before the first ex date are not looked at.
        as_of: Bars as the lake knew them then; None for now.
    """
    first = sessions.midnight(told.select(pl.col("ex_date").min()).item())
    bars = " UNION ALL ".join(_known(dataset, as_of) for dataset in DATASETS.values())
    return connection.execute(
        f"""SELECT symbol, (max(timestamp) AT TIME ZONE 'America/New_York')::DATE AS newest
            FROM ({bars}) WHERE timestamp >= $first GROUP BY symbol""",
        _values(source, as_of) | {"symbols": told["symbol"].unique().to_list(), "first": first},
    ).pl()


def _holds(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    found: dict[str, Any],
    as_of: datetime | None,
) -> bool:
    """Whether nobody traded between the session a close is of and the day it is for."""
    since = connection.execute(
        """SELECT "open", "close" FROM sessions WHERE session_date > $held AND session_date < $day
           ORDER BY session_date""",
        {"held": found["held"], "day": found["day"]},
    ).fetchall()
    if not since:
        return True
    known = "" if as_of is None else "AND recorded_at <= $as_of"
    fetched = connection.execute(
        f"""SELECT "start", "end" FROM coverage
            WHERE dataset = $dataset AND source = $source AND symbol = $symbol {known}""",
        _values(source, as_of) | {"symbol": found["symbol"], "dataset": BARS_1M.name},
    ).fetchall()
    return not any(subtract(hours, fetched) for hours in since)


def _known(dataset: Dataset, as_of: datetime | None) -> str:
    """SQL of a dataset's bars of a source and some symbols: ``symbol timestamp close``."""
    only = "source = $source AND list_contains($symbols, symbol)"
    if as_of is None:
        tables = [
            f"SELECT symbol, timestamp, close FROM {name} WHERE {only}" for name in dataset.tables
        ]
        return " UNION ALL ".join(tables)
    only += " AND recorded_at <= $as_of"
    tables = [
        f"SELECT symbol, timestamp, close FROM {name} WHERE {only}" for name in dataset.tables
    ]
    tables.append(
        f"""SELECT symbol, timestamp, close FROM bar_revisions
            WHERE dataset = '{dataset.name}' AND {only} AND superseded_at > $as_of"""
    )
    return " UNION ALL ".join(tables)


def _values(source: str, as_of: datetime | None) -> dict[str, Any]:
    return {"source": source} | ({} if as_of is None else {"as_of": as_of})
