"""How far the price has moved, over bars and over clock time.

The two differ wherever a minute without an eligible trade has no bar. Returns over bars run
across sessions, so the first bar of a day holds the night's gap; returns over clock time do not.
"""

import polars as pl

from feature_service.registry import feature
from feature_service.windows import price_before

_BARS = [{"bars": bars} for bars in (1, 5, 15, 30)]


@feature(
    "return_{bars}",
    group="returns",
    unit="share of the earlier close",
    source="TA-Lib ROCP",
    each=_BARS,
    warm_up=lambda bars: bars,
)
def return_over_bars(bars: int) -> pl.Expr:
    """Change of the close over a count of bars."""
    return pl.col("close") / pl.col("close").shift(bars) - 1


@feature(
    "log_return_{bars}",
    group="returns",
    unit="natural logarithm",
    source="ln(close / earlier close)",
    each=[{"bars": bars} for bars in (1, 5, 15)],
    warm_up=lambda bars: bars,
)
def log_return_over_bars(bars: int) -> pl.Expr:
    """Logarithm of the change of the close over a count of bars."""
    return (pl.col("close") / pl.col("close").shift(bars)).log()


@feature(
    "return_{minutes}m",
    group="returns",
    unit="share of the earlier close",
    source="clock time: against the newest close that was known that long ago",
    each=[{"minutes": minutes} for minutes in (5, 30, 60)],
    null_rule="until the session's first bar is {minutes} minutes old",
    null_when=lambda minutes: (
        pl.col("timestamp") - pl.col("timestamp").min().over("session_date")
        < pl.duration(minutes=minutes)
    ),
)
def return_over_minutes(minutes: int) -> pl.Expr:
    """Change of the close over clock time, within the session."""
    return pl.col("close") / price_before(minutes) - 1
