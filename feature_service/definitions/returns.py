"""How far the price has moved, over bars and over clock time.

The two differ wherever a minute without an eligible trade has no bar. Returns over bars run
across sessions, so the first bar of a day holds the night's gap; returns over clock time do not.
"""

import polars as pl

from feature_service.by_session import so_far
from feature_service.registry import feature
from feature_service.windows import price_before

_BARS = [{"bars": bars} for bars in (1, 5, 15, 30, 60)]
_MINUTES = [{"minutes": minutes} for minutes in (5, 30, 60, 120)]
_CLOCK = "clock time: against the newest close that was known that long ago"
_YOUNG = "until the session's first bar is {minutes} minutes old"


def _session_is_younger(minutes: int) -> pl.Expr:
    age = pl.col("timestamp") - pl.col("timestamp").min().over("session_date")
    return age < pl.duration(minutes=minutes)


@feature(
    "return_{bars}",
    group="returns",
    unit="share of the earlier close",
    source="TA-Lib ROCP",
    each=_BARS,
    warm_up=lambda bars: bars,
    value_range=(-1.0, None),
)
def return_over_bars(bars: int) -> pl.Expr:
    """Change of the close over a count of bars."""
    return pl.col("close") / pl.col("close").shift(bars) - 1


@feature(
    "log_return_{bars}",
    group="returns",
    unit="natural logarithm",
    source="ln(close / earlier close)",
    each=_BARS,
    warm_up=lambda bars: bars,
)
def log_return_over_bars(bars: int) -> pl.Expr:
    """Logarithm of the change of the close over a count of bars."""
    return (pl.col("close") / pl.col("close").shift(bars)).log()


@feature(
    "_close_before_{minutes}m",
    group="returns",
    unit="USD per share",
    source=_CLOCK,
    each=_MINUTES,
    null_rule=_YOUNG,
    null_when=_session_is_younger,
)
def close_before(minutes: int) -> pl.Expr:
    """The close that was known a count of minutes ago, within the session."""
    return price_before(minutes)


@feature(
    "return_{minutes}m",
    group="returns",
    unit="share of the earlier close",
    source=_CLOCK,
    each=_MINUTES,
    null_rule=_YOUNG,
    null_when=_session_is_younger,
    parents=["_close_before_{minutes}m"],
    value_range=(-1.0, None),
)
def return_over_minutes(minutes: int) -> pl.Expr:
    """Change of the close over clock time, within the session."""
    return pl.col("close") / pl.col(f"_close_before_{minutes}m") - 1


@feature(
    "log_return_{minutes}m",
    group="returns",
    unit="natural logarithm",
    source=_CLOCK,
    each=_MINUTES,
    null_rule=_YOUNG,
    null_when=_session_is_younger,
    parents=["_close_before_{minutes}m"],
)
def log_return_over_minutes(minutes: int) -> pl.Expr:
    """Logarithm of the change of the close over clock time, within the session."""
    return (pl.col("close") / pl.col(f"_close_before_{minutes}m")).log()


@feature(
    "return_since_open",
    group="returns",
    unit="share of the session's first open",
    source="close / first open of the session - 1",
    intraday=True,
    value_range=(-1.0, None),
)
def return_since_open() -> pl.Expr:
    """Change of the close since the session's first open."""
    return pl.col("close") / so_far("open", "first") - 1
