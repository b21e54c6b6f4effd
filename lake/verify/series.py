"""The bars of a series: keys, rules, flags, and the chain of their revisions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from lake.datasets import Dataset
from lake.schema import BAR_FLAGS, BAR_VALUES
from lake.sessions import session_of
from lake.verify.report import Finding

_ROW = ("symbol", "timestamp", *BAR_VALUES, "flags", "recorded_at")
_KEY = ["symbol", "timestamp"]
_KINDS = ("corrected", "withdrawn")


@dataclass(frozen=True)
class Batch:
    """Series of one dataset and source that are read together.

    Attributes:
        symbols: One where a table holds each symbol's bars in files of their own, else many.
    """

    dataset: Dataset
    source: str
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """What one snapshot has of a batch.

    Attributes:
        current: ``table`` and the columns of a bar, from all tables of the dataset.
        revisions: The columns of a bar, ``superseded_at`` and ``kind``.
    """

    current: pl.DataFrame
    revisions: pl.DataFrame


def read_batch(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Stored:
    """The bars of a batch, current and former; inside one transaction they are of one snapshot."""
    names, values = ", ".join(_ROW), {"source": batch.source, "symbols": list(batch.symbols)}
    chosen = "source = $source AND symbol IN (SELECT unnest($symbols))"
    if len(batch.symbols) == 1:  # a plain comparison lets DuckLake pass over other symbols' files
        chosen, values = (
            "source = $source AND symbol = $symbol",
            {
                "source": batch.source,
                "symbol": batch.symbols[0],
            },
        )
    tables = " UNION ALL ".join(
        f"SELECT '{table}' AS \"table\", {names} FROM {table} WHERE {chosen}"
        for table in batch.dataset.tables
    )
    former = f"""SELECT {names}, superseded_at, kind FROM bar_revisions
                 WHERE dataset = $dataset AND {chosen}"""
    return Stored(
        connection.execute(tables, values).pl(),
        connection.execute(former, {**values, "dataset": batch.dataset.name}).pl(),
    )


def sessions_of(batch: Batch, stored: Stored) -> pl.DataFrame:
    """``source symbol session`` of each session that has a bar, or a revision of one."""
    both = pl.concat([stored.current.select(_KEY), stored.revisions.select(_KEY)])
    return both.select(
        pl.lit(batch.source).alias("source"), "symbol", session=session_of(pl.col("timestamp"))
    ).unique()


def check_batch(batch: Batch, stored: Stored, clock: datetime | None) -> Iterator[Finding]:
    """What is wrong with the bars of a batch.

    Args:
        batch: Which series these are.
        stored: Their bars.
        clock: The newest ``recorded_at`` the lake gave, read after the bars; None if its file is lost.
    """
    yield from _twice(batch, stored.current)
    yield from _rules(batch, stored.current)
    yield from _flags(batch, stored.current)
    yield from _chain(batch, stored)
    if clock is not None:
        yield from _future(batch, stored, clock)


def _twice(batch: Batch, current: pl.DataFrame) -> Iterator[Finding]:
    keys = current.group_by(_KEY).agg(pl.len(), pl.col("table").unique().sort())
    again = keys.filter(pl.col("len") > 1)
    for where, symbol, rows in _by_symbol(again, with_table=True):
        yield _finding(
            "key twice",
            batch,
            symbol,
            f"{_count(rows, 'minute')} of {symbol} from {batch.source} stored more than once in {where}, {_when(rows)}",
            f"Delete {symbol} and ingest it again, or restore a backup.",
        )


def _rules(batch: Batch, current: pl.DataFrame) -> Iterator[Finding]:
    for name, keeps in batch.dataset.rules.items():
        broken = current.filter(~keeps.fill_null(value=False))
        for _, symbol, rows in _by_symbol(broken):
            yield _finding(
                "rule broken",
                batch,
                symbol,
                f"{_count(rows, 'bar')} of {symbol} from {batch.source} break the rule that {name}, {_when(rows)}",
                "Restore the files from a backup.",
            )


def _flags(batch: Batch, current: pl.DataFrame) -> Iterator[Finding]:
    expected = pl.sum_horizontal(
        pl.when(odd.fill_null(value=False)).then(bit).otherwise(0)
        for bit, (_, odd) in BAR_FLAGS.items()
    )
    wrong = current.filter(~pl.col("flags").cast(pl.Int64).eq_missing(expected.cast(pl.Int64)))
    for _, symbol, rows in _by_symbol(wrong):
        yield _finding(
            "flags",
            batch,
            symbol,
            f"{_count(rows, 'bar')} of {symbol} from {batch.source} have flags that their values do not, {_when(rows)}",
            "Restore the files from a backup.",
        )


def _chain(batch: Batch, stored: Stored) -> Iterator[Finding]:
    """Each value held from its ``recorded_at`` until it was superseded, one after another."""
    revisions = stored.revisions
    if revisions.is_empty():
        return
    ordered = revisions.sort(*_KEY, "superseded_at")
    before = pl.col("superseded_at").shift(1).over(_KEY)
    last = revisions.group_by(_KEY).agg(
        pl.col("superseded_at").max(), pl.col("kind").sort_by("superseded_at").last()
    )
    joined = last.join(
        stored.current.select(*_KEY, known="recorded_at").unique(_KEY), on=_KEY, how="left"
    )
    wrong = {
        "a kind other than corrected and withdrawn": ordered.filter(~pl.col("kind").is_in(_KINDS)),
        "an end that is not after its beginning": ordered.filter(
            pl.col("superseded_at") <= pl.col("recorded_at")
        ),
        "a beginning before the end of the one before it": ordered.filter(
            pl.col("recorded_at") < before
        ),
        "an end after the beginning of the current value": joined.filter(
            pl.col("known") < pl.col("superseded_at")
        ),
        "a correction whose newer value is nowhere": joined.filter(
            pl.col("known").is_null() & (pl.col("kind") == "corrected")
        ),
    }
    for problem, rows_of in wrong.items():
        for _, symbol, rows in _by_symbol(rows_of):
            yield _finding(
                "revisions chain",
                batch,
                symbol,
                f"{_count(rows, 'revision')} of {symbol} from {batch.source} have {problem}, {_when(rows)}",
                "Ingest the range again, or restore a backup.",
            )


def _future(batch: Batch, stored: Stored, clock: datetime) -> Iterator[Finding]:
    recorded = pl.concat(
        [
            stored.current.select(*_KEY, "recorded_at"),
            stored.revisions.select(*_KEY, recorded_at="superseded_at"),
        ]
    )
    for _, symbol, rows in _by_symbol(recorded.filter(pl.col("recorded_at") > clock)):
        yield _finding(
            "clock",
            batch,
            symbol,
            f"{_count(rows, 'bar')} of {symbol} from {batch.source} were recorded after the lake's clock "
            f"({clock.isoformat()}), {_when(rows)}",
            "Remove the file duckdb/clock while nothing writes: the next commit makes it anew.",
        )


def _by_symbol(
    frame: pl.DataFrame, *, with_table: bool = False
) -> Iterator[tuple[str, str, pl.DataFrame]]:
    for (symbol,), rows in frame.group_by("symbol", maintain_order=True):
        tables = sorted({name for names in rows["table"] for name in names}) if with_table else []
        yield " and ".join(tables), str(symbol), rows


def _finding(kind: str, batch: Batch, symbol: str, problem: str, remedy: str) -> Finding:
    place = f"{batch.dataset.name} {batch.source} {symbol}"
    return Finding(kind, place, f"{batch.dataset.name}: {problem}. {remedy}")


def _count(rows: pl.DataFrame, noun: str) -> str:
    return f"{rows.height:,} {noun}" if rows.height == 1 else f"{rows.height:,} {noun}s"


def _when(rows: pl.DataFrame) -> str:
    """The first moment and the sessions."""
    days = rows.select(day=session_of(pl.col("timestamp")))["day"].unique().sort()
    first = rows["timestamp"].min()
    if first is None or days.drop_nulls().is_empty():
        return "at no time"
    stamp = first.isoformat().replace("+00:00", "Z")  # type: ignore[union-attr]
    more = "" if len(days) == 1 else f" and in {len(days) - 1:,} more up to {days[-1]}"
    return f"first at {stamp}, in session {days.drop_nulls()[0]}{more}"
