"""Realised volatility from open, high, low and close, which say more than the closes alone.

Each bar counts as a day does in the papers: "overnight" is what lies between two bars.
"""

import math

import polars as pl

from feature_service.registry import feature
from feature_service.windows import rolling_mean, rolling_variance

_WINDOWS = [{"bars": bars} for bars in (20, 60)]
_UNIT = "log return per bar"
_PARKINSON = "Parkinson, The Extreme Value Method for Estimating the Variance (1980)"
_GARMAN_KLASS = "Garman and Klass, On the Estimation of Security Price Volatilities (1980)"
_YANG_ZHANG = "Yang and Zhang, Drift-Independent Volatility Estimation (2000)"
_OF_A_WALK = 1 / (4 * math.log(2))
_BODY = 2 * math.log(2) - 1


@feature("_range_squared", group="volatility", unit=_UNIT, source=_PARKINSON)
def range_squared() -> pl.Expr:
    """Square of the logarithm of high over low."""
    width = (pl.col("high") / pl.col("low")).log()
    return width * width


@feature("_body", group="volatility", unit=_UNIT, source="ln(close / open)")
def body() -> pl.Expr:
    """Logarithm of close over open."""
    return (pl.col("close") / pl.col("open")).log()


@feature(
    "_jump",
    group="volatility",
    unit=_UNIT,
    source="ln(open / close before)",
    warm_up=lambda: 1,
)
def jump() -> pl.Expr:
    """Logarithm of the open over the close of the bar before."""
    return (pl.col("open") / pl.col("close").shift(1)).log()


@feature(
    "_rogers_satchell",
    group="volatility",
    unit=_UNIT,
    source="Rogers and Satchell, Estimating Variance from High, Low and Closing Prices (1991)",
    parents=["_body"],
)
def rogers_satchell() -> pl.Expr:
    """Variance of one bar whatever its drift."""
    body = pl.col("_body")
    high = (pl.col("high") / pl.col("open")).log()
    low = (pl.col("low") / pl.col("open")).log()
    return high * (high - body) + low * (low - body)


@feature(
    "_garman_klass",
    group="volatility",
    unit=_UNIT,
    source=_GARMAN_KLASS,
    parents=["_range_squared", "_body"],
)
def garman_klass_of_a_bar() -> pl.Expr:
    """Variance of one bar without a drift."""
    return 0.5 * pl.col("_range_squared") - _BODY * (pl.col("_body") * pl.col("_body"))


@feature(
    "parkinson_{bars}",
    group="volatility",
    unit=_UNIT,
    source=_PARKINSON,
    each=_WINDOWS,
    warm_up=lambda bars: bars - 1,
    parents=["_range_squared"],
    value_range=(0.0, None),
)
def parkinson(bars: int) -> pl.Expr:
    """Parkinson's volatility of the newest bars, from high and low."""
    return (rolling_mean("_range_squared", bars) * _OF_A_WALK).sqrt()


@feature(
    "garman_klass_{bars}",
    group="volatility",
    unit=_UNIT,
    source=_GARMAN_KLASS,
    each=_WINDOWS,
    warm_up=lambda bars: bars - 1,
    parents=["_garman_klass"],
    value_range=(0.0, None),
)
def garman_klass(bars: int) -> pl.Expr:
    """Garman's and Klass's volatility of the newest bars, from open, high, low and close."""
    return rolling_mean("_garman_klass", bars).clip(lower_bound=0.0).sqrt()


@feature(
    "yang_zhang_{bars}",
    group="volatility",
    unit=_UNIT,
    source=_YANG_ZHANG,
    each=_WINDOWS,
    warm_up=lambda bars: bars,
    parents=["_jump", "_body", "_rogers_satchell"],
    value_range=(0.0, None),
)
def yang_zhang(bars: int) -> pl.Expr:
    """Yang's and Zhang's volatility of the newest bars, which counts what lies between bars too."""
    share = 0.34 / (1.34 + (bars + 1) / (bars - 1))

    between, within = (rolling_variance(one, bars, ddof=1) for one in ("_jump", "_body"))
    inside = rolling_mean("_rogers_satchell", bars)
    variance = between + share * within + (1 - share) * inside
    return variance.clip(lower_bound=0.0).sqrt()
