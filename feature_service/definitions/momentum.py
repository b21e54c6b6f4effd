"""How one-sided the latest moves were."""

import polars as pl

from feature_service.registry import feature
from feature_service.windows import seeded_ewm

_NEITHER_SIDE = 50.0


@feature(
    "rsi_{bars}",
    group="momentum",
    unit="0 to 100",
    source="Wilder, New Concepts in Technical Trading Systems (1978); TA-Lib RSI",
    each=[{"bars": 14}],
    warm_up=lambda bars: bars,
)
def rsi(bars: int) -> pl.Expr:
    """Wilder's relative strength index; 50 while no price has moved yet."""
    move = pl.col("close").diff()
    up, down = (
        seeded_ewm(side, first=1, width=bars, alpha=1 / bars)
        for side in (move.clip(lower_bound=0.0), (-move).clip(lower_bound=0.0))
    )
    both = up + down
    return pl.when(both > 0).then(100.0 * up / both).when(both == 0).then(_NEITHER_SIDE)
