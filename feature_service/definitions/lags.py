"""Earlier values beside the current ones, counted in bars, across sessions."""

import polars as pl

from feature_service.registry import feature

_LAGS = [{"bars": bars} for bars in (1, 2, 3, 5, 10)]


@feature(
    "close_lag_{bars}",
    group="lags",
    unit="USD per share",
    source="close, bars ago",
    each=_LAGS,
    warm_up=lambda bars: bars,
    value_range=(0.0, None),
)
def close_lag(bars: int) -> pl.Expr:
    """The close a count of bars ago."""
    return pl.col("close").shift(bars)


@feature(
    "return_lag_{bars}",
    group="lags",
    unit="share of the earlier close",
    source="return_1, bars ago",
    each=_LAGS,
    warm_up=lambda bars: bars + 1,
    parents=["return_1"],
    value_range=(-1.0, None),
)
def return_lag(bars: int) -> pl.Expr:
    """The one-bar return a count of bars ago."""
    return pl.col("return_1").shift(bars)


@feature(
    "volume_lag_{bars}",
    group="lags",
    unit="shares",
    source="volume, bars ago",
    each=_LAGS,
    warm_up=lambda bars: bars,
    value_range=(0.0, None),
)
def volume_lag(bars: int) -> pl.Expr:
    """The volume a count of bars ago."""
    return pl.col("volume").shift(bars)
