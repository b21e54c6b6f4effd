"""How files of bars are best written: compression, row groups and partitions, beside each other.

python -m bench.layouts [BARS.parquet]    made-up bars without a file; a file has the lake's columns of
                                          bars of one symbol, some years of minutes

Prints a table and writes bench/results/layouts.json. ADR 2 and ADR 10 chose by it.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl

from bench import market
from bench.timing import milliseconds
from lake import sessions

RESULTS = Path(__file__).parent / "results" / "layouts.json"
_TIME = pl.col("timestamp")


@dataclass(frozen=True)
class Layout:
    """One way to write the bars of a symbol."""

    compression: str = "uncompressed"
    row_group: int = 32_768
    version: str = "v1"
    partition: str = "year"

    @property
    def name(self) -> str:
        """All of it, in a few words."""
        return (
            f"{self.compression} {self.version}, {self.row_group} rows, a file a {self.partition}"
        )


@dataclass(frozen=True)
class Found:
    """What a layout costs: milliseconds to write, bytes a bar, milliseconds to read."""

    layout: str
    write: float
    bytes_a_bar: float
    day: float
    all_years: float
    files: int


LAYOUTS = (
    Layout(),
    Layout(row_group=8_192),
    Layout(row_group=122_880),
    Layout(version="v2"),
    Layout("lz4"),
    Layout("lz4", version="v2"),
    Layout("lz4", row_group=122_880),
    Layout("snappy"),
    Layout("zstd"),
    Layout("zstd", row_group=122_880),
    Layout(partition="month"),
    Layout(partition="day"),
)


def main() -> None:
    """Measure every layout and print them, the chosen one first."""
    bars = _bars()
    found = []
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory(prefix="barlake-layouts-") as folder:
            found.append(_measured(layout, bars, Path(folder)))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=60, float_precision=1):
        print(pl.DataFrame(found))


def _bars() -> pl.DataFrame:
    """Bars as the lake stores them, sorted, with what every row repeats."""
    bars = pl.read_parquet(sys.argv[1]) if len(sys.argv) > 1 else market.minutes("SPY")
    known = pl.lit(date(2024, 1, 2)).cast(pl.Datetime("us", "UTC"))
    return bars.with_columns(
        symbol=pl.lit("SPY"), source=pl.lit("alpaca:sip"), flags=pl.lit(0), recorded_at=known
    ).sort("timestamp")


def _measured(layout: Layout, bars: pl.DataFrame, folder: Path) -> Found:
    writer = duckdb.connect()
    writer.execute("SET TimeZone = 'UTC'")
    parts = list(_parts(bars, layout.partition))

    def write() -> None:
        for number, part in enumerate(parts):
            writer.register("part", part)
            writer.execute(
                f"COPY part TO '{folder}/{number:05}.parquet' (FORMAT parquet, COMPRESSION {layout.compression}, "
                f"ROW_GROUP_SIZE {layout.row_group}, PARQUET_VERSION {layout.version})"
            )
            writer.unregister("part")

    written = milliseconds(write, 3)
    files = sorted(folder.glob("*.parquet"))
    size = sum(file.stat().st_size for file in files)
    middle = bars["timestamp"][bars.height // 2]
    first = sessions.midnight(sessions.today(middle))
    last = first + timedelta(days=1)
    held = [
        file
        for file, part in zip(files, parts, strict=True)
        if part["timestamp"][-1] >= first and part["timestamp"][0] < last
    ]
    columns = [name for name in bars.columns if name not in {"symbol", "source", "recorded_at"}]
    inside = pl.col("timestamp").is_between(first, last, closed="left")
    return Found(
        layout=layout.name,
        write=written,
        bytes_a_bar=size / bars.height,
        day=milliseconds(lambda: pl.scan_parquet(held).filter(inside).select(columns).collect()),
        all_years=milliseconds(lambda: pl.scan_parquet(files).select(columns).collect()),
        files=len(files),
    )


def _parts(bars: pl.DataFrame, partition: str) -> Iterator[pl.DataFrame]:
    every = {"year": "1y", "month": "1mo", "day": "1d"}[partition]
    for _, part in bars.group_by(_TIME.dt.truncate(every), maintain_order=True):
        yield part


if __name__ == "__main__":
    main()
