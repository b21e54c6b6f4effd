"""The reader of a lake: plans from the catalog's tables and reads the files itself where it can.

A read costs the same whether the lake holds one symbol or thousands of files: one indexed question
to the catalog (none if nothing was committed since the last), and the files of the symbol.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import polars as pl

from lake import actions, scan_sql
from lake.catalog import Catalog
from lake.planning import DataFile, Plan, Planner
from lake.reading import Question, Span, windows, without_limit
from lake.resampling import NEEDED, Calendar, resample
from lake.scanning import Hours, scan, session_dates
from lake.timeframes import READ_COLUMNS

_TIME = pl.col("timestamp")
_MADE = ("symbol", "source", "session_date", "is_regular")
_REVISIONS = "bar_revisions"
# Replaced files stay for an hour; whoever was slower than that plans once more.
_TRIES = 2


class Reader:
    """Reads bars of one lake; safe for threads and, as its catalog is, after a fork."""

    def __init__(self, catalog: Catalog, planner: Planner) -> None:
        self._catalog, self._planner = catalog, planner
        self._calendars: dict[tuple[DataFile, ...], tuple[Calendar, Hours]] = {}

    def read(self, question: Question) -> pl.DataFrame:
        """The bars a question asks for, sorted by symbol and timestamp.

        Raises:
            BarsMissingError: One of the symbols has no bars at all, from that source.
        """
        frames = list(self.series(question))
        return frames[0] if len(frames) == 1 else pl.concat(frames)

    def series(self, question: Question) -> Iterator[pl.DataFrame]:
        """The same, symbol by symbol."""
        plan = self._plan(question, question.symbols)
        for symbol in question.symbols:
            yield self._adjusted(question, symbol, plan).select(question.columns)

    def _plan(self, question: Question, symbols: Sequence[str]) -> Plan | None:
        revisions = [_REVISIONS] if question.as_of else []
        tables = [*question.dataset.tables, *revisions, "sessions"]
        return self._planner.plan(tables, symbols, question.snapshot)

    def _adjusted(self, question: Question, symbol: str, plan: Plan | None) -> pl.DataFrame:
        bars, source = self._one(question, symbol, plan)
        if question.adjust == "raw" or bars.is_empty():
            return bars
        with self._catalog.reading() as connection:
            return actions.split_adjusted(bars, actions.splits(connection, source, [symbol]))

    def _one(self, question: Question, symbol: str, plan: Plan | None) -> tuple[pl.DataFrame, str]:
        for _ in range(_TRIES):
            if plan is None:
                break
            try:
                source = self._source(question, symbol, plan)
                return self._planned(question, symbol, source, plan), source
            except FileNotFoundError:
                self._planner.forget()
                plan = self._plan(question, question.symbols)
        with self._catalog.reading() as connection:
            name = question.dataset.name
            source = scan_sql.source_of(connection, symbol, question.source, name)
            return scan_sql.read_series(connection, question, symbol, source), source

    def _source(self, question: Question, symbol: str, plan: Plan) -> str:
        """The source to read, from the files where they leave no choice."""
        found: set[str] = set()
        for file in _current(plan, question):
            if not file.may_hold(symbol, None, None):
                continue
            if file.exact(symbol) and file.sources is not None:
                found.add(file.sources[0])
            else:
                mine = pl.col("symbol") == symbol
                found |= {*scan([file], ["source"], (None, None), [mine]).collect()["source"]}
        if question.source in found:
            return str(question.source)
        if question.source is None and len(found) == 1:
            return found.pop()
        with self._catalog.reading() as connection:
            name = question.dataset.name
            return scan_sql.source_of(connection, symbol, question.source, name)

    def _planned(self, question: Question, symbol: str, source: str, plan: Plan) -> pl.DataFrame:
        if question.limit is None:
            return self._span(question, symbol, source, plan)
        bars = pl.DataFrame()
        first, last = _extent(question, symbol, plan)
        for span in windows(question, first, last):
            bars = self._span(without_limit(question, span), symbol, source, plan)
            if bars.height >= question.limit:
                break
        return bars.tail(question.limit)

    def _span(self, question: Question, symbol: str, source: str, plan: Plan) -> pl.DataFrame:
        minutes = _minutes(question, symbol, source, plan)
        wanted = {*question.columns, *(["session_date"] if question.adjust != "raw" else [])}
        if question.rolls_up or question.regular_only or wanted & {"session_date", "is_regular"}:
            calendar, hours = self._calendar(plan)
            times = minutes["timestamp"].to_physical().to_numpy()
            regular = (
                hours.regular(times)
                if question.dataset.timeframe == "1min"
                else pl.Series("is_regular", np.ones(len(times), dtype=np.bool_))
            )
            minutes = minutes.with_columns(session_dates(times), regular)
            if question.rolls_up:
                low, high = question.span
                minutes = resample(minutes, question.timeframe, calendar).filter(
                    *([low <= _TIME] if low else []), *([high > _TIME] if high else [])
                )
            if question.regular_only:
                minutes = minutes.filter("is_regular")
        return minutes.with_columns(symbol=pl.lit(symbol), source=pl.lit(source))

    def _calendar(self, plan: Plan) -> tuple[Calendar, Hours]:
        """The lake's sessions, read again when the files of their table change."""
        files = plan.files["sessions"]
        if files not in self._calendars:
            columns = ["session_date", "pre_open", "open", "close"]
            sessions = scan(files, columns, (None, None)).collect()
            self._calendars = {files: (Calendar.of(sessions), Hours(sessions))}
        return self._calendars[files]


def _current(plan: Plan, question: Question) -> list[DataFile]:
    return [file for table in question.dataset.tables for file in plan.files[table]]


def _extent(question: Question, symbol: str, plan: Plan) -> tuple[datetime | None, datetime | None]:
    """Moments that no bar of the question lies outside of; None where there can be none."""
    low, high = question.whole_days(question.span)
    tables = [*question.dataset.tables, *([_REVISIONS] if question.as_of else [])]
    files = [
        file for table in tables for file in plan.files[table] if file.may_hold(symbol, low, high)
    ]
    firsts = [file.first for file in files if file.first is not None]
    lasts = [file.last for file in files if file.last is not None]
    if not firsts or not lasts:
        return None, None
    return (
        max(min(firsts), low) if low else min(firsts),
        min(max(lasts), high) if high else max(lasts),
    )


def _minutes(question: Question, symbol: str, source: str, plan: Plan) -> pl.DataFrame:
    """The stored bars of one series, as they were known, sorted by timestamp."""
    span = question.whole_days(question.span)
    wanted = {"timestamp", *(NEEDED if question.rolls_up else question.columns)}
    columns = [name for name in READ_COLUMNS if name in wanted and name not in _MADE]
    known = [pl.col("recorded_at") <= question.as_of] if question.as_of else []
    frames: list[pl.LazyFrame] = []
    for table in question.dataset.tables:
        frames += _frames(plan.files[table], symbol, source, span, columns, known)
    if question.as_of:
        then = [
            *known,
            pl.col("superseded_at") > question.as_of,
            pl.col("dataset") == question.dataset.name,
        ]
        frames += _frames(plan.files[_REVISIONS], symbol, source, span, columns, then)
    if not frames:
        return pl.DataFrame(schema={name: _TYPES[name] for name in columns})
    bars = (frames[0] if len(frames) == 1 else pl.concat(frames)).collect().rechunk()
    return bars if bars["timestamp"].is_sorted() else bars.sort("timestamp")


def _frames(
    files: Sequence[DataFile],
    symbol: str,
    source: str,
    span: Span,
    columns: Sequence[str],
    only: Sequence[pl.Expr],
) -> list[pl.LazyFrame]:
    held = [file for file in files if file.may_hold(symbol, *span) and file.may_be_of(source)]
    mine = sorted((file for file in held if file.exact(symbol, source)), key=_opening)
    shared = [file for file in held if not file.exact(symbol, source)]
    series = [pl.col("symbol") == symbol, pl.col("source") == source]
    return [
        *([scan(mine, columns, span, only)] if mine else []),
        *([scan(shared, columns, span, [*series, *only])] if shared else []),
    ]


def _opening(file: DataFile) -> tuple[bool, datetime | None]:
    return (file.first is not None, file.first)


_TYPES: dict[str, pl.DataType] = {
    "timestamp": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), pl.Float64()),
    "trade_count": pl.Int64(),
    "flags": pl.Int32(),
}
