"""Where the price has been lately."""

import polars as pl

from feature_service.recursion import Ewm
from feature_service.registry import feature
from feature_service.windows import rolling_mean


@feature(
    "sma_{bars}",
    group="trend",
    unit="USD per share",
    source="TA-Lib SMA",
    each=[{"bars": bars} for bars in (5, 20, 50, 200)],
    warm_up=lambda bars: bars - 1,
)
def sma(bars: int) -> pl.Expr:
    """Mean close of the newest bars, the current one among them."""
    return rolling_mean("close", bars)


@feature(
    "ema_{bars}",
    group="trend",
    unit="USD per share",
    source="TA-Lib EMA, seeded with the mean of the first closes",
    each=[{"bars": bars} for bars in (12, 26)],
    warm_up=lambda bars: bars - 1,
)
def ema(bars: int) -> Ewm:
    """Exponential mean of the close with weight 2 / (bars + 1)."""
    return Ewm(pl.col("close"), first=0, width=bars, alpha=2 / (bars + 1))
