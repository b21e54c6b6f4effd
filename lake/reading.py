"""Reading bars: one source per symbol, a range, a timeframe, adjusted or raw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl

from lake import actions, sessions
from lake.errors import BarsMissingError, InvalidError, RangeError
from lake.schema import check_symbol
from lake.sessions import Moment
from lake.timeframes import READ_COLUMNS, check_timeframe, minute_bars, resampled

# Enough sessions for any timeframe: the newest N bars of a thin symbol may lie far back, so the
# search widens until it has them or the history ends.
_MINUTES_TO_SESSION = 390
_WIDEN = 8
_NOWHERE = datetime(2000, 1, 3, tzinfo=UTC)


class ColumnsError(InvalidError):
    """Columns that bars do not have."""

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(list(unknown), list(known))
        self.unknown, self.known = list(unknown), list(known)

    def __str__(self) -> str:
        return f"There is no column {', '.join(self.unknown)}. Choose from {', '.join(self.known)}."


@dataclass(frozen=True)
class Question:
    """A checked request for bars.

    Raises:
        SymbolError, RangeError, TimeframeError, AdjustmentError, ColumnsError: What is wrong.
    """

    symbols: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    timeframe: str
    adjust: str
    columns: tuple[str, ...]
    regular_only: bool
    limit: int | None


def ask(
    symbols: str | Sequence[str],
    start: Moment,
    end: Moment,
    *,
    timeframe: str,
    adjust: str,
    columns: Sequence[str] | None,
    regular_only: bool,
    limit: int | None,
) -> Question:
    """Check what a user asks for, before anything is read."""
    names = (symbols,) if isinstance(symbols, str) else tuple(symbols)
    wanted = tuple(columns) if columns is not None else READ_COLUMNS
    if unknown := [name for name in wanted if name not in READ_COLUMNS]:
        raise ColumnsError(unknown, READ_COLUMNS)
    if limit is not None and limit < 1:
        raise RangeError(f"limit must be at least 1, was {limit}.")
    if not names:
        raise RangeError("Name at least one symbol.")
    low, high = sessions.window(start, end)
    return Question(
        symbols=tuple(dict.fromkeys(check_symbol(name) for name in names)),
        start=low,
        end=high,
        timeframe=check_timeframe(timeframe),
        adjust=actions.check_adjustment(adjust),
        columns=wanted,
        regular_only=regular_only,
        limit=limit,
    )


def read(
    connection: duckdb.DuckDBPyConnection, question: Question, source: str | None
) -> pl.DataFrame:
    """The bars a question asks for, sorted by symbol and timestamp.

    Raises:
        BarsMissingError: One of the symbols has no bars at all, from that source.
    """
    chosen = {name: source_of(connection, name, source) for name in question.symbols}
    frames = [
        _read_one(connection, question, name, origin) for name, origin in sorted(chosen.items())
    ]
    return pl.concat(frames).select(question.columns)


def source_of(connection: duckdb.DuckDBPyConnection, symbol: str, source: str | None) -> str:
    """The source whose bars are shown for a symbol.

    Raises:
        BarsMissingError: The lake has no bars of it, from that source where one is named.
    """
    if source is None:
        row = connection.execute(
            "SELECT source FROM shown_sources WHERE dataset = 'bars_1m' AND symbol = ?", [symbol]
        ).fetchone()
    else:
        row = connection.execute(
            "SELECT source FROM series WHERE dataset = 'bars_1m' AND symbol = ? AND source = ?",
            [symbol, source],
        ).fetchone()
    if row is None:
        raise BarsMissingError(symbol, source)
    return str(row[0])


def _read_one(
    connection: duckdb.DuckDBPyConnection, question: Question, symbol: str, source: str
) -> pl.DataFrame:
    if question.limit is None:
        bars = _query(connection, question, symbol, source, (question.start, question.end))
    else:
        bars = _newest(connection, question, symbol, source)
    if question.adjust == "split":
        bars = actions.split_adjusted(bars, actions.splits(connection, source, [symbol]))
    return bars


def _newest(
    connection: duckdb.DuckDBPyConnection, question: Question, symbol: str, source: str
) -> pl.DataFrame:
    """The newest bars of a question, found from the end of its range backwards."""
    limit = question.limit or 0
    days = 4 + limit // _MINUTES_TO_SESSION if question.timeframe != "1d" else 5 + 2 * limit
    first, last = _extent(connection, question, symbol, source)
    reach = (last - first).days + 2
    while True:
        start = sessions.midnight(sessions.today(last) - timedelta(days=min(days, reach)))
        start = max(start, question.start) if question.start else start
        bars = _query(connection, question, symbol, source, (start, question.end))
        if bars.height >= limit or days >= reach or start == question.start:
            return bars.tail(limit)
        days *= _WIDEN


def _extent(
    connection: duckdb.DuckDBPyConnection, question: Question, symbol: str, source: str
) -> tuple[datetime, datetime]:
    """The first and the last minute that the bars of a question can be made of."""
    span = _whole_days((question.start, question.end), question.timeframe)
    condition, values = _condition(symbol, source, span)
    row = connection.execute(
        f"SELECT min(timestamp), max(timestamp) FROM bars_1m b WHERE {condition}", values
    ).fetchone()
    if row is None or row[0] is None:  # there is none: any moment will do to find nothing
        nowhere = question.start or question.end or _NOWHERE
        return nowhere, nowhere
    return row[0], row[1]


def _query(
    connection: duckdb.DuckDBPyConnection,
    question: Question,
    symbol: str,
    source: str,
    span: tuple[datetime | None, datetime | None],
) -> pl.DataFrame:
    condition, values = _condition(symbol, source, _whole_days(span, question.timeframe))
    rolled = resampled(minute_bars("lake.main.bars_1m", only=condition), question.timeframe)
    asked, bounds = _within("timestamp", span)
    where = f"WHERE {asked} AND is_regular" if question.regular_only else f"WHERE {asked}"
    columns = ", ".join(READ_COLUMNS)
    return connection.execute(
        f"SELECT {columns} FROM ({rolled}) {where} ORDER BY timestamp", [*values, *bounds]
    ).pl()


def _whole_days(
    span: tuple[datetime | None, datetime | None], timeframe: str
) -> tuple[datetime | None, datetime | None]:
    """The days that hold all minutes of the bars asked for.

    A longer bar at the edge of a range is made of all its minutes, or it would not be that bar.
    """
    low, high = span
    if timeframe == "1min":
        return span
    return (
        sessions.midnight(sessions.today(low)) if low else None,
        sessions.midnight(sessions.today(high) + timedelta(days=1)) if high else None,
    )


def _condition(
    symbol: str, source: str, span: tuple[datetime | None, datetime | None]
) -> tuple[str, list[object]]:
    within, bounds = _within("b.timestamp", span)
    return f"b.symbol = ? AND b.source = ? AND {within}", [symbol, source, *bounds]


def _within(column: str, span: tuple[datetime | None, datetime | None]) -> tuple[str, list[object]]:
    bounds: list[object] = [bound for bound in span if bound is not None]
    conditions = [
        f"{column} {comparison} ?"
        for bound, comparison in zip(span, (">=", "<"), strict=True)
        if bound is not None
    ]
    return " AND ".join(["true", *conditions]), bounds
