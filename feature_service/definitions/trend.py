"""Where the price has been lately: means, how far the close is from them, and the range of the newest bars."""

import polars as pl

from feature_service.recursion import Ewm
from feature_service.registry import feature
from feature_service.windows import (
    rolling_highest,
    rolling_lowest,
    rolling_mean,
    rolling_weighted_mean,
)

_APPEL = "Appel, Technical Analysis: Power Tools for Active Investors (2005); TA-Lib MACD"
_MACD = [{"fast": 12, "slow": 26, "signal": 9}]
_DONCHIAN = "Donchian channel: highest high and lowest low"
_HALFWAY = 0.5


@feature(
    "sma_{bars}",
    group="trend",
    unit="USD per share",
    source="TA-Lib SMA",
    each=[{"bars": bars} for bars in (5, 10, 20, 50, 60, 100, 200)],
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, None),
)
def sma(bars: int) -> pl.Expr:
    """Mean close of the newest bars, the current one among them."""
    return rolling_mean("close", bars)


@feature(
    "ema_{bars}",
    group="trend",
    unit="USD per share",
    source="TA-Lib EMA, seeded with the mean of the first closes",
    each=[{"bars": bars} for bars in (9, 12, 26, 50, 200)],
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, None),
)
def ema(bars: int) -> Ewm:
    """Exponential mean of the close with weight 2 / (bars + 1)."""
    return Ewm(pl.col("close"), first=0, width=bars, alpha=2 / (bars + 1))


@feature(
    "wma_{bars}",
    group="trend",
    unit="USD per share",
    source="TA-Lib WMA",
    each=[{"bars": 20}],
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, None),
)
def wma(bars: int) -> pl.Expr:
    """Mean close of the newest bars, weighing 1 for the oldest and one more for each after it."""
    return rolling_weighted_mean("close", bars)


@feature(
    "sma_distance_{bars}",
    group="trend",
    unit="share of the mean",
    source="close / SMA - 1",
    each=[{"bars": bars} for bars in (5, 20, 50, 200)],
    warm_up=lambda bars: bars - 1,
    parents=["sma_{bars}"],
    value_range=(-1.0, None),
)
def sma_distance(bars: int) -> pl.Expr:
    """How far the close is above its mean."""
    return pl.col("close") / pl.col(f"sma_{bars}") - 1


@feature(
    "ema_distance_{bars}",
    group="trend",
    unit="share of the mean",
    source="close / EMA - 1",
    each=[{"bars": bars} for bars in (9, 26, 50, 200)],
    warm_up=lambda bars: bars - 1,
    parents=["ema_{bars}"],
    value_range=(-1.0, None),
)
def ema_distance(bars: int) -> pl.Expr:
    """How far the close is above its exponential mean."""
    return pl.col("close") / pl.col(f"ema_{bars}") - 1


@feature(
    "_macd_fast_{fast}_{slow}",
    group="trend",
    unit="USD per share",
    source=_APPEL,
    each=[{"fast": 12, "slow": 26}],
    warm_up=lambda slow, **_: slow - 1,
)
def macd_fast(fast: int, slow: int) -> Ewm:
    """The fast mean of MACD, which TA-Lib seeds so late that it begins with the slow one."""
    return Ewm(pl.col("close"), first=slow - fast, width=fast, alpha=2 / (fast + 1))


@feature(
    "macd_{fast}_{slow}_{signal}",
    group="trend",
    unit="USD per share",
    source=_APPEL,
    each=_MACD,
    warm_up=lambda slow, **_: slow - 1,
    parents=["_macd_fast_{fast}_{slow}", "ema_{slow}"],
)
def macd(fast: int, slow: int, **_: int) -> pl.Expr:
    """MACD's line: the fast exponential mean of the close less the slow one."""
    return pl.col(f"_macd_fast_{fast}_{slow}") - pl.col(f"ema_{slow}")


@feature(
    "macd_signal_{fast}_{slow}_{signal}",
    group="trend",
    unit="USD per share",
    source=_APPEL,
    each=_MACD,
    warm_up=lambda slow, signal, **_: slow + signal - 2,
    parents=["macd_{fast}_{slow}_{signal}"],
)
def macd_signal(fast: int, slow: int, signal: int) -> Ewm:
    """MACD's signal: the exponential mean of its line."""
    line = pl.col(f"macd_{fast}_{slow}_{signal}")
    return Ewm(line, first=slow - 1, width=signal, alpha=2 / (signal + 1))


@feature(
    "macd_histogram_{fast}_{slow}_{signal}",
    group="trend",
    unit="USD per share",
    source=_APPEL,
    each=_MACD,
    warm_up=lambda slow, signal, **_: slow + signal - 2,
    parents=["macd_{fast}_{slow}_{signal}", "macd_signal_{fast}_{slow}_{signal}"],
)
def macd_histogram(fast: int, slow: int, signal: int) -> pl.Expr:
    """MACD's histogram: its line less its signal."""
    windows = f"{fast}_{slow}_{signal}"
    return pl.col(f"macd_{windows}") - pl.col(f"macd_signal_{windows}")


@feature(
    "high_{bars}",
    group="trend",
    unit="USD per share",
    source=f"{_DONCHIAN}; TA-Lib MAX of the high",
    each=[{"bars": bars} for bars in (14, 20, 60)],
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, None),
)
def highest(bars: int) -> pl.Expr:
    """Highest price of the newest bars, the current one among them."""
    return rolling_highest("high", bars)


@feature(
    "low_{bars}",
    group="trend",
    unit="USD per share",
    source=f"{_DONCHIAN}; TA-Lib MIN of the low",
    each=[{"bars": bars} for bars in (14, 20, 60)],
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, None),
)
def lowest(bars: int) -> pl.Expr:
    """Lowest price of the newest bars, the current one among them."""
    return rolling_lowest("low", bars)


@feature(
    "donchian_position_{bars}",
    group="trend",
    unit="0 at the lowest low, 1 at the highest high",
    source=_DONCHIAN,
    each=[{"bars": bars} for bars in (20, 60)],
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, 1.0),
    parents=["high_{bars}", "low_{bars}"],
)
def donchian_position(bars: int) -> pl.Expr:
    """Where the close lies in the range of the newest bars; 0.5 where the price stood still."""
    high, low = pl.col(f"high_{bars}"), pl.col(f"low_{bars}")
    position = (pl.col("close") - low) / (high - low)
    return pl.when(high > low).then(position).when(high == low).then(_HALFWAY)


@feature(
    "close_zscore_{bars}",
    group="trend",
    unit="standard deviations",
    source="(close - mean) / deviation of the population",
    each=[{"bars": bars} for bars in (20, 60)],
    warm_up=lambda bars: bars - 1,
    null_rule="where the close stood still for {bars} bars",
    null_when=lambda bars: pl.col(f"std_{bars}") == 0,
    parents=["sma_{bars}", "std_{bars}"],
)
def close_zscore(bars: int) -> pl.Expr:
    """How unusual the close is among the newest bars."""
    deviation = pl.col(f"std_{bars}")
    return pl.when(deviation > 0).then((pl.col("close") - pl.col(f"sma_{bars}")) / deviation)
