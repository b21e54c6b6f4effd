"""Swing pivots: the latest turning points, known only once as many bars have followed them."""

import polars as pl

from feature_service.recursion import Newest, RunningSum
from feature_service.registry import feature
from feature_service.windows import rolling_highest

_WILLIAMS = "Williams, Trading Chaos (1995): fractals, with as many bars on either side"
_SWINGS = [{"bars": 5}, {"bars": 10}]


@feature("_bar_number", group="levels", unit="bars", source="count", value_range=(1.0, None))
def bar_number() -> RunningSum:
    """How many bars the history has had, the current one among them."""
    return RunningSum(pl.col("close").is_not_null().cast(pl.Float64))


@feature(
    "_is_swing_high_{bars}",
    group="levels",
    unit="0 or 1",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    value_range=(0.0, 1.0),
)
def is_swing_high(bars: int) -> pl.Expr:
    """Whether the high some bars ago lies above as many before it, and none after it lies higher."""
    return _is_top(pl.col("high"), bars)


@feature(
    "_is_swing_low_{bars}",
    group="levels",
    unit="0 or 1",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    value_range=(0.0, 1.0),
)
def is_swing_low(bars: int) -> pl.Expr:
    """Whether the low some bars ago lies below as many before it, and none after it lies lower."""
    return _is_top(-pl.col("low"), bars)


def _is_top(values: pl.Expr, bars: int) -> pl.Expr:
    """Whether the value some bars ago lies above as many before it, and none after it above that one."""
    highest, middle = rolling_highest(values, bars), values.shift(bars)
    before = highest.shift(bars + 1)
    found = (middle > before) & (middle >= highest)
    return pl.when(before.is_not_null()).then(found).cast(pl.Float64)


def _no_high(bars: int) -> pl.Expr:
    return pl.col(f"_is_swing_high_{bars}").cum_sum() == 0


def _no_low(bars: int) -> pl.Expr:
    return pl.col(f"_is_swing_low_{bars}").cum_sum() == 0


_NONE_YET = "until a swing is known, {bars} bars after its turn"


@feature(
    "swing_high_{bars}",
    group="levels",
    unit="USD per share",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    null_rule=_NONE_YET,
    null_when=_no_high,
    parents=["_is_swing_high_{bars}"],
)
def swing_high(bars: int) -> Newest:
    """Price of the newest swing high that is known."""
    known = pl.col(f"_is_swing_high_{bars}") == 1
    return Newest(pl.when(known).then(pl.col("high").shift(bars)))


@feature(
    "swing_low_{bars}",
    group="levels",
    unit="USD per share",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    null_rule=_NONE_YET,
    null_when=_no_low,
    parents=["_is_swing_low_{bars}"],
)
def swing_low(bars: int) -> Newest:
    """Price of the newest swing low that is known."""
    known = pl.col(f"_is_swing_low_{bars}") == 1
    return Newest(pl.when(known).then(pl.col("low").shift(bars)))


@feature(
    "swing_high_distance_{bars}",
    group="levels",
    unit="share of the level",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    null_rule=_NONE_YET,
    null_when=_no_high,
    parents=["_is_swing_high_{bars}", "swing_high_{bars}"],
)
def swing_high_distance(bars: int) -> pl.Expr:
    """How far the close lies above the newest swing high."""
    return pl.col("close") / pl.col(f"swing_high_{bars}") - 1


@feature(
    "swing_low_distance_{bars}",
    group="levels",
    unit="share of the level",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    null_rule=_NONE_YET,
    null_when=_no_low,
    parents=["_is_swing_low_{bars}", "swing_low_{bars}"],
)
def swing_low_distance(bars: int) -> pl.Expr:
    """How far the close lies above the newest swing low."""
    return pl.col("close") / pl.col(f"swing_low_{bars}") - 1


@feature(
    "_swing_high_at_{bars}",
    group="levels",
    unit="bars",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    null_rule=_NONE_YET,
    null_when=_no_high,
    parents=["_is_swing_high_{bars}", "_bar_number"],
)
def swing_high_at(bars: int) -> Newest:
    """Number of the bar of the newest swing high."""
    known = pl.col(f"_is_swing_high_{bars}") == 1
    return Newest(pl.when(known).then(pl.col("_bar_number") - bars))


@feature(
    "_swing_low_at_{bars}",
    group="levels",
    unit="bars",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    null_rule=_NONE_YET,
    null_when=_no_low,
    parents=["_is_swing_low_{bars}", "_bar_number"],
)
def swing_low_at(bars: int) -> Newest:
    """Number of the bar of the newest swing low."""
    known = pl.col(f"_is_swing_low_{bars}") == 1
    return Newest(pl.when(known).then(pl.col("_bar_number") - bars))


@feature(
    "swing_high_bars_{bars}",
    group="levels",
    unit="bars",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    null_rule=_NONE_YET,
    null_when=_no_high,
    value_range=(5.0, None),
    parents=["_is_swing_high_{bars}", "_swing_high_at_{bars}", "_bar_number"],
)
def swing_high_bars(bars: int) -> pl.Expr:
    """Bars since the newest swing high, counted from its turn."""
    return pl.col("_bar_number") - pl.col(f"_swing_high_at_{bars}")


@feature(
    "swing_low_bars_{bars}",
    group="levels",
    unit="bars",
    source=_WILLIAMS,
    each=_SWINGS,
    warm_up=lambda bars: 2 * bars,
    null_rule=_NONE_YET,
    null_when=_no_low,
    value_range=(5.0, None),
    parents=["_is_swing_low_{bars}", "_swing_low_at_{bars}", "_bar_number"],
)
def swing_low_bars(bars: int) -> pl.Expr:
    """Bars since the newest swing low, counted from its turn."""
    return pl.col("_bar_number") - pl.col(f"_swing_low_at_{bars}")
