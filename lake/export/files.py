"""One file of an export: written under another name and renamed when it is whole, and read again."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

#: A row of a plain file: what ``lake.bars`` gives, with the widths that a CSV is read back with.
SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "timestamp": pl.Datetime("us", "UTC"),
        **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64()),
        "trade_count": pl.Int64(),
        "vwap": pl.Float64(),
        "flags": pl.Int32(),
        "source": pl.String(),
        "session_date": pl.Date(),
        "is_regular": pl.Boolean(),
    }
)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_ROW_GROUP = 131_072


@dataclass(frozen=True)
class Draft:
    """A file under its temporary name, with the count and the hash of its rows."""

    path: Path
    rows: int
    content: str


def draft(path: Path, years: Iterable[pl.DataFrame]) -> Draft:
    """Write bars beside their final name, a year at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    rows, hashes = 0, []
    write = _parquet if path.suffix == ".parquet" else _csv

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for frame in years:
            if not frame.is_empty():
                rows += frame.height
                hashes.append(_content(frame.cast(SCHEMA)))
                yield frame.cast(SCHEMA)

    write(part, counted())
    return Draft(part, rows, joined(hashes))


def joined(hashes: Iterable[str]) -> str:
    """One hash of a file's rows from those of its years."""
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:32]


def digest(years: Iterable[pl.DataFrame]) -> tuple[int, str]:
    """Count and hash of bars, a year at a time."""
    rows, hashes = 0, []
    for frame in years:
        if not frame.is_empty():
            rows += frame.height
            hashes.append(_content(frame.cast(SCHEMA)))
    return rows, joined(hashes)


def counted_rows(path: Path) -> int:
    """How many rows a file says it has: from the foot of Parquet, from the lines of CSV."""
    if path.suffix == ".csv" or path.name.endswith(".csv.part"):
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def years_of(path: Path) -> Iterator[pl.DataFrame]:
    """The bars of a file, a year at a time.

    Raises:
        pl.exceptions.PolarsError, OSError: It is not there or not what we wrote.
    """
    if path.suffix == ".parquet":
        lazy = pl.scan_parquet(path, hive_partitioning=False)
    else:
        text = {**SCHEMA, "timestamp": pl.String()}
        time = pl.col("timestamp").str.to_datetime(_TIME).dt.replace_time_zone("UTC")
        lazy = pl.scan_csv(path, schema=text).with_columns(time)
    ends = lazy.select(
        first=pl.col("session_date").min(), last=pl.col("session_date").max()
    ).collect()
    first, last = ends.row(0)
    if first is None:
        return
    for year in range(first.year, last.year + 1):
        inside = pl.col("session_date").is_between(date(year, 1, 1), date(year, 12, 31))
        yield lazy.filter(inside).select(SCHEMA.names()).collect()


def _content(frame: pl.DataFrame) -> str:
    """SHA-256 of rows as ``SCHEMA``; the same for any chunking. Few calls: there are many small files."""
    found = hashlib.sha256()
    plain = frame.select(
        pl.exclude(pl.String, pl.Boolean).to_physical(), pl.col(pl.Boolean).cast(pl.UInt8)
    )
    for column in plain.get_columns():
        if column.null_count():
            found.update(column.is_null().to_numpy().tobytes())
        found.update(column.to_numpy().tobytes())
    for column in frame.select(pl.col(pl.String)).get_columns():
        found.update("\0".join(column.to_list()).encode() + b"\n")
    return found.hexdigest()


def _parquet(part: Path, years: Iterator[pl.DataFrame]) -> None:
    import pyarrow.parquet as pq

    schema = pl.DataFrame(schema=SCHEMA).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for frame in years:
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            writer.write_table(table, row_group_size=_ROW_GROUP)


def _csv(part: Path, years: Iterator[pl.DataFrame]) -> None:
    with part.open("wb") as file:
        pl.DataFrame(schema=SCHEMA).write_csv(file)
        for frame in years:
            frame.write_csv(file, include_header=False, datetime_format=_TIME)
