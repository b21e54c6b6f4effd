"""The lake as its users hold it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import polars as pl

from lake import actions, damage, gaps, listing, pins, preference, queries, room, sessions
from lake.bars import Commit, Fetched, commit_bars
from lake.catalog import Catalog, Transaction
from lake.coverage import Interval
from lake.datasets import check_dataset
from lake.home import Home
from lake.ledgers import Ledgers
from lake.planning import Planner
from lake.reading import Question, ask
from lake.scan_sql import source_of
from lake.schema import check_symbol
from lake.sessions import Moment

if TYPE_CHECKING:
    import pyarrow as pa


class Lake:
    """One lake. Safe for threads; after a fork it opens its files anew.

    Any number of processes may read while one after another writes. Use it as a context manager,
    or call :meth:`close`.
    """

    def __init__(self, home: Path, now: Callable[[], datetime], floor: float = room.FLOOR) -> None:
        self.place = Home(home.expanduser().resolve())
        self._now, self._floor = now, floor
        self._catalog = Catalog(self.place, now)
        self._reader = damage.NamingReader(self._catalog, self.place)
        self._ledgers = Ledgers(self._catalog, self._reader.planner)

    @property
    def home(self) -> Path:
        """The folder of the lake."""
        return self.place.root

    @property
    def planner(self) -> Planner:
        """Which files hold what: for those who read them without DuckLake."""
        return self._reader.planner

    @property
    def catalog(self) -> Catalog:
        """The catalog, for the writers of this room."""
        return self._catalog

    # Reading ---------------------------------------------------------------------------------

    def bars(
        self,
        symbols: str | Sequence[str],
        start: Moment = None,
        end: Moment = None,
        *,
        dataset: str = "bars_1m",
        timeframe: str | None = None,
        adjust: str = "raw",
        as_of: Moment = None,
        snapshot: int | None = None,
        source: str | None = None,
        columns: Sequence[str] | None = None,
        regular_only: bool = False,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """Bars of one or more symbols, sorted by symbol and timestamp.

        Args:
            symbols: Tickers, in any case.
            start: A New York session date, or a time with its zone; None for the beginning.
            end: As ``start``, both included; None for the newest.
            dataset: ``bars_1m``, or ``bars_daily`` for the provider's own daily bars.
            timeframe: 1min to 4h, 1d or 1week, anchored at the session's open
                (``lake.TIMEFRAMES``); None for the dataset's own.
            adjust: ``raw``, or ``split`` for prices and volume in today's shares.
            as_of: Bars as the lake knew them then: a New York date (its end) or a time with its
                zone; None for what it knows now.
            snapshot: Bars as that snapshot of DuckLake holds them; None for the newest.
            source: Provider and feed; None for the one ``bars`` shows.
            columns: Some of ``lake.READ_COLUMNS``; None for all.
            regular_only: Leave out bars before the open and after the close.
            limit: The newest this many bars of each symbol; None for all.

        Returns:
            ``symbol``, ``timestamp`` (the opening, UTC), ``open high low close vwap`` (USD),
            ``volume`` (shares), ``trade_count``, ``flags``, ``source``, ``session_date``,
            ``is_regular``. Empty if the range holds none.

        Raises:
            BarsMissingError: A symbol has no bars at all.
            InvalidError: Something asked for cannot be; the sentence says what.
        """
        return self._reader.read(
            self._question(
                symbols,
                start,
                end,
                dataset=dataset,
                timeframe=timeframe,
                adjust=adjust,
                columns=columns,
                regular_only=regular_only,
                limit=limit,
                as_of=as_of,
                snapshot=snapshot,
                source=source,
            )
        )

    def stream_bars(
        self,
        symbols: str | Sequence[str],
        start: Moment = None,
        end: Moment = None,
        **asked: Any,
    ) -> "pa.RecordBatchReader":
        """The bars of :meth:`bars` as Arrow record batches, for results larger than memory.

        One symbol's year is held at a time. ``reader.read_all()`` makes an Arrow table of them.

        Args:
            symbols: As for :meth:`bars`; so are the others, but ``limit``.
            start: As for :meth:`bars`.
            end: As for :meth:`bars`.
            asked: ``dataset``, ``timeframe``, ``adjust``, ``as_of``, ``snapshot``, ``source``,
                ``columns``, ``regular_only``.

        Raises:
            BarsMissingError: As soon as the reader comes to a symbol that has no bars.
            InvalidError: Something asked for cannot be; the sentence says what.
        """
        from lake import streaming  # which needs pyarrow: not every reader does

        return streaming.batches(self._reader, self._question(symbols, start, end, **asked))

    def scan_bars(
        self,
        symbols: str | Sequence[str],
        start: Moment = None,
        end: Moment = None,
        **asked: Any,
    ) -> pl.LazyFrame:
        """The bars of :meth:`bars` as a lazy frame: read when it is collected, piece by piece.

        Only the columns that the query uses are read, and ``head`` reads no further than it must.
        """
        from lake import streaming

        return streaming.lazy(self._reader, self._question(symbols, start, end, **asked))

    def revisions(
        self,
        symbol: str,
        start: Moment = None,
        end: Moment = None,
        *,
        dataset: str = "bars_1m",
        source: str | None = None,
    ) -> pl.DataFrame:
        """Values that bars of a symbol had before, oldest first.

        Returns:
            ``timestamp`` (UTC), ``kind`` (corrected or withdrawn), the values of the bar,
            ``recorded_at`` and ``superseded_at``: from when to when the lake knew them (UTC).

        Raises:
            BarsMissingError: No source is named and the lake has no bars of the symbol.
        """
        name, low_high = check_dataset(dataset).name, sessions.window(start, end)
        with self.reading() as connection:
            ticker = check_symbol(symbol)
            chosen = source or source_of(connection, ticker, None, name)
            return connection.execute(
                """SELECT timestamp, kind, open, high, low, close, volume, trade_count, vwap, flags,
                          recorded_at, superseded_at FROM bar_revisions
                   WHERE dataset = $dataset AND source = $source AND symbol = $symbol
                     AND ($low IS NULL OR timestamp >= $low::TIMESTAMPTZ)
                     AND ($high IS NULL OR timestamp < $high::TIMESTAMPTZ)
                   ORDER BY timestamp, superseded_at""",
                {
                    "dataset": name,
                    "source": chosen,
                    "symbol": ticker,
                    "low": low_high[0],
                    "high": low_high[1],
                },
            ).pl()

    def features(
        self,
        symbols: str | Sequence[str],
        set: str = "core",  # noqa: A002
        start: Moment = None,
        end: Moment = None,
        *,
        columns: Sequence[str] | None = None,
        source: str | None = None,
        limit: int | None = None,
        as_of: Moment = None,
    ) -> pl.DataFrame:
        """Stored features of one or more symbols; see :func:`lake.features.read_features`."""
        from lake.features import read_features

        return read_features(
            self, symbols, set, start, end, columns, source, limit=limit, as_of=as_of
        )

    def splits(self, symbol: str, source: str | None = None) -> pl.DataFrame:
        """The splits that ``adjust="split"`` applies now: ``symbol``, ``ex_date``, ``ratio``."""
        ticker = check_symbol(symbol)
        chosen = source or self.source_of(ticker)
        with self.reading() as connection:
            return actions.splits(connection, chosen, [ticker])

    def symbols(self, *, dataset: str = "bars_1m") -> pl.DataFrame:
        """What is here, a row a series: ``symbol source first last bars is_default``.

        Raises:
            DatasetError: There is no such dataset.
        """
        return listing.symbols(self._catalog, self._reader.planner, check_dataset(dataset))

    def source_of(self, symbol: str, source: str | None = None, *, dataset: str = "bars_1m") -> str:
        """The source ``bars`` shows for a symbol, or the named one if it has the symbol.

        Raises:
            BarsMissingError: The lake has no such bars.
            DatasetError: There is no such dataset.
        """
        name, ticker = check_dataset(dataset).name, check_symbol(symbol)
        if source is None and (shown := self._ledgers.shown_sources(name, ticker)):
            return shown[ticker]
        with self.reading() as connection:
            return source_of(connection, ticker, source, name)

    def ledger_rows(
        self,
        table: str,
        columns: Sequence[str],
        keys: Mapping[str, Sequence[str]],
        above: tuple[str, int] | None = None,
    ) -> list[tuple[object, ...]]:
        """Rows of a ledger, in no order; numbers and times may come as text (``lake.ledgers``)."""
        return self._ledgers.all_rows(table, columns, keys, above)

    def covered(self, symbol: str, source: str, *, dataset: str = "bars_1m") -> list[Interval]:
        """What was fetched completely from a source: merged intervals (UTC, end outside)."""
        ticker = check_symbol(symbol)
        return self.covered_many([ticker], source, dataset=dataset)[ticker]

    def covered_many(
        self, symbols: Sequence[str], source: str, *, dataset: str = "bars_1m"
    ) -> dict[str, list[Interval]]:
        """The same of many symbols, in one look."""
        return self._ledgers.covered(check_dataset(dataset).name, source, symbols)

    def listed(self, source: str, symbols: Sequence[str], *, dataset: str = "bars_1m") -> set[str]:
        """Which of some symbols a source has had bars of."""
        return self._ledgers.listed(check_dataset(dataset).name, source, symbols)

    def coverage(
        self, symbol: str, source: str | None = None, *, dataset: str = "bars_1m"
    ) -> pl.DataFrame:
        """What was fetched completely: ``start`` and ``end`` (UTC, end outside), merged.

        Raises:
            BarsMissingError: No source is named and the lake has no bars of the symbol.
        """
        chosen = source or self.source_of(symbol, dataset=dataset)
        time = pl.Datetime("us", "UTC")
        schema = {"start": time, "end": time}
        rows = self.covered(symbol, chosen, dataset=dataset)
        return pl.DataFrame(rows, schema=schema, orient="row")

    def gaps(
        self,
        symbol: str,
        start: Moment = None,
        end: Moment = None,
        source: str | None = None,
        *,
        dataset: str = "bars_1m",
    ) -> pl.DataFrame:
        """What no fetch has brought; see :func:`lake.gaps.gaps`."""
        return gaps.gaps(self, symbol, start, end, source, dataset)

    def absent(
        self,
        symbol: str,
        start: Moment = None,
        end: Moment = None,
        source: str | None = None,
        *,
        dataset: str = "bars_1m",
    ) -> pl.DataFrame:
        """What was fetched and has no bar; see :func:`lake.gaps.absent`."""
        return gaps.absent(self, symbol, start, end, source, dataset)

    def sql(self, query: str, params: Sequence[object] = ()) -> pl.DataFrame:
        """The answer of one SQL query over the lake; see :func:`lake.queries.answer`."""
        return queries.answer(self, query, params)

    def snapshot(self) -> int:
        """The number of the newest DuckLake snapshot."""
        return self._catalog.newest()

    # Writing ---------------------------------------------------------------------------------

    def commit_bars(self, fetched: Fetched, *, dataset: str = "bars_1m") -> Commit:
        """Store what a source answered; see :func:`lake.bars.commit_bars`.

        Raises:
            DiskLowError: The disk has no more free than must stay free. Nothing was written.
        """
        self.check_room()
        with damage.named(self._catalog, self.place, check_dataset(dataset).tables):
            return commit_bars(
                self._catalog, fetched, dataset=dataset, planner=self._reader.planner
            )

    def commit_actions(self, answered: actions.Answered) -> int:
        """Store corporate actions; see :func:`lake.actions.commit_actions`."""
        return actions.commit_actions(self._catalog, answered)

    def check_room(self) -> None:
        """Return if the disk has room for more bars; see :func:`lake.room.check_room`."""
        room.check_room(self.home, self._floor)

    def pin(self, name: str, snapshot: int | None = None) -> int:
        """Keep a snapshot (the newest without a number) readable; see :func:`lake.pins.pin`."""
        return pins.pin(self, name, snapshot)

    def unpin(self, name: str) -> int:
        """Let a pinned snapshot expire again; see :func:`lake.pins.unpin`."""
        return pins.unpin(self, name)

    def pins(self) -> pl.DataFrame:
        """All pins: ``name``, ``snapshot``, ``created_at``."""
        return pins.pins(self)

    def prefer_source(self, source: str) -> None:
        """Let ``bars`` show this source wherever it has bars; see :func:`lake.preference.prefer`."""
        preference.prefer(self, source)

    @property
    def now(self) -> datetime:
        """What its clock says."""
        return self._now()

    def reading(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection of its own for a block; see :meth:`lake.catalog.Catalog.reading`."""
        return self._catalog.reading()

    def writing(self) -> AbstractContextManager[Transaction]:
        """One transaction behind the gate; see :meth:`lake.catalog.Catalog.writing`."""
        return self._catalog.writing()

    def create(self) -> Self:
        """Make the lake if it is not there; harmless to repeat."""
        self._catalog.create()
        return self

    def close(self) -> None:
        """Let go of the files."""
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _question(
        self, symbols: str | Sequence[str], start: Moment, end: Moment, **asked: Any
    ) -> Question:
        usual: dict[str, Any] = {
            "dataset": "bars_1m",
            "timeframe": None,
            "adjust": "raw",
            "columns": None,
            "regular_only": False,
            "limit": None,
        }
        return ask(symbols, start, end, **{**usual, **asked})


def open_lake(
    home: str | Path | None = None,
    *,
    create: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    floor: float = room.FLOOR,
) -> Lake:
    """Open the lake of a home.

    Args:
        home: The folder; None for the setting ``BARLAKE_HOME`` (default ``./data``).
        create: Make the lake and its tables if they are not there.
        now: The clock for ``recorded_at`` and for what is a gap yet.
        floor: Bytes of the disk that stay free, below 1 a share of it; bars are refused beneath.

    Raises:
        LakeMissingError: There is no lake, and none was to be made.
    """
    if home is None:
        from lake.settings import load_settings

        home = load_settings().home
    lake = Lake(Path(home), now, floor)
    if create:
        return lake.create()
    if not lake.catalog.exists:
        from lake.errors import LakeMissingError

        raise LakeMissingError(lake.home)
    return lake
