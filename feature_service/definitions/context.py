"""How the symbol moves beside a context symbol, bar by bar.

Where the context has no bar at a moment, its last known close stands: its return is zero there, and
its next bar holds the whole move. Beta and correlation of a thin context are too small for that.
"""

import polars as pl

from feature_service.recursion import Newest
from feature_service.registry import feature
from feature_service.windows import rolling_beta, rolling_correlation

_CLOSE = "_context_close"
_RETURN = "_context_log_return_1"
_WINDOWS = [{"bars": 60}, {"bars": 390}]


def _unknown(bars: int) -> pl.Expr:
    return pl.col(_CLOSE).shift(bars).is_null()


def _still(column: str, bars: int) -> pl.Expr:
    value = pl.col(column)
    return (value.rolling_max(bars) == value.rolling_min(bars)).fill_null(value=False)


@feature(
    _CLOSE,
    group="context",
    unit="USD per share",
    source="newest close of the context symbol",
    null_rule="before the context's first bar",
    null_when=lambda: pl.col("context_close").is_not_null().cum_sum() == 0,
)
def context_close() -> Newest:
    """The context's close at this moment, or the last one that was known."""
    return Newest(pl.col("context_close"))


@feature(
    _RETURN,
    group="context",
    unit="natural logarithm",
    source="ln(close / earlier close) of the context symbol",
    warm_up=lambda: 1,
    null_rule="before the context's second bar",
    null_when=lambda: _unknown(1),
    parents=[_CLOSE],
)
def context_log_return() -> pl.Expr:
    """Logarithm of the change of the context's close since the bar before."""
    return (pl.col(_CLOSE) / pl.col(_CLOSE).shift(1)).log()


@feature(
    "beta_{bars}",
    group="context",
    unit="return per return of the context",
    source="Sharpe, Capital Asset Prices (1964), over one-bar log returns",
    each=_WINDOWS,
    warm_up=lambda bars: bars,
    null_rule="where the context has not had a bar for {bars} bars, or its returns were all the same",
    null_when=lambda bars: _unknown(bars) | _still(_RETURN, bars),
    parents=["log_return_1", _RETURN, _CLOSE],
)
def beta(bars: int) -> pl.Expr:
    """Slope of the symbol's one-bar log returns on those of the context."""
    return rolling_beta("log_return_1", _RETURN, bars)


@feature(
    "correlation_{bars}",
    group="context",
    unit="-1 to 1",
    source="Pearson's correlation of one-bar log returns",
    each=_WINDOWS,
    warm_up=lambda bars: bars,
    value_range=(-1.0, 1.0),
    null_rule="where the context has not had a bar for {bars} bars, or either's returns were all the same",
    null_when=lambda bars: _unknown(bars) | _still(_RETURN, bars) | _still("log_return_1", bars),
    parents=["log_return_1", _RETURN, _CLOSE],
)
def correlation(bars: int) -> pl.Expr:
    """Correlation of the symbol's one-bar log returns with those of the context."""
    return rolling_correlation("log_return_1", _RETURN, bars)


@feature(
    "relative_strength_{bars}",
    group="context",
    unit="share of the earlier close",
    source="return less that of the context",
    each=[{"bars": 30}],
    warm_up=lambda bars: bars,
    null_rule="until {bars} bars after the context's first",
    null_when=_unknown,
    parents=["return_{bars}", _CLOSE],
)
def relative_strength(bars: int) -> pl.Expr:
    """Return over some bars less the context's over the same."""
    return pl.col(f"return_{bars}") - (pl.col(_CLOSE) / pl.col(_CLOSE).shift(bars) - 1)
