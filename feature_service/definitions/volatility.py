"""How wide the price swings."""

import numpy as np
import polars as pl

from feature_service.compiled import Values, compiled, given
from feature_service.recursion import Ewm
from feature_service.registry import feature
from feature_service.windows import mapped, rolling_std

_BOLLINGER = "Bollinger, Bollinger on Bollinger Bands (2001); TA-Lib BBANDS"
_WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)"
_WIDTH = 2.0
_TWENTY = [{"bars": 20}]
_TWENTY_OR_SIXTY = [{"bars": bars} for bars in (20, 60)]
_FOURTEEN = [{"bars": 14}]


@feature(
    "std_{bars}",
    group="volatility",
    unit="USD per share",
    source="TA-Lib STDDEV (of the population)",
    each=_TWENTY_OR_SIXTY,
    warm_up=lambda bars: bars - 1,
    value_range=(0.0, None),
)
def std(bars: int) -> pl.Expr:
    """Standard deviation of the close over the newest bars; exactly zero where it stood still."""
    return rolling_std("close", bars, ddof=0)


@feature(
    "bb_middle_{bars}",
    group="volatility",
    unit="USD per share",
    source=_BOLLINGER,
    each=_TWENTY,
    warm_up=lambda bars: bars - 1,
    parents=["sma_{bars}"],
    value_range=(0.0, None),
)
def bb_middle(bars: int) -> pl.Expr:
    """Middle Bollinger band: the mean close."""
    return pl.col(f"sma_{bars}")


@feature(
    "bb_upper_{bars}",
    group="volatility",
    unit="USD per share",
    source=_BOLLINGER,
    each=_TWENTY,
    warm_up=lambda bars: bars - 1,
    parents=["sma_{bars}", "std_{bars}"],
)
def bb_upper(bars: int) -> pl.Expr:
    """Upper Bollinger band: two deviations above the mean close."""
    return pl.col(f"sma_{bars}") + _WIDTH * pl.col(f"std_{bars}")


@feature(
    "bb_lower_{bars}",
    group="volatility",
    unit="USD per share",
    source=_BOLLINGER,
    each=_TWENTY,
    warm_up=lambda bars: bars - 1,
    parents=["sma_{bars}", "std_{bars}"],
)
def bb_lower(bars: int) -> pl.Expr:
    """Lower Bollinger band: two deviations below the mean close."""
    return pl.col(f"sma_{bars}") - _WIDTH * pl.col(f"std_{bars}")


@feature(
    "bb_width_{bars}",
    group="volatility",
    unit="share of the middle band",
    source=_BOLLINGER,
    each=_TWENTY,
    warm_up=lambda bars: bars - 1,
    parents=["sma_{bars}", "std_{bars}"],
    value_range=(0.0, None),
)
def bb_width(bars: int) -> pl.Expr:
    """Distance between the bands over the middle band."""
    return 2 * _WIDTH * pl.col(f"std_{bars}") / pl.col(f"sma_{bars}")


@feature(
    "bb_percent_{bars}",
    group="volatility",
    unit="0 at the lower band, 1 at the upper",
    source=_BOLLINGER,
    each=_TWENTY,
    warm_up=lambda bars: bars - 1,
    null_rule="where the close stood still for {bars} bars, so that the bands meet",
    null_when=lambda bars: pl.col(f"std_{bars}") == 0,
    parents=["sma_{bars}", "std_{bars}"],
)
def bb_percent(bars: int) -> pl.Expr:
    """Where the close lies between the bands (%b)."""
    deviation = pl.col(f"std_{bars}")
    distance = (pl.col("close") - pl.col(f"sma_{bars}")) / (2 * _WIDTH * deviation)
    return pl.when(deviation > 0).then(distance + 0.5)


@feature(
    "volatility_{bars}",
    group="volatility",
    unit="log return per bar",
    source="realised volatility, close to close (of the sample)",
    each=_TWENTY_OR_SIXTY,
    warm_up=lambda bars: bars,
    parents=["log_return_1"],
    value_range=(0.0, None),
)
def volatility(bars: int) -> pl.Expr:
    """Standard deviation of the newest log returns."""
    return rolling_std("log_return_1", bars, ddof=1)


@feature(
    "true_range",
    group="volatility",
    unit="USD per share",
    source=f"{_WILDER}; TA-Lib TRANGE",
    warm_up=lambda: 1,
    value_range=(0.0, None),
)
def true_range() -> pl.Expr:
    """The bar's range, widened to the close before it."""

    def ranges(high: Values, low: Values, close: Values) -> Values:
        found = np.full(len(close), np.nan)
        _widen(given(high), given(low), given(close), found)
        return found

    return mapped(ranges, "high", "low", "close")


@compiled
def _widen(high: Values, low: Values, close: Values, found: Values) -> None:
    """As :func:`true_range`."""
    for row in range(1, len(found)):
        found[row] = max(high[row], close[row - 1]) - min(low[row], close[row - 1])


@feature(
    "atr_{bars}",
    group="volatility",
    unit="USD per share",
    source=f"{_WILDER}; TA-Lib ATR",
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    parents=["true_range"],
    value_range=(0.0, None),
)
def atr(bars: int) -> Ewm:
    """Wilder's mean of the true range."""
    return Ewm(pl.col("true_range"), first=1, width=bars, alpha=1 / bars)


@feature(
    "natr_{bars}",
    group="volatility",
    unit="per cent of the close",
    source="Forman, Normalized Average True Range (2006); TA-Lib NATR",
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    parents=["atr_{bars}"],
    value_range=(0.0, None),
)
def natr(bars: int) -> pl.Expr:
    """Wilder's mean of the true range over the close."""
    return 100.0 * (pl.col(f"atr_{bars}") / pl.col("close"))
