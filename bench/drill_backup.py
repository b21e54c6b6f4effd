"""A timed drill: save a lake, save it again, restore it elsewhere, and verify both by content.

    python bench/drill_backup.py [SYMBOLS] [COMMITS]

Makes a lake of SYMBOLS series with COMMITS files each (default 500 x 4), each a session of 390 bars, and of
one series of two years, and prints rates and what they mean for 500 symbols x 2 years.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

import lake
from lake.backup import backup, restore
from lake.verify import content_hashes, verify

YEARS_BARS = 2 * 252 * 390
FILES_A_SYMBOL = 2 + 2  # two years, and what upkeep has not merged yet


def bars(symbol: str, start: datetime, count: int) -> pl.DataFrame:
    """A random walk, a bar a minute."""
    random = np.random.default_rng(abs(hash((symbol, start))) % 2**32)
    close = 100 * np.exp(np.cumsum(random.normal(0, 5e-4, count)))
    times = [start + timedelta(minutes=minute) for minute in range(count)]
    return pl.DataFrame(
        {
            "symbol": symbol,
            "timestamp": times,
            "open": close,
            "high": close * 1.001,
            "low": close * 0.999,
            "close": close.round(2).clip(close * 0.999, close * 1.001),
            "volume": random.integers(1, 10_000, count).astype(float),
            "trade_count": random.integers(1, 500, count),
            "vwap": close,
        },
        schema=lake.BAR_SCHEMA,
    )


def fill(home: Path, symbols: int, commits: int) -> int:
    """Make the lake; gives the bytes of one symbol's two years."""
    names = [f"S{number:03}" for number in range(symbols)]
    with lake.open(home, create=True) as store:
        first = datetime(2023, 1, 3, 14, 30, tzinfo=UTC)
        store.commit_bars(lake.Fetched("drill:sip", bars("LONG", first, YEARS_BARS)))
        long = sum(file.stat().st_size for file in home.rglob("*symbol=LONG/*/*.parquet"))
        for day in range(commits):
            start = datetime(2024, 11, 4, 14, 30, tzinfo=UTC) + timedelta(days=day)
            for part in range(0, symbols, 100):
                frames = [bars(name, start, 390) for name in names[part : part + 100]]
                store.commit_bars(lake.Fetched("drill:sip", pl.concat(frames)))
    return long


def main() -> None:
    """Run the drill and print it."""
    symbols, commits = (int(value) for value in [*sys.argv[1:], "500", "4"][:2])
    with tempfile.TemporaryDirectory() as folder:
        home, saved, again = (Path(folder) / name for name in ("home", "saved", "again"))
        long = fill(home, symbols, commits)
        with lake.open(home) as store:
            first, second = backup(store, saved), backup(store, saved)
            back = restore(saved, again)
            begun = time.perf_counter()
            report = verify(store)
            hashes = content_hashes(store)
        with lake.open(again) as other:
            same = content_hashes(other).equals(hashes)
        for name, done in (("backup", first), ("backup again", second), ("restore", back)):
            rate = f"{done.files / done.seconds:,.0f} files/s, {done.bytes / done.seconds / 1e6:,.0f} MB/s"
            print(
                f"{name:14} {done.files:,} files, {done.bytes / 1e6:,.1f} MB in {done.seconds:.2f} s: {rate}"
            )
        print(
            f"verify         {report.files:,} files, {report.bars:,} bars in {report.seconds:.1f} s: {report.right}"
        )
        print(
            f"equal by content: {same}; hashed in {time.perf_counter() - begun - report.seconds:.1f} s"
        )
        files = 500 * FILES_A_SYMBOL
        print(
            f"two years of one symbol: {long / 1e6:.1f} MB ({long / YEARS_BARS:.1f} bytes a bar); 500 symbols: "
            f"{long * 500 / 1e9:.1f} GB in {files:,} files"
        )


if __name__ == "__main__":
    main()
