"""Reading bars through DuckLake's own scan: slower, and right for whatever the catalog holds.

It is the way out where files alone do not hold the answer (:mod:`lake.planning`), and the oracle
of the fast way in tests.
"""

from datetime import datetime

import duckdb
import polars as pl

from lake.datasets import Dataset
from lake.errors import BarsMissingError
from lake.reading import Question, Span, windows
from lake.timeframes import NEEDED, READ_COLUMNS, minute_bars, resampled

_ROW = """source, symbol, timestamp, open, high, low, close, volume, trade_count, vwap, flags, recorded_at"""


def source_of(
    connection: duckdb.DuckDBPyConnection,
    symbol: str,
    source: str | None,
    dataset: str = "bars_1m",
    snapshot: int | None = None,
) -> str:
    """The source whose bars are shown for a symbol, of those that a snapshot (None: the newest) has.

    A snapshot from before a series began has no bars of it, as no moment before has: no error.

    Raises:
        BarsMissingError: The lake has no bars of it, from that source where one is named, neither
            in that snapshot nor now.
    """
    version = "" if snapshot is None else f"AT (VERSION => {snapshot:d})"
    row = connection.execute(
        f"""SELECT source FROM series {version}
            WHERE dataset = $dataset AND symbol = $symbol AND ($source IS NULL OR source = $source)
            ORDER BY CASE WHEN source = (SELECT value FROM lake_settings WHERE name = 'default_source') THEN 0
                          WHEN source LIKE 'sandbox:%' THEN 2 ELSE 1 END, source
            LIMIT 1""",
        {"dataset": dataset, "symbol": symbol, "source": source},
    ).fetchone()
    if row is not None:
        return str(row[0])
    if snapshot is not None:
        return source_of(connection, symbol, source, dataset)
    raise BarsMissingError(symbol, source, dataset)


def read_series(
    connection: duckdb.DuckDBPyConnection, question: Question, symbol: str, source: str
) -> pl.DataFrame:
    """The raw bars of one series, as ``READ_COLUMNS``, sorted by timestamp, all in SQL."""
    if question.limit is None:
        return _query(connection, question, symbol, source, question.span)
    bars = pl.DataFrame()
    for span in windows(question, *extent(connection, question, symbol, source)):
        bars = _query(connection, question, symbol, source, span)
        if bars.height >= question.limit:
            break
    return bars.tail(question.limit)


def read_minutes(
    connection: duckdb.DuckDBPyConnection, question: Question, symbol: str, source: str
) -> pl.DataFrame:
    """The stored bars that those asked for are made of, sorted by timestamp, with all values."""
    rows, known = relation(question.dataset, question)
    condition, values = _condition(symbol, source, question.whole_days(question.span))
    return connection.execute(
        f"SELECT {', '.join(NEEDED)} FROM {rows} b WHERE {condition} ORDER BY timestamp",
        [*known, *values],
    ).pl()


def relation(dataset: Dataset, question: Question) -> tuple[str, list[object]]:
    """SQL of the bars of a dataset as a question wants them known, with its parameters."""
    at = f" AT (VERSION => {question.snapshot:d})" if question.snapshot is not None else ""
    known = "WHERE recorded_at <= ?" if question.as_of else ""
    parts = [f"SELECT {_ROW} FROM lake.main.{table}{at} {known}" for table in dataset.tables]
    values: list[object] = [question.as_of for _ in parts] if question.as_of else []
    if question.as_of:
        parts.append(
            f"SELECT {_ROW} FROM lake.main.bar_revisions{at} "
            "WHERE dataset = ? AND recorded_at <= ? AND superseded_at > ?"
        )
        values += [dataset.name, question.as_of, question.as_of]
    return "(" + " UNION ALL ".join(parts) + ")", values


def extent(
    connection: duckdb.DuckDBPyConnection, question: Question, symbol: str, source: str
) -> tuple[datetime | None, datetime | None]:
    rows, known = relation(question.dataset, question)
    condition, values = _condition(symbol, source, question.whole_days(question.span))
    found = connection.execute(
        f"SELECT min(timestamp), max(timestamp) FROM {rows} b WHERE {condition}", [*known, *values]
    ).fetchone()
    return (found[0], found[1]) if found else (None, None)


def _query(
    connection: duckdb.DuckDBPyConnection,
    question: Question,
    symbol: str,
    source: str,
    span: Span,
) -> pl.DataFrame:
    rows, known = relation(question.dataset, question)
    condition, values = _condition(symbol, source, question.whole_days(span))
    minutes = minute_bars(rows, only=condition)
    if question.dataset.timeframe == "1d":  # whose bars open at midnight and are all regular
        minutes = f"SELECT * REPLACE (true AS is_regular) FROM ({minutes})"
    rolled = resampled(minutes, question.timeframe) if question.rolls_up else f"FROM ({minutes})"
    asked, bounds = _within("timestamp", span)
    where = f"WHERE {asked} AND is_regular" if question.regular_only else f"WHERE {asked}"
    return connection.execute(
        f"SELECT {', '.join(READ_COLUMNS)} FROM ({rolled}) {where} ORDER BY timestamp",
        [*known, *values, *bounds],
    ).pl()


def _condition(symbol: str, source: str, span: Span) -> tuple[str, list[object]]:
    within, bounds = _within("b.timestamp", span)
    return f"b.symbol = ? AND b.source = ? AND {within}", [symbol, source, *bounds]


def _within(column: str, span: Span) -> tuple[str, list[object]]:
    bounds: list[object] = [bound for bound in span if bound is not None]
    conditions = [
        f"{column} {comparison} ?"
        for bound, comparison in zip(span, (">=", "<"), strict=True)
        if bound is not None
    ]
    return " AND ".join(["true", *conditions]), bounds
