"""How one-sided the latest moves were."""

import numpy as np
import polars as pl

from feature_service import halves
from feature_service.compiled import Values
from feature_service.recursion import Ewm
from feature_service.registry import feature
from feature_service.windows import mapped, over, rolling_mean

_HALF = 0.5
_NEITHER_SIDE = 50.0
_WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)"
_LANE = "Lane, Lane's Stochastics (1984)"
_LAMBERT = "Lambert, Commodity Channel Index (1980); TA-Lib CCI"
_FOURTEEN = [{"bars": 14}]
_RSI = [{"bars": bars} for bars in (7, 14, 21)]
_SMOOTHED = 3
# Means of three prices that are the same may differ by their rounding; TA-Lib sees no move there too.
_A_MOVE = 1 + 1e-12
# Lambert's constant, so that most values lie between -100 and 100.
_USUAL = 0.015


@feature(
    "_move",
    group="momentum",
    unit="USD per share",
    source="TA-Lib MOM over one bar",
    warm_up=lambda: 1,
)
def move() -> pl.Expr:
    """The close less the close before."""
    return pl.col("close").diff()


@feature(
    "_rsi_up_{bars}",
    group="momentum",
    unit="USD per share",
    source=_WILDER,
    each=_RSI,
    warm_up=lambda bars: bars,
    parents=["_move"],
)
def rsi_up(bars: int) -> Ewm:
    """Wilder's mean of the rises."""
    return Ewm(pl.col("_move").clip(lower_bound=0.0), first=1, width=bars, alpha=1 / bars)


@feature(
    "_rsi_down_{bars}",
    group="momentum",
    unit="USD per share",
    source=_WILDER,
    each=_RSI,
    warm_up=lambda bars: bars,
    parents=["_move"],
)
def rsi_down(bars: int) -> Ewm:
    """Wilder's mean of the falls."""
    return Ewm((-pl.col("_move")).clip(lower_bound=0.0), first=1, width=bars, alpha=1 / bars)


@feature(
    "rsi_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_WILDER}; TA-Lib RSI",
    each=_RSI,
    warm_up=lambda bars: bars,
    value_range=(0.0, 100.0),
    parents=["_rsi_up_{bars}", "_rsi_down_{bars}"],
)
def rsi(bars: int) -> pl.Expr:
    """Wilder's relative strength index; 50 while no price has moved yet."""
    up, down = pl.col(f"_rsi_up_{bars}"), pl.col(f"_rsi_down_{bars}")
    return 100.0 * over(up, up + down, _HALF)


@feature(
    "stoch_k_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_LANE}; TA-Lib STOCHF, fast %K",
    each=_FOURTEEN,
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, 100.0),
    parents=["high_{bars}", "low_{bars}"],
)
def stoch_k(bars: int) -> pl.Expr:
    """Where the close lies in the range of the newest bars (fast %K); 50 where the price stood still."""
    high, low = pl.col(f"high_{bars}"), pl.col(f"low_{bars}")
    return 100.0 * over(pl.col("close") - low, high - low, _HALF)


@feature(
    "stoch_d_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_LANE}; TA-Lib STOCHF, fast %D, and STOCH, slow %K",
    each=_FOURTEEN,
    warm_up=lambda bars: bars + _SMOOTHED - 2,
    value_range=(0.0, 100.0),
    parents=["stoch_k_{bars}"],
)
def stoch_d(bars: int) -> pl.Expr:
    """Mean of the newest three fast %K: the fast %D, which is the slow %K."""
    return rolling_mean(f"stoch_k_{bars}", _SMOOTHED)


@feature(
    "stoch_slow_d_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_LANE}; TA-Lib STOCH, slow %D",
    each=_FOURTEEN,
    warm_up=lambda bars: bars + 2 * _SMOOTHED - 3,
    value_range=(0.0, 100.0),
    parents=["stoch_d_{bars}"],
)
def stoch_slow_d(bars: int) -> pl.Expr:
    """Mean of the newest three slow %K: the slow %D."""
    return rolling_mean(f"stoch_d_{bars}", _SMOOTHED)


@feature(
    "williams_r_{bars}",
    group="momentum",
    unit="-100 to 0",
    source="Williams, How I Made One Million Dollars (1973); TA-Lib WILLR",
    each=_FOURTEEN,
    warm_up=lambda bars: bars - 1,
    value_range=(-100.0, 0.0),
    parents=["high_{bars}", "low_{bars}"],
)
def williams_r(bars: int) -> pl.Expr:
    """How far the close is below the highest high (%R); -50 where the price stood still."""
    high, low = pl.col(f"high_{bars}"), pl.col(f"low_{bars}")
    return -100.0 * over(high - pl.col("close"), high - low, _HALF)


@feature(
    "_typical_price",
    group="momentum",
    unit="USD per share",
    source="TA-Lib TYPPRICE",
)
def typical_price() -> pl.Expr:
    """Mean of high, low and close."""

    def mean(high: Values, low: Values, close: Values) -> Values:
        return (high + low + close) / 3  # polars would multiply by a third, which is not the same

    return mapped(mean, "high", "low", "close")


@feature(
    "cci_{bars}",
    group="momentum",
    unit="most values from -100 to 100",
    source=_LAMBERT,
    each=[{"bars": 20}],
    warm_up=lambda bars: bars - 1,
    parents=["_typical_price"],
)
def cci(bars: int) -> pl.Expr:
    """Commodity channel index: the typical price's distance from its mean in mean distances; 0 where it stood still."""

    def index(prices: Values) -> Values:
        usual = halves.mean_distances(prices, bars)
        usual[usual == 0] = 1.0
        return (prices - halves.means(prices, bars)) / (_USUAL * usual)

    return mapped(index, "_typical_price")


@feature(
    "roc_{bars}",
    group="momentum",
    unit="per cent of the earlier close",
    source="TA-Lib ROC",
    each=[{"bars": 10}],
    warm_up=lambda bars: bars,
    value_range=(-100.0, None),
)
def roc(bars: int) -> pl.Expr:
    """Rate of change: how far the close has moved over a count of bars."""
    return 100.0 * (pl.col("close") / pl.col("close").shift(bars) - 1)


@feature(
    "momentum_{bars}",
    group="momentum",
    unit="USD per share",
    source="TA-Lib MOM",
    each=[{"bars": 10}],
    warm_up=lambda bars: bars,
)
def momentum(bars: int) -> pl.Expr:
    """The close less the close a count of bars ago."""
    return pl.col("close") - pl.col("close").shift(bars)


@feature(
    "mfi_{bars}",
    group="momentum",
    unit="0 to 100",
    source="Quong and Soudack, Volume-weighted RSI: Money Flow (1989); TA-Lib MFI",
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    value_range=(0.0, 100.0),
    parents=["_typical_price"],
)
def mfi(bars: int) -> pl.Expr:
    """Money flow index: the share of rising money; 50 while none flows either way."""

    def index(prices: Values, volume: Values) -> Values:
        before = np.concatenate([[np.nan], prices[:-1]])
        money = prices * volume
        money[:1] = np.nan
        up = halves.means(money * (prices > before * _A_MOVE), bars)
        both = up + halves.means(money * (before > prices * _A_MOVE), bars)
        share = up / np.where(both == 0, 1.0, both)
        return np.where(both == 0, _NEITHER_SIDE, 100.0 * share)

    return mapped(index, "_typical_price", "volume")
