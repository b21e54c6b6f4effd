"""The reader of a lake: plans from the catalog's tables and reads the files itself where it can.

A read costs the same whether the lake holds one symbol or thousands of files: one indexed question
to the catalog (none if nothing was committed since the last), and the files of the symbol.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

import duckdb
import polars as pl

from lake import actions, scan_sql
from lake.adjustment import adjusted
from lake.catalog import Catalog
from lake.hours import Hours
from lake.ledgers import Ledgers
from lake.planning import TRIES, DataFile, Plan, Planner
from lake.reading import Question, windows, without_limit
from lake.scanning import Series, scan
from lake.small_files import SmallFiles, are_small
from lake.timeframes import NEEDED, needed_of

if TYPE_CHECKING:
    from lake.resampling import Calendar

_TIME = pl.col("timestamp")
_FEW = 20_000

_T = TypeVar("_T")


class Reader:
    """Reads bars of one lake; safe for threads and, as its catalog is, after a fork."""

    def __init__(self, catalog: Catalog, planner: Planner) -> None:
        self._catalog, self._planner = catalog, planner
        self._ledgers = Ledgers(catalog, planner)
        self._calendars: dict[object, _Calendar] = {}
        self._live = SmallFiles()

    @property
    def planner(self) -> Planner:
        """What it plans with."""
        return self._planner

    def read(self, question: Question) -> pl.DataFrame:
        """The bars a question asks for, sorted by symbol and timestamp.

        Raises:
            BarsMissingError: One of the symbols has no bars at all, from that source.
            FactorMissingError: The lake lacks a close that an adjustment needs.
        """
        frames = list(self.series(question))
        return frames[0] if len(frames) == 1 else pl.concat(frames)

    def series(self, question: Question) -> Iterator[pl.DataFrame]:
        """The same, symbol by symbol."""
        plan = self._plan(question, question.symbols)
        for symbol in question.symbols:
            yield self._one(question, symbol, plan)[[*question.columns]]

    def extent(self, question: Question) -> tuple[datetime | None, datetime | None]:
        """Moments that no bar of a question on one symbol lies outside of; None where there is none.

        Raises:
            BarsMissingError: The symbol has no bars at all, from that source.
        """
        return self._somewhere(question, question.symbols[0], lambda held: held.extent(question))

    def _plan(self, question: Question, symbols: Sequence[str]) -> Plan | None:
        tables = [*question.dataset.tables_at(question.as_of), "sessions"]
        return self._planner.plan(tables, symbols, question.snapshot)

    def _one(self, question: Question, symbol: str, plan: Plan | None) -> pl.DataFrame:
        return self._somewhere(question, symbol, lambda held: self._newest(question, held), plan)

    def _somewhere(
        self,
        question: Question,
        symbol: str,
        look: Callable[["_Held"], _T],
        plan: Plan | None = None,
    ) -> _T:
        """Look at the files of a series, or let DuckLake where that is not enough."""
        plan = plan or self._plan(question, question.symbols)
        for _ in range(TRIES):
            if plan is None:
                break
            try:
                return look(_Files(plan, symbol, self._source(question, symbol, plan), self._live))
            except FileNotFoundError:
                self._planner.forget()
                plan = self._plan(question, question.symbols)
        with self._catalog.reading() as connection:
            name = question.dataset.name
            source = scan_sql.source_of(
                connection, symbol, question.source, name, question.snapshot
            )
            return look(_Scan(connection, symbol, source))

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
        if question.source is None and found:
            shown = self._ledgers.shown_sources(question.dataset.name, symbol)
            if shown and symbol in shown:
                return shown[symbol]
        with self._catalog.reading() as connection:
            name = question.dataset.name
            return scan_sql.source_of(connection, symbol, question.source, name, question.snapshot)

    def _newest(self, question: Question, held: "_Held") -> pl.DataFrame:
        if question.limit is None:
            return self._span(question, held)
        bars = pl.DataFrame()
        for span in windows(question, *held.extent(question)):
            bars = self._span(without_limit(question, span), held)
            if bars.height >= question.limit:
                break
        return bars.tail(question.limit)

    def _span(self, question: Question, held: "_Held") -> pl.DataFrame:
        named = {"symbol": pl.lit(held.symbol), "source": pl.lit(held.source)}
        bars = held.rows(question)
        if _needs_sessions(question):
            calendar = self._calendar(held)
            daily = question.dataset.timeframe != "1min"
            if not question.rolls_up or question.adjust != "raw":
                bars = calendar.hours.stamp(bars, daily=daily, **named)
            if question.adjust != "raw" and not bars.is_empty():
                bars = self._adjusted(question, bars, held)
            if question.rolls_up:
                low, high = question.span
                bars = calendar.resample(bars, question.timeframe, daily=daily).filter(
                    *([low <= _TIME] if low else []), *([high > _TIME] if high else [])
                )
            if question.regular_only:
                bars = bars.filter("is_regular")
        return bars if "symbol" in bars.columns else bars.with_columns(**named)

    def _adjusted(self, question: Question, bars: pl.DataFrame, held: "_Held") -> pl.DataFrame:
        """Adjusted before they are rolled up: a split may fall into the middle of a week."""
        keys = {"source": [actions.provider_of(held.source)], "symbol": [held.symbol]}
        if self._ledgers.rows("corporate_actions", ["symbol"], keys) == []:
            return bars  # as most are; DuckLake takes 10 ms to say so
        with self._catalog.reading() as connection:
            known = actions.known_actions(
                connection,
                held.source,
                [held.symbol],
                as_of=question.as_of,
                adjust=question.adjust,
                files=self._planner,
            )
        return adjusted(bars, known, question.adjust)

    def _calendar(self, held: "_Held") -> "_Calendar":
        """The lake's sessions, read again when their table changes."""
        key = held.sessions_key
        if key is None or key not in self._calendars:
            made = _Calendar(held.sessions())
            if key is None:
                return made
            self._calendars = {key: made}
        return self._calendars[key]


class _Calendar:
    """The lake's sessions, as those need them who stamp bars and who roll them up."""

    def __init__(self, sessions: pl.DataFrame) -> None:
        self._sessions = sessions
        self.hours = Hours(sessions)

    def resample(self, bars: pl.DataFrame, timeframe: str, *, daily: bool) -> pl.DataFrame:
        from lake.resampling import resample  # which needs numpy: not every reader does

        return resample(bars, timeframe, self._arrays, daily=daily)

    @cached_property
    def _arrays(self) -> "Calendar":
        from lake.resampling import Calendar

        return Calendar.of(self._sessions)


def _needs_sessions(question: Question) -> bool:
    return bool(
        question.rolls_up
        or question.regular_only
        or question.adjust != "raw"
        or {*question.columns} & {"session_date", "is_regular"}
    )


class _Held(Protocol):
    """One series where it lies."""

    symbol: str
    source: str

    @property
    def sessions_key(self) -> object:
        """What changes when the table ``sessions`` does; None where that is not known."""
        ...

    def rows(self, question: Question) -> pl.DataFrame:
        """The stored bars that those asked for are made of, sorted by timestamp."""
        ...

    def extent(self, question: Question) -> tuple[datetime | None, datetime | None]:
        """Moments that no bar of the question lies outside of; None where there can be none."""
        ...

    def sessions(self) -> pl.DataFrame:
        """The lake's sessions."""
        ...


class _Scan:
    """A series read by DuckLake's own scan."""

    sessions_key = None

    def __init__(self, connection: duckdb.DuckDBPyConnection, symbol: str, source: str) -> None:
        self.symbol, self.source, self._connection = symbol, source, connection

    def rows(self, question: Question) -> pl.DataFrame:
        return scan_sql.read_minutes(self._connection, question, self.symbol, self.source)

    def extent(self, question: Question) -> tuple[datetime | None, datetime | None]:
        return scan_sql.extent(self._connection, question, self.symbol, self.source)

    def sessions(self) -> pl.DataFrame:
        return self._connection.execute("FROM sessions").pl()


class _Files:
    """A series read from the files that a plan names."""

    def __init__(self, plan: Plan, symbol: str, source: str, live: SmallFiles) -> None:
        self.symbol, self.source, self._plan, self._live = symbol, source, plan, live

    @property
    def sessions_key(self) -> object:
        return self._plan.files["sessions"]

    def rows(self, question: Question) -> pl.DataFrame:
        return _minutes(question, self.symbol, self.source, self._plan, self._live)

    def extent(self, question: Question) -> tuple[datetime | None, datetime | None]:
        return _extent(question, self.symbol, self._plan)

    def sessions(self) -> pl.DataFrame:
        columns = ["session_date", "pre_open", "open", "close"]
        return scan(self._plan.files["sessions"], columns, (None, None)).collect()


def _current(plan: Plan, question: Question) -> list[DataFile]:
    return [file for table in question.dataset.tables for file in plan.files[table]]


def _extent(question: Question, symbol: str, plan: Plan) -> tuple[datetime | None, datetime | None]:
    """Moments that no bar of the question lies outside of; None where there can be none."""
    low, high = question.whole_days(question.span)
    files = [
        file
        for table in question.dataset.tables_at(question.as_of)
        for file in plan.files[table]
        if file.may_hold(symbol, low, high)
    ]
    firsts = [file.first for file in files if file.first is not None]
    lasts = [file.last for file in files if file.last is not None]
    if not firsts or not lasts:
        return None, None
    return (
        max(min(firsts), low) if low else min(firsts),
        min(max(lasts), high) if high else max(lasts),
    )


def _minutes(
    question: Question, symbol: str, source: str, plan: Plan, live: SmallFiles
) -> pl.DataFrame:
    """The stored bars of one series, as they were known, sorted by timestamp."""
    span = question.whole_days(question.span)
    asked = question.columns
    wanted = {"timestamp", *(needed_of(asked) if question.rolls_up else asked)}
    columns = [name for name in NEEDED if name in wanted]
    series = Series(question.dataset, symbol, source, question.as_of)
    table, newest = question.dataset.live, pl.DataFrame()
    small = series.may_lie_in(plan.files[table], span) if table and not question.as_of else []
    if table and are_small(small):
        plan = replace(plan, files={**plan.files, table: ()})
        newest = live.rows(small, columns, span, symbol, source)
    frames = series.frames(plan, columns, span)
    if not frames and newest.is_empty():
        return pl.DataFrame(schema={name: _TYPES[name] for name in columns})
    if frames:
        more = [] if newest.is_empty() else [newest.lazy()]
        bars = (frames[0] if len([*frames, *more]) == 1 else pl.concat([*frames, *more])).collect()
    else:
        bars = newest
    return bars if _is_sorted(bars["timestamp"]) else bars.sort("timestamp")


def _is_sorted(times: pl.Series) -> bool:
    if len(times) <= _FEW:
        return times.is_sorted()
    # Over many pieces polars' own is_sorted takes longer than reading the files did.
    from lake.arrays import is_sorted

    return is_sorted(times)


_TYPES: dict[str, pl.DataType] = {
    "timestamp": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), pl.Float64()),
    "trade_count": pl.Int64(),
    "flags": pl.Int32(),
}
