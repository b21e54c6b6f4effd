"""What is not there, and why: sessions that no fetch has brought, and fetched ones that have no bar."""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from lake import coverage, sessions
from lake.coverage import Interval
from lake.datasets import check_dataset
from lake.errors import BarsMissingError
from lake.sessions import Moment

if TYPE_CHECKING:
    from lake.store import Lake

_INSTANT = timedelta(microseconds=1)


def gaps(
    lake: "Lake", symbol: str, start: Moment, end: Moment, source: str | None, dataset: str
) -> pl.DataFrame:
    """Regular session minutes that lie in no fetched interval; of daily bars: whole sessions.

    Without a range: from the first fetched session to the last. Minutes to come are no gap,
    nor is a day that is not over.

    Returns:
        ``session_date``, ``start``, ``end`` (UTC, end outside), ``minutes`` (null for days).
    """
    chosen = source or lake.source_of(symbol, dataset=dataset)
    intervals = lake.covered(symbol, chosen, dataset=dataset)
    low, high = _reach(lake, start, end, intervals)
    if check_dataset(dataset).timeframe == "1d":
        return coverage.uncovered_days(_days_over(lake, low, high), intervals)
    return coverage.uncovered_minutes(_regular(lake, low, high), intervals)


def absent(
    lake: "Lake", symbol: str, start: Moment, end: Moment, source: str | None, dataset: str
) -> pl.DataFrame:
    """Regular minutes that were fetched and have no bar: nobody traded, or the provider lacks them.

    Returns:
        ``session_date``, ``expected`` (fetched regular minutes; of daily bars 1), ``present``,
        ``absent``.
    """
    chosen = source or lake.source_of(symbol, dataset=dataset)
    intervals = lake.covered(symbol, chosen, dataset=dataset)
    low, high = _reach(lake, start, end, intervals)
    held = _held(lake, symbol, chosen, dataset, low, high)
    if check_dataset(dataset).timeframe == "1d":
        return coverage.absent_days(_days_over(lake, low, high), intervals, held["timestamp"])
    regular = _regular(lake, low, high)
    holes = (
        coverage.uncovered_minutes(regular, intervals)
        .group_by("session_date")
        .agg(pl.col("minutes").sum())
    )
    length = (pl.col("close") - pl.col("open")).dt.total_minutes()
    present = (
        held.filter("is_regular").group_by("session_date").agg(present=pl.len().cast(pl.Int64))
    )
    return (
        regular.join(holes, on="session_date", how="left", maintain_order="left")
        .join(present, on="session_date", how="left", maintain_order="left")
        .select(
            "session_date",
            expected=length - pl.col("minutes").fill_null(0),
            present=pl.col("present").fill_null(0),
        )
        .filter(pl.col("expected") > 0)
        .with_columns(absent=(pl.col("expected") - pl.col("present")).clip(0))
    )


def _held(
    lake: "Lake", symbol: str, source: str, dataset: str, low: datetime, high: datetime
) -> pl.DataFrame:
    """When bars opened in a range (end outside)."""
    columns = ["timestamp", "session_date", "is_regular"]
    if low >= high:
        low, high = high - 2 * _INSTANT, high - _INSTANT
    try:
        return lake.bars(
            symbol, low, high - _INSTANT, source=source, dataset=dataset, columns=columns
        )
    except BarsMissingError:  # fetched, and there was none at all
        return pl.DataFrame(
            schema={
                "timestamp": pl.Datetime("us", "UTC"),
                "session_date": pl.Date,
                "is_regular": pl.Boolean,
            }
        )


def _reach(
    lake: "Lake", start: Moment, end: Moment, intervals: list[Interval]
) -> tuple[datetime, datetime]:
    low, high = sessions.window(start, end)
    low = low or (intervals[0][0] if intervals else lake.now)
    high = high or (intervals[-1][1] if intervals else lake.now)
    return low, min(high, lake.now)


def _days_over(lake: "Lake", low: datetime, high: datetime) -> list[date]:
    with lake.reading() as connection:
        return coverage.days_over(connection, low, high, lake.now)


def _regular(lake: "Lake", low: datetime, high: datetime) -> pl.DataFrame:
    """Regular hours of the sessions in a range, cut at its ends to whole minutes."""
    with lake.reading() as connection:
        return connection.execute(
            """SELECT session_date, greatest("open", date_trunc('minute', ?::TIMESTAMPTZ)) AS "open",
                      least("close", date_trunc('minute', ?::TIMESTAMPTZ)) AS "close"
               FROM sessions WHERE "close" > ? AND "open" < ? ORDER BY session_date""",
            [low, high, low, high],
        ).pl()
