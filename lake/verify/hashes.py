"""A hash of what is stored, a symbol and session each: equal hashes, equal bars.

Used to compare a lake with its backup, and two runs that should have stored the same. When a bar was
learnt is no part of it; its key and its values are, to the bit.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import polars as pl

from lake.datasets import DATASETS, Dataset
from lake.schema import BAR_VALUES
from lake.sessions import session_of

if TYPE_CHECKING:
    import duckdb

    from lake.store import Lake

HASH_SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "source": pl.String(),
        "symbol": pl.String(),
        "session": pl.Date(),  # the New York date
        "bars": pl.Int64(),
        "hash": pl.String(),  # 32 hexadecimal digits
    }
)


def content_hashes(lake: "Lake", symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """The hash of every symbol-session of a lake, as ``HASH_SCHEMA``, sorted.

    One series at a time, all from one snapshot.
    """
    with lake.reading() as connection:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        parts = [
            _hashed(connection, dataset, source, symbol)
            for dataset, source, symbol in _series(connection, symbols)
        ]
    empty = pl.DataFrame(schema=HASH_SCHEMA)
    return pl.concat([empty, *parts]).sort("dataset", "source", "symbol", "session")


def hash_sessions(bars: pl.DataFrame) -> pl.DataFrame:
    """``session``, ``bars`` and ``hash`` of one symbol's bars of one source.

    Args:
        bars: ``timestamp`` (UTC, microseconds) and the values of a bar, in any order.

    Returns:
        A row for each New York date with bars, sorted.
    """
    ordered = bars.with_columns(session=session_of(pl.col("timestamp"))).sort("timestamp")
    columns = [column for name in ("timestamp", *BAR_VALUES) for column in _bytes(ordered[name])]
    lengths = ordered.group_by("session", maintain_order=True).len()
    hashes, begin = [], 0
    for length in lengths["len"]:
        digest = hashlib.blake2b(digest_size=16)
        for column, width in columns:
            digest.update(column[begin * width : (begin + length) * width])
        hashes.append(digest.hexdigest())
        begin += length
    return lengths.select("session", bars=pl.col("len").cast(pl.Int64)).with_columns(
        hash=pl.Series(hashes, dtype=pl.String)
    )


def _bytes(values: pl.Series) -> Iterator[tuple[bytes, int]]:
    """The bytes of a column, null as zero, and which are null; each with its width a row."""
    whole = values.dt.epoch("us") if values.dtype.is_temporal() else values
    kind, shape = (pl.Float64, "<f8") if whole.dtype.is_float() else (pl.Int64, "<i8")
    yield whole.cast(kind).fill_null(0).to_numpy().astype(shape).tobytes(), 8
    yield whole.is_null().cast(pl.UInt8).to_numpy().tobytes(), 1


def _series(
    connection: "duckdb.DuckDBPyConnection", symbols: Sequence[str] | None
) -> list[tuple[Dataset, str, str]]:
    rows = connection.execute(
        "SELECT DISTINCT dataset, source, symbol FROM series ORDER BY ALL"
    ).fetchall()
    return [
        (DATASETS[name], source, symbol)
        for name, source, symbol in rows
        if symbols is None or symbol in symbols
    ]


def _hashed(
    connection: "duckdb.DuckDBPyConnection", dataset: Dataset, source: str, symbol: str
) -> pl.DataFrame:
    names = ", ".join(["timestamp", *BAR_VALUES])
    query = " UNION ALL ".join(
        f"SELECT {names} FROM {table} WHERE source = $source AND symbol = $symbol"
        for table in dataset.tables
    )
    bars = connection.execute(query, {"source": source, "symbol": symbol}).pl()
    return hash_sessions(bars).select(
        pl.lit(dataset.name).alias("dataset"),
        pl.lit(source).alias("source"),
        pl.lit(symbol).alias("symbol"),
        "session",
        "bars",
        "hash",
    )
