"""ArcticDB (LMDB) on the same bars: prints a JSON object of medians in milliseconds.

python -m bench.peers.arctic BARS.parquet FOLDER
"""

import json
import sys
import time
from pathlib import Path

import arcticdb
import pandas as pd
import polars as pl

from bench.timing import milliseconds

DAY = (pd.Timestamp("2022-06-01 04:00"), pd.Timestamp("2022-06-02 04:00"))
HOURLY = {
    "open": ("open", "first"),
    "high": ("high", "max"),
    "low": ("low", "min"),
    "close": ("close", "last"),
    "volume": ("volume", "sum"),
}


def main() -> None:
    bars = pl.read_parquet(sys.argv[1]).drop("symbol").to_pandas().set_index("timestamp")
    bars.index = bars.index.tz_convert(None)
    store = arcticdb.Arctic(f"lmdb://{sys.argv[2]}?map_size=2GB")
    library = store.get_library("bars", create_if_missing=True)
    begun = time.perf_counter()
    library.write("SPY", bars)
    written = (time.perf_counter() - begun) * 1000
    hourly = arcticdb.QueryBuilder().resample("1h").agg(HOURLY)
    days = iter(range(1, 1000))

    def append() -> None:
        day = bars.iloc[-390:].copy()
        day.index += pd.Timedelta(days=next(days))
        library.append("SPY", day)

    size = sum(file.stat().st_size for file in Path(sys.argv[2]).rglob("*") if file.is_file())
    told = {
        "day": milliseconds(lambda: library.read("SPY", date_range=DAY).data),
        "five_years": milliseconds(lambda: library.read("SPY").data),
        "hour": milliseconds(lambda: library.read("SPY", query_builder=hourly).data),
        "write": written,
        "bytes_a_bar": size / len(bars),
        "append": milliseconds(append),
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
