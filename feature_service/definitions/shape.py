"""How the latest returns are distributed."""

import polars as pl

from feature_service.registry import feature
from feature_service.windows import rolling_kurtosis, rolling_skew

_WINDOWS = [{"bars": bars} for bars in (20, 60)]


@feature(
    "skew_{bars}",
    group="shape",
    unit="standardised third moment",
    source="Fisher's skewness (of the population) of log returns",
    each=_WINDOWS,
    warm_up=lambda bars: bars,
    null_rule="where {bars} log returns are the same",
    null_when=lambda bars: (
        pl.col("log_return_1").rolling_max(bars) == pl.col("log_return_1").rolling_min(bars)
    ),
    parents=["log_return_1"],
)
def skew(bars: int) -> pl.Expr:
    """Skewness of the newest log returns: below 0 where the falls were larger and fewer than the rises."""
    return rolling_skew("log_return_1", bars)


@feature(
    "kurtosis_{bars}",
    group="shape",
    unit="standardised fourth moment, 0 for the normal distribution",
    source="Fisher's excess kurtosis (of the population) of log returns",
    each=_WINDOWS,
    warm_up=lambda bars: bars,
    null_rule="where {bars} log returns are the same",
    null_when=lambda bars: (
        pl.col("log_return_1").rolling_max(bars) == pl.col("log_return_1").rolling_min(bars)
    ),
    parents=["log_return_1"],
)
def kurtosis(bars: int) -> pl.Expr:
    """Excess kurtosis of the newest log returns: above 0 where a few were far larger than the others."""
    return rolling_kurtosis("log_return_1", bars)
