"""Writing bars: check, compare with what is stored, and commit bars, revisions and coverage at once."""

from dataclasses import dataclass, field

import duckdb
import polars as pl

from lake import sessions
from lake.catalog import Catalog, Transaction
from lake.coverage import Covered, covered, subtract
from lake.datasets import check_dataset
from lake.errors import BadBarsError, SymbolError
from lake.schema import BAR_FLAGS, BAR_SCHEMA, BAR_VALUES, check_symbol

_KEY = ["symbol", "timestamp"]
_STORED = [*_KEY, *BAR_VALUES, "flags", "recorded_at"]


@dataclass(frozen=True)
class Fetched:
    """What one source answered.

    Attributes:
        source: Provider and feed, like ``alpaca:iex``; feeds never mix in one series.
        bars: Any symbols, as ``BAR_SCHEMA``; of two bars of one minute the last one wins.
        covered: What was answered completely. A stored bar inside that is not among the bars is
            withdrawn; empty for bars that complete nothing (live ones).
        job_id: The job that fetched them, kept with quarantined bars.
    """

    source: str
    bars: pl.DataFrame
    covered: tuple[Covered, ...] = ()
    job_id: str | None = None


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


@dataclass(frozen=True)
class _Checked:
    good: pl.DataFrame  # _STORED without recorded_at
    bad: pl.DataFrame  # BAR_SCHEMA and rule


@dataclass(frozen=True)
class _Difference:
    new: pl.DataFrame
    corrected: pl.DataFrame
    before: pl.DataFrame  # stored values of what is corrected or withdrawn, with their kind
    unchanged: int
    bad: pl.DataFrame
    uncovered: list[Covered] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        frames = (self.new, self.before, self.bad)
        return not self.uncovered and all(frame.is_empty() for frame in frames)


def commit_bars(catalog: Catalog, fetched: Fetched, *, dataset: str = "bars_1m") -> Commit:
    """Store what a source answered: bars, what they correct, and that it was fetched.

    All or nothing, in one transaction. Safe to repeat with the same or newer values, and safe
    beside readers and other writers. The same bars again change nothing: no new snapshot is made.

    Returns:
        How many bars were new, corrected, withdrawn, unchanged and quarantined.

    Raises:
        BadBarsError: The frame breaks the schema. (Bars that break a rule are quarantined with
            its name and the rest is stored.) Nothing was written.
        SymbolError: A symbol is not a ticker. Nothing was written.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    checked = check_bars(fetched.bars, dataset)
    for symbol in {*fetched.bars["symbol"].unique(), *(part.symbol for part in fetched.covered)}:
        if check_symbol(symbol) != symbol:
            raise SymbolError(symbol)
    with catalog.reading() as connection:
        ahead = _compare(connection, checked, fetched, dataset)
    if ahead.empty:
        return Commit(unchanged=ahead.unchanged)
    with catalog.writing() as transaction:
        difference = _compare(transaction.connection, checked, fetched, dataset)
        if difference.empty:  # another process has just stored the same
            return Commit(unchanged=difference.unchanged, waited=transaction.waited)
        _store(transaction, difference, fetched, dataset)
    return Commit(
        new=difference.new.height,
        corrected=difference.corrected.height,
        withdrawn=difference.before.filter(pl.col("kind") == "withdrawn").height,
        unchanged=difference.unchanged,
        quarantined=difference.bad.height,
        snapshot=transaction.commit_id,
        waited=transaction.waited,
    )


def check_bars(bars: pl.DataFrame, dataset: str) -> _Checked:
    """Split bars into good ones, flagged and one a minute, and impossible ones with their rule.

    Raises:
        BadBarsError: Columns are missing or cannot be read as those of ``BAR_SCHEMA``.
    """
    try:
        frame = bars.select(BAR_SCHEMA.names()).cast(BAR_SCHEMA)
    except pl.exceptions.ColumnNotFoundError as error:
        missing = ", ".join(name for name in BAR_SCHEMA.names() if name not in bars.columns)
        raise BadBarsError(f"The bars have no column {missing}") from error
    except pl.exceptions.PolarsError as error:
        raise BadBarsError(f"The bars do not fit the schema ({error})") from error
    if frame["symbol"].null_count():
        raise BadBarsError("A bar has no symbol")
    rule = pl.coalesce(
        pl.when(~keeps.fill_null(value=False)).then(pl.lit(name))
        for name, keeps in check_dataset(dataset).rules.items()
    )
    ruled = frame.unique(_KEY, keep="last", maintain_order=True).with_columns(rule=rule)
    flags = pl.sum_horizontal(
        pl.when(odd.fill_null(value=False)).then(bit).otherwise(0)
        for bit, (_, odd) in BAR_FLAGS.items()
    ).cast(pl.Int32)
    good = ruled.filter(pl.col("rule").is_null()).drop("rule").with_columns(flags=flags).sort(_KEY)
    return _Checked(good, ruled.filter(pl.col("rule").is_not_null()))


def _compare(
    connection: duckdb.DuckDBPyConnection, checked: _Checked, fetched: Fetched, dataset: str
) -> _Difference:
    stored = _stored(connection, checked.good, fetched, dataset)
    values = [*BAR_VALUES]
    joined = checked.good.join(stored.select(*_KEY, *values), on=_KEY, how="left", suffix="_stored")
    known = checked.good.join(stored.select(_KEY), on=_KEY, how="semi")
    differs = pl.any_horizontal(
        ~pl.col(name).eq_missing(pl.col(f"{name}_stored")) for name in values
    )
    changed = (
        joined.join(known.select(_KEY), on=_KEY, how="semi")
        .filter(differs)
        .select(checked.good.columns)
    )
    corrected_before = stored.join(changed.select(_KEY), on=_KEY, how="semi").with_columns(
        kind=pl.lit("corrected")
    )
    gone = (
        _inside(stored, fetched.covered)
        .join(
            # A quarantined bar does not withdraw the good value we hold for its minute.
            pl.concat([checked.good.select(_KEY), checked.bad.select(_KEY)]),
            on=_KEY,
            how="anti",
        )
        .with_columns(kind=pl.lit("withdrawn"))
    )
    return _Difference(
        new=checked.good.join(stored.select(_KEY), on=_KEY, how="anti"),
        corrected=changed,
        before=pl.concat([corrected_before, gone]),
        unchanged=known.height - changed.height,
        bad=_new_bad(connection, checked.bad, fetched.source, dataset),
        uncovered=_uncovered(connection, fetched, dataset),
    )


def _stored(
    connection: duckdb.DuckDBPyConnection, bars: pl.DataFrame, fetched: Fetched, dataset: str
) -> pl.DataFrame:
    """The stored bars that the fetched ones or their intervals could touch."""
    reach = [
        bars.group_by("symbol").agg(start=pl.col("timestamp").min(), end=pl.col("timestamp").max()),
        pl.DataFrame(
            [(part.symbol, part.start, part.end) for part in fetched.covered],
            schema={
                "symbol": pl.String,
                "start": bars.schema["timestamp"],
                "end": bars.schema["timestamp"],
            },
            orient="row",
        ),
    ]
    spans = pl.concat(reach).group_by("symbol").agg(pl.col("start").min(), pl.col("end").max())
    columns = ", ".join(_STORED)
    found = [
        connection.execute(
            f"SELECT {columns} FROM {dataset} WHERE source = ? AND symbol = ? AND timestamp BETWEEN ? AND ?",
            [fetched.source, symbol, start, end],
        ).pl()
        for symbol, start, end in spans.sort("symbol").iter_rows()
    ]
    empty = {**bars.schema, "recorded_at": bars.schema["timestamp"]}
    return pl.concat([pl.DataFrame(schema=empty).select(_STORED), *found])


def _inside(stored: pl.DataFrame, parts: tuple[Covered, ...]) -> pl.DataFrame:
    inside = pl.lit(value=False)
    for part in parts:
        time = pl.col("timestamp")
        inside |= (pl.col("symbol") == part.symbol) & (time >= part.start) & (time < part.end)
    return stored.filter(inside)


def _new_bad(
    connection: duckdb.DuckDBPyConnection, bad: pl.DataFrame, source: str, dataset: str
) -> pl.DataFrame:
    """Those bad bars that are not in quarantine already, with the same values."""
    if bad.is_empty():
        return bad
    names = [*BAR_SCHEMA.names(), "rule"]
    known = connection.execute(
        f"SELECT {', '.join(names)} FROM quarantine WHERE dataset = ? AND source = ?",
        [dataset, source],
    ).pl()
    return bad.join(known.cast(pl.Schema(bad.schema)), on=names, how="anti", nulls_equal=True)


def _uncovered(
    connection: duckdb.DuckDBPyConnection, fetched: Fetched, dataset: str
) -> list[Covered]:
    ledger = {
        symbol: covered(connection, fetched.source, symbol, dataset)
        for symbol in {part.symbol for part in fetched.covered}
    }
    return [
        part for part in fetched.covered if subtract((part.start, part.end), ledger[part.symbol])
    ]


def _store(
    transaction: Transaction, difference: _Difference, fetched: Fetched, dataset: str
) -> None:
    write = _Writer(transaction, fetched, dataset)
    write.revisions(difference.before)
    write.bars(pl.concat([difference.new, difference.corrected]).sort(_KEY))
    write.quarantine(difference.bad)
    write.coverage(difference.uncovered)
    write.changes(difference)


class _Writer:
    """The statements of one commit."""

    def __init__(self, transaction: Transaction, fetched: Fetched, dataset: str) -> None:
        self._run = transaction.connection
        self._at, self._commit = transaction.recorded_at, transaction.commit_id
        self._source, self._job = fetched.source, fetched.job_id
        self._dataset = dataset

    def revisions(self, before: pl.DataFrame) -> None:
        """Move the old values of corrected and withdrawn bars out of the current ones."""
        if before.is_empty():
            return
        columns = ", ".join(_STORED[:-1])
        self._run.register("before", before)
        self._run.execute(
            f"""INSERT INTO bar_revisions (dataset, source, {columns}, recorded_at, superseded_at, kind)
                SELECT ?, ?, {columns}, recorded_at, ?, kind FROM before""",
            [self._dataset, self._source, self._at],
        )
        # The range lets DuckLake pass over every file that cannot hold the rows.
        low, high = before["timestamp"].min(), before["timestamp"].max()
        for symbol in before["symbol"].unique():
            self._run.execute(
                f"""DELETE FROM {self._dataset} WHERE source = ? AND symbol = ? AND timestamp BETWEEN ? AND ?
                    AND timestamp IN (SELECT timestamp FROM before WHERE symbol = ?)""",
                [self._source, symbol, low, high, symbol],
            )
        self._run.unregister("before")

    def bars(self, bars: pl.DataFrame) -> None:
        """Insert bars whose keys are free."""
        if bars.is_empty():
            return
        columns = ", ".join(_STORED[:-1])
        self._run.register("incoming", bars)
        self._run.execute(
            f"INSERT INTO {self._dataset} (source, {columns}, recorded_at) SELECT ?, {columns}, ? FROM incoming",
            [self._source, self._at],
        )
        self._run.execute(
            """INSERT INTO series SELECT DISTINCT ?, ?, symbol FROM incoming ANTI JOIN (
                 FROM series WHERE dataset = ? AND source = ?) USING (symbol)""",
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

    def changes(self, difference: _Difference) -> None:
        """Say which sessions this commit touched, and how."""
        kinds = {
            "new": difference.new,
            "corrected": difference.corrected,
            "withdrawn": difference.before.filter(pl.col("kind") == "withdrawn"),
        }
        touched = pl.concat(
            frame.select(
                "symbol", session=sessions.session_of(pl.col("timestamp")), kind=pl.lit(kind)
            )
            for kind, frame in kinds.items()
        ).unique()
        if touched.is_empty():
            return
        self._run.register("touched", touched.sort("symbol", "session", "kind"))
        self._run.execute(
            "INSERT INTO changes SELECT ?, ?, symbol, session, kind, ? FROM touched",
            [self._commit, self._source, self._at],
        )
        self._run.unregister("touched")
