"""TA-Lib's side: twenty columns, symbol by symbol from numpy, on one thread. Prints a JSON object.

python -m bench.peers.talib_twenty FILE...     a Parquet file of bars a symbol
"""

import json
import sys
from pathlib import Path

import polars as pl
import talib

from bench.timing import milliseconds


def twenty(bars: dict[str, object]) -> list[object]:
    """The columns of ``bench.features.TWENTY``."""
    high, low, close, volume = (bars[name] for name in ("high", "low", "close", "volume"))
    return [
        *(talib.SMA(close, width) for width in (20, 50, 200)),
        *(talib.EMA(close, width) for width in (12, 26)),
        talib.RSI(close, 14),
        *talib.MACD(close, 12, 26, 9),
        *talib.BBANDS(close, 20, 2, 2),
        talib.ATR(high, low, close, 14),
        talib.ADX(high, low, close, 14),
        talib.STDDEV(close, 20),
        talib.ROC(close, 10),
        talib.MOM(close, 10),
        talib.OBV(close, volume),
        *talib.STOCH(high, low, close, 14, 3, 0, 3, 0),
    ]


def main(files: list[Path]) -> dict[str, float]:
    """Milliseconds for all symbols."""
    names = ("high", "low", "close", "volume")
    symbols = [
        {name: column.to_numpy() for name, column in zip(names, frame, strict=True)}
        for frame in (pl.read_parquet(file, columns=list(names)) for file in files)
    ]
    return {"twenty": milliseconds(lambda: [twenty(bars) for bars in symbols], 5)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main([Path(name) for name in sys.argv[1:]])))
