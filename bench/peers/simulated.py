"""vectorbt and backtesting.py on the same bars and signals: prints a JSON object of medians in milliseconds.

python -m bench.peers.simulated BARS.parquet    columns as ``bench.simulation.bars`` gives them
"""

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtesting import Backtest, Strategy

CASH, OFF = 100_000.0, 2e-4


class Told(Strategy):
    """Buys and sells all where it is told to."""

    def init(self) -> None:
        """Nothing is computed."""

    def next(self) -> None:
        """Filled at the next open."""
        said = self.data.Said[-1]
        if said > 0 and not self.position:
            self.buy()
        elif said < 0 and self.position:
            self.position.close()


def main() -> None:
    bars = pd.read_parquet(sys.argv[1]).set_index("timestamp")
    bars.index = bars.index.tz_convert(None)
    fills = bars["open"].shift(-1).ffill()
    buys, sells = bars["said"] > 0, bars["said"] < 0

    def portfolio() -> Any:
        return vbt.Portfolio.from_signals(
            bars["close"], buys, sells, price=fills, slippage=OFF, init_cash=CASH, freq="1min"
        )

    named = bars.rename(columns=str.title)[["Open", "High", "Low", "Close", "Volume", "Said"]]
    named["Open"] = np.maximum(named["Open"], 0.01)
    test = Backtest(named, Told, cash=CASH, spread=OFF, finalize_trades=True)
    orders = len(portfolio().orders.records)
    told = {
        "orders": orders,
        "vectorbt": _milliseconds(lambda: portfolio().total_return(), 5),
        "vectorbt_stats": _milliseconds(lambda: portfolio().stats(), 3),
        "backtesting": _milliseconds(test.run, 1),
    }
    sys.stdout.write(json.dumps(told))


def _milliseconds(work: Callable[[], object], calls: int) -> float:
    """The median of some calls; the first one of all has compiled what is to be compiled."""
    times = []
    for _ in range(calls):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return median(times) * 1000


if __name__ == "__main__":
    main()
