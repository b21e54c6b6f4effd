"""Writing bars: check, compare with what is stored, and commit bars, revisions and coverage at once.

What only adds bars is written straight into files and DuckLake's tables (``lake.appending``), which
takes a fraction of the time; corrections, withdrawals and quarantine go through DuckLake's SQL.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from lake import sessions
from lake.appending import Append
from lake.catalog import Catalog, Transaction
from lake.checking import Checked, check_bars
from lake.comparing import KEY, STORED, Comparer, Difference
from lake.coverage import Covered
from lake.datasets import Dataset, check_dataset
from lake.errors import SymbolError
from lake.planning import Planner
from lake.schema import BAR_SCHEMA, UTC_TIME, check_symbol
from lake.table_files import NotPlainError

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Commit", "Fetched", "check_bars", "commit_bars"]


@dataclass(frozen=True)
class Fetched:
    """What one source answered.

    Attributes:
        source: Provider and feed, like ``alpaca:iex``; feeds never mix in one series.
        bars: Any symbols, as ``BAR_SCHEMA``; of two bars of one minute the last one wins.
        covered: What was answered completely. A stored bar inside that is not among the bars is
            withdrawn; empty for bars that complete nothing (live ones).
        job_id: The job that fetched them, kept with quarantined bars.
        live: They come one minute after another: they land apart, in a few files for all symbols,
            until upkeep moves them.
        provisional: They are a first word, as a stream has: a bar that a complete answer has
            brought is not changed by it.
        refused: Bars that the answer should not have had, as ``BAR_SCHEMA`` and the ``rule`` that
            each breaks: they go to quarantine.
    """

    source: str
    bars: pl.DataFrame
    covered: tuple[Covered, ...] = ()
    job_id: str | None = None
    live: bool = False
    provisional: bool = False
    refused: pl.DataFrame | None = None


@dataclass(frozen=True)
class Commit:
    """What one commit did, in bars."""

    new: int = 0
    corrected: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    quarantined: int = 0
    snapshot: int | None = None
    waited: float = 0.0


def commit_bars(
    catalog: Catalog,
    fetched: Fetched,
    *,
    dataset: str = "bars_1m",
    planner: Planner | None = None,
    plainly: bool = False,
) -> Commit:
    """Store what a source answered: bars, what they correct, and that it was fetched.

    All or nothing, in one transaction. Safe to repeat with the same or newer values, and safe
    beside readers and other writers. The same bars again change nothing: no new snapshot is made.

    Args:
        catalog: Of the lake.
        fetched: The answer.
        dataset: Whose bars they are.
        planner: Of the catalog; one that has planned already knows more.
        plainly: Through DuckLake's SQL whatever it is: slower, and the oracle of the faster way.

    Returns:
        How many bars were new, corrected, withdrawn, unchanged and quarantined.

    Raises:
        BadBarsError: The frame breaks the schema. (Bars that break a rule are quarantined with
            its name and the rest is stored.) Nothing was written.
        SymbolError: A symbol is not a ticker. Nothing was written.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    checked = check_bars(fetched.bars, dataset)
    if fetched.refused is not None and not fetched.refused.is_empty():
        refused = fetched.refused.select(checked.bad.columns)
        checked = replace(checked, bad=pl.concat([checked.bad, refused]))
    for symbol in {*fetched.bars["symbol"].unique(), *(part.symbol for part in fetched.covered)}:
        if check_symbol(symbol) != symbol:
            raise SymbolError(symbol)
    committer = _Committer(
        catalog, planner or Planner(catalog, catalog.home), fetched, checked, dataset
    )
    return committer.commit(plainly=plainly)


class _Committer:
    """One commit, by the way that fits what it changes."""

    def __init__(
        self, catalog: Catalog, planner: Planner, fetched: Fetched, checked: Checked, dataset: str
    ) -> None:
        self._catalog, self._fetched, self._checked = catalog, fetched, checked
        self._dataset = check_dataset(dataset)
        self._comparer = Comparer(catalog, planner, self._dataset)
        self._table = (fetched.live and self._dataset.live) or self._dataset.name

    def commit(self, *, plainly: bool) -> Commit:
        ahead = self._compare()
        if ahead.empty:
            return Commit(unchanged=ahead.unchanged)
        if ahead.adds_only and not plainly:
            try:
                return self._append(ahead)
            except NotPlainError:
                pass
        with self._catalog.writing() as transaction:
            difference = self._still(ahead, transaction)
            if not difference.empty:  # or another process has just stored the same
                _Writer(transaction, self._fetched, self._dataset, self._table).all(difference)
        return _told(difference, transaction)

    def _append(self, ahead: Difference) -> Commit:
        with self._catalog.registering() as transaction:
            difference = self._still(ahead, transaction)
            if difference.empty or not difference.adds_only:
                raise NotPlainError
            append = Append(transaction, self._catalog.home)
            try:
                append.add(self._rows(difference, transaction))
                append.finish()
            except BaseException:
                append.forget()
                raise
        return _told(difference, transaction)

    def _compare(self) -> Difference:
        fetched = self._fetched
        return self._comparer.compare(
            self._checked, fetched.source, fetched.covered, provisional=fetched.provisional
        )

    def _still(self, ahead: Difference, transaction: Transaction) -> Difference:
        """The difference inside the gate, where nobody else changes anything any more."""
        return ahead if ahead.snapshot == transaction.commit_id - 1 else self._compare()

    def _rows(self, difference: Difference, transaction: Transaction) -> dict[str, pl.DataFrame]:
        """What an append writes, by table."""
        source, at = self._fetched.source, transaction.recorded_at
        stamps = {"source": pl.lit(source), "recorded_at": pl.lit(at).cast(UTC_TIME)}
        touched = _touched(difference)
        name, uncovered, unlisted = self._dataset.name, difference.uncovered, difference.unlisted
        return {
            self._table: difference.new.with_columns(**stamps),
            "series": pl.DataFrame(
                [(name, source, symbol) for symbol in unlisted], schema=_SERIES, orient="row"
            ),
            "coverage": pl.DataFrame(
                [(name, source, part.symbol, part.start, part.end, at) for part in uncovered],
                schema=_COVERAGE,
                orient="row",
            ),
            "changes": touched.with_columns(
                commit=pl.lit(transaction.commit_id, pl.Int64), **stamps
            ),
        }


def _told(difference: Difference, transaction: Transaction) -> Commit:
    if difference.empty:
        return Commit(unchanged=difference.unchanged, waited=transaction.waited)
    return Commit(
        new=difference.new.height,
        corrected=difference.corrected.height,
        withdrawn=difference.withdrawn.height,
        unchanged=difference.unchanged,
        quarantined=difference.bad.height,
        snapshot=transaction.commit_id,
        waited=transaction.waited,
    )


_SERIES = {"dataset": pl.String(), "source": pl.String(), "symbol": pl.String()}
_COVERAGE = {**_SERIES, "start": UTC_TIME, "end": UTC_TIME, "recorded_at": UTC_TIME}
_UNTOUCHED = pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date, "kind": pl.String})


def _touched(difference: Difference) -> pl.DataFrame:
    """Which sessions a commit touches, and how: ``symbol``, ``session``, ``kind``."""
    kinds = {
        "new": difference.new,
        "corrected": difference.corrected,
        "withdrawn": difference.withdrawn,
    }
    found = [
        _sessions(frame).with_columns(kind=pl.lit(kind))
        for kind, frame in kinds.items()
        if not frame.is_empty()
    ]
    return pl.concat(found).sort("symbol", "session", "kind") if found else _UNTOUCHED


def _sessions(bars: pl.DataFrame) -> pl.DataFrame:
    """The sessions that some bars lie in: ``symbol``, ``session``."""
    # Days begin with an hour everywhere: a bar an hour is enough to ask for its day.
    hourly = bars.select("symbol", pl.col("timestamp").dt.truncate("1h"))
    symbol, hour = pl.col("symbol"), pl.col("timestamp")
    new = ((symbol != symbol.shift()) | (hour != hour.shift())).fill_null(value=True)
    return (
        hourly.filter(new)
        .select("symbol", session=sessions.session_of(pl.col("timestamp")))
        .unique()
    )


class _Writer:
    """The statements of one commit through DuckLake."""

    def __init__(
        self, transaction: Transaction, fetched: Fetched, dataset: Dataset, table: str
    ) -> None:
        self._run = transaction.connection
        self._at: datetime = transaction.recorded_at
        self._commit = transaction.commit_id
        self._source, self._job = fetched.source, fetched.job_id
        self._dataset, self._table = dataset.name, table
        self._live = dataset.live or ""

    def all(self, difference: Difference) -> None:
        """Write all of a difference."""
        self.revisions(difference.before)
        self.bars(pl.concat([difference.new, difference.corrected]).sort(KEY))
        self.quarantine(difference.bad)
        self.coverage(difference.uncovered)
        self.changes(_touched(difference))

    def revisions(self, before: pl.DataFrame) -> None:
        """Move the old values of corrected and withdrawn bars out of the current ones."""
        if before.is_empty():
            return
        columns = ", ".join(STORED[:-1])
        self._run.register("before", before)
        self._run.execute(
            f"""INSERT INTO bar_revisions (dataset, source, {columns}, recorded_at, superseded_at, kind)
                SELECT ?, ?, {columns}, recorded_at, ?, kind FROM before""",
            [self._dataset, self._source, self._at],
        )
        # The range lets DuckLake pass over every file that cannot hold the rows.
        low, high = before["timestamp"].min(), before["timestamp"].max()
        if self._live in before["held_in"]:  # one file has all symbols
            self._run.execute(
                f"""DELETE FROM {self._live} WHERE source = ? AND timestamp BETWEEN ? AND ?
                    AND (symbol, timestamp) IN (SELECT (symbol, timestamp) FROM before WHERE held_in = ?)""",
                [self._source, low, high, self._live],
            )
        apart = before.filter(pl.col("held_in") != self._live)
        for symbol, table in apart.select("symbol", "held_in").unique().sort("symbol").iter_rows():
            self._run.execute(
                f"""DELETE FROM {table} WHERE source = ? AND symbol = ? AND timestamp BETWEEN ? AND ?
                    AND timestamp IN (SELECT timestamp FROM before WHERE symbol = ? AND held_in = ?)""",
                [self._source, symbol, low, high, symbol, table],
            )
        self._run.unregister("before")

    def bars(self, bars: pl.DataFrame) -> None:
        """Insert bars whose keys are free."""
        if bars.is_empty():
            return
        columns = ", ".join(STORED[:-1])
        self._run.register("incoming", bars)
        self._run.execute(
            f"INSERT INTO {self._table} (source, {columns}, recorded_at) SELECT ?, {columns}, ? FROM incoming",
            [self._source, self._at],
        )
        self._run.execute(
            """INSERT INTO series SELECT DISTINCT ?, ?, symbol FROM incoming ANTI JOIN (
                 FROM series WHERE dataset = ? AND source = ?) USING (symbol) ORDER BY symbol""",
            [self._dataset, self._source, self._dataset, self._source],
        )
        self._run.unregister("incoming")

    def quarantine(self, bad: pl.DataFrame) -> None:
        """Keep impossible bars apart, with the rule each breaks."""
        if bad.is_empty():
            return
        columns = ", ".join([*BAR_SCHEMA.names(), "rule"])
        self._run.register("bad", bad)
        self._run.execute(
            f"INSERT INTO quarantine (dataset, source, {columns}, job_id, recorded_at) SELECT ?, ?, {columns}, ?, ? FROM bad",
            [self._dataset, self._source, self._job, self._at],
        )
        self._run.unregister("bad")

    def coverage(self, parts: list[Covered]) -> None:
        """Add what was fetched completely to the ledger."""
        for part in parts:
            self._run.execute(
                "INSERT INTO coverage VALUES (?, ?, ?, ?, ?, ?)",
                [self._dataset, self._source, part.symbol, part.start, part.end, self._at],
            )

    def changes(self, touched: pl.DataFrame) -> None:
        """Say which sessions this commit touched, and how."""
        if touched.is_empty():
            return
        self._run.register("touched", touched)
        self._run.execute(
            "INSERT INTO changes SELECT ?, ?, symbol, session, kind, ? FROM touched",
            [self._commit, self._source, self._at],
        )
        self._run.unregister("touched")
