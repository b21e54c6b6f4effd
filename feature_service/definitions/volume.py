"""How much was traded, beside what is usual."""

import polars as pl

from feature_service.registry import feature
from feature_service.windows import rolling_mean, rolling_std

_TWENTY = [{"bars": 20}]


@feature(
    "volume_sma_{bars}",
    group="volume",
    unit="shares",
    source="TA-Lib SMA of the volume",
    each=_TWENTY,
    warm_up=lambda bars: bars - 1,
)
def volume_sma(bars: int) -> pl.Expr:
    """Mean volume of the newest bars, the current one among them."""
    return rolling_mean("volume", bars)


@feature(
    "relative_volume_{bars}",
    group="volume",
    unit="1 is as usual",
    source="volume over the mean volume of the bars before it",
    each=_TWENTY,
    warm_up=lambda bars: bars,
    null_rule="where nothing was traded in the {bars} bars before",
    null_when=lambda bars: pl.col("volume").rolling_max(bars).shift(1) == 0,
    parents=["volume_sma_{bars}"],
)
def relative_volume(bars: int) -> pl.Expr:
    """Volume over the mean of the bars before; the current bar is left out of its own mean."""
    usual = pl.col(f"volume_sma_{bars}").shift(1)
    return pl.when(usual > 0).then(pl.col("volume") / usual)


@feature(
    "volume_zscore_{bars}",
    group="volume",
    unit="standard deviations",
    source="(volume - mean) / deviation of the population",
    each=_TWENTY,
    warm_up=lambda bars: bars - 1,
    null_rule="where {bars} bars have the same volume",
    null_when=lambda bars: pl.col("volume").rolling_max(bars) == pl.col("volume").rolling_min(bars),
    parents=["volume_sma_{bars}"],
)
def volume_zscore(bars: int) -> pl.Expr:
    """How unusual the volume is among the newest bars."""
    deviation = rolling_std("volume", bars, ddof=0)
    distance = pl.col("volume") - pl.col(f"volume_sma_{bars}")
    return pl.when(deviation > 0).then(distance / deviation)
