"""Volume-weighted mean prices, and how far the close is from them."""

import polars as pl

from feature_service.by_session import so_far
from feature_service.registry import feature
from feature_service.windows import rolling_average

_WINDOWS = [{"bars": bars} for bars in (20, 60)]
_SOURCE = "volume-weighted mean of the bars' own VWAPs"


@feature(
    "_mean_price",
    group="volume",
    unit="USD per share",
    source="the bar's VWAP",
    parents=["_typical_price"],
)
def mean_price() -> pl.Expr:
    """The bar's VWAP, or its typical price where it has none."""
    return pl.coalesce("vwap", "_typical_price")


@feature(
    "vwap_session",
    group="volume",
    unit="USD per share",
    source=_SOURCE,
    sessions=lambda: 0,
    null_rule="until something was traded in the session",
    null_when=lambda: pl.col("volume").cum_max().over("session_date") == 0,
    parents=["_mean_price"],
    intraday=True,
    value_range=(0.0, None),
)
def vwap_session() -> pl.Expr:
    """Volume-weighted mean price of the session so far."""
    # Distances from the first price: where the price stands still the answer is that price.
    price, first = pl.col("_mean_price"), so_far("_mean_price", "first")
    traded, moved = so_far("volume", "sum"), so_far((price - first) * pl.col("volume"), "sum")
    return pl.when(traded > 0).then(first + moved / traded)


@feature(
    "vwap_session_distance",
    group="volume",
    unit="share of the VWAP",
    source="close / VWAP - 1",
    null_rule="until something was traded in the session",
    null_when=lambda: pl.col("volume").cum_max().over("session_date") == 0,
    parents=["vwap_session"],
    intraday=True,
    value_range=(-1.0, None),
)
def vwap_session_distance() -> pl.Expr:
    """How far the close is above the volume-weighted mean price of the session so far."""
    return pl.col("close") / pl.col("vwap_session") - 1


@feature(
    "vwap_{bars}",
    group="volume",
    unit="USD per share",
    source=_SOURCE,
    each=_WINDOWS,
    warm_up=lambda bars: bars - 1,
    null_rule="where nothing was traded in {bars} bars",
    null_when=lambda bars: pl.col("volume").rolling_max(bars) == 0,
    parents=["_mean_price"],
    value_range=(0.0, None),
)
def vwap(bars: int) -> pl.Expr:
    """Volume-weighted mean price of the newest bars, the current one among them."""
    return rolling_average("_mean_price", "volume", bars)


@feature(
    "vwap_distance_{bars}",
    group="volume",
    unit="share of the VWAP",
    source="close / VWAP - 1",
    each=_WINDOWS,
    warm_up=lambda bars: bars - 1,
    null_rule="where nothing was traded in {bars} bars",
    null_when=lambda bars: pl.col("volume").rolling_max(bars) == 0,
    parents=["vwap_{bars}"],
    value_range=(-1.0, None),
)
def vwap_distance(bars: int) -> pl.Expr:
    """How far the close is above the volume-weighted mean price of the newest bars."""
    return pl.col("close") / pl.col(f"vwap_{bars}") - 1
