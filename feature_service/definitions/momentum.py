"""How one-sided the latest moves were."""

import polars as pl

from feature_service.recursion import Ewm
from feature_service.registry import feature

_NEITHER_SIDE = 50.0
_WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)"
_FOURTEEN = [{"bars": 14}]


@feature(
    "_rsi_up_{bars}",
    group="momentum",
    unit="USD per share",
    source=_WILDER,
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
)
def rsi_up(bars: int) -> Ewm:
    """Wilder's mean of the rises."""
    rises = pl.col("close").diff().clip(lower_bound=0.0)
    return Ewm(rises, first=1, width=bars, alpha=1 / bars)


@feature(
    "_rsi_down_{bars}",
    group="momentum",
    unit="USD per share",
    source=_WILDER,
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
)
def rsi_down(bars: int) -> Ewm:
    """Wilder's mean of the falls."""
    falls = (-pl.col("close").diff()).clip(lower_bound=0.0)
    return Ewm(falls, first=1, width=bars, alpha=1 / bars)


@feature(
    "rsi_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_WILDER}; TA-Lib RSI",
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    value_range=(0.0, 100.0),
    parents=["_rsi_up_{bars}", "_rsi_down_{bars}"],
)
def rsi(bars: int) -> pl.Expr:
    """Wilder's relative strength index; 50 while no price has moved yet."""
    up, down = pl.col(f"_rsi_up_{bars}"), pl.col(f"_rsi_down_{bars}")
    both = up + down
    return pl.when(both > 0).then(100.0 * up / both).when(both == 0).then(_NEITHER_SIDE)
