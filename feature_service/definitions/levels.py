"""Prices that others look at: of the day and week before, of the session so far, of its opening.

A day is a session with the bars of the set's hours: its close is that of its last bar, not that of
an auction. Distances are those of the close: positive where it lies above the level.
"""

import polars as pl

from feature_service.by_session import of_part, of_session_before, of_week_before, so_far
from feature_service.definitions.periods import FIRST_DAY, by_period, in_first_day, prior
from feature_service.registry import feature

_BEFORE = "bars of the session, or the calendar week with bars, before"
_SHARE = "share of the level"
_SO_FAR = "bars of the session so far"
_OPENING = [{"minutes": 15}, {"minutes": 30}]
_CRABEL = "Crabel, Day Trading with Short Term Price Patterns and Opening Range Breakout (1990)"


@by_period("prior_{period}_high", group="levels", unit="USD per share", source=_BEFORE)
def prior_high(weeks: int) -> pl.Expr:
    """Highest price of the period before."""
    return of_week_before("high", "max") if weeks else of_session_before("high", "max")


@by_period("prior_{period}_low", group="levels", unit="USD per share", source=_BEFORE)
def prior_low(weeks: int) -> pl.Expr:
    """Lowest price of the period before."""
    return of_week_before("low", "min") if weeks else of_session_before("low", "min")


@by_period("prior_{period}_close", group="levels", unit="USD per share", source=_BEFORE)
def prior_close(weeks: int) -> pl.Expr:
    """Close of the last bar of the period before."""
    return of_week_before("close", "last") if weeks else of_session_before("close", "last")


@by_period(
    "prior_{period}_high_distance",
    group="levels",
    unit=_SHARE,
    source=_BEFORE,
    parents=["prior_{period}_high"],
)
def prior_high_distance(weeks: int) -> pl.Expr:
    """How far the close lies above the highest price of the period before."""
    return pl.col("close") / prior("high", weeks) - 1


@by_period(
    "prior_{period}_low_distance",
    group="levels",
    unit=_SHARE,
    source=_BEFORE,
    parents=["prior_{period}_low"],
)
def prior_low_distance(weeks: int) -> pl.Expr:
    """How far the close lies above the lowest price of the period before."""
    return pl.col("close") / prior("low", weeks) - 1


@by_period(
    "prior_{period}_close_distance",
    group="levels",
    unit=_SHARE,
    source=_BEFORE,
    parents=["prior_{period}_close"],
)
def prior_close_distance(weeks: int) -> pl.Expr:
    """How far the close lies above the close of the period before."""
    return pl.col("close") / prior("close", weeks) - 1


@feature("_day_open", group="levels", unit="USD per share", source=_SO_FAR)
def day_open() -> pl.Expr:
    """Open of the session's first bar."""
    return so_far("open", "first")


@feature(
    "overnight_gap",
    group="levels",
    unit="share of the close before",
    source="open of the session's first bar over the close before",
    sessions=lambda: 1,
    null_rule=FIRST_DAY,
    null_when=in_first_day,
    parents=["_day_open", "prior_day_close"],
)
def overnight_gap() -> pl.Expr:
    """How far the session opened above the close of the session before; the same in all its bars."""
    return pl.col("_day_open") / pl.col("prior_day_close") - 1


@feature("day_high", group="levels", unit="USD per share", source=_SO_FAR, intraday=True)
def day_high() -> pl.Expr:
    """Highest price of the session so far."""
    return so_far("high", "max")


@feature("day_low", group="levels", unit="USD per share", source=_SO_FAR, intraday=True)
def day_low() -> pl.Expr:
    """Lowest price of the session so far."""
    return so_far("low", "min")


@feature(
    "day_range_position",
    group="levels",
    unit="0 at the session's low so far, 1 at its high",
    source=_SO_FAR,
    value_range=(0.0, 1.0),
    null_rule="until the session has had two prices",
    null_when=lambda: pl.col("day_high") == pl.col("day_low"),
    parents=["day_high", "day_low"],
    intraday=True,
)
def day_range_position() -> pl.Expr:
    """Where the close lies in the range of the session so far."""
    high, low = pl.col("day_high"), pl.col("day_low")
    return pl.when(high > low).then((pl.col("close") - low) / (high - low))


def _in_opening(minutes: int) -> pl.Expr:
    begun = pl.col("session_minute")
    return (begun >= 0) & (begun < minutes)


def _after_opening(minutes: int) -> pl.Expr:
    return pl.col("session_minute") >= minutes


def _no_opening(minutes: int) -> pl.Expr:
    return ~_after_opening(minutes) | ~_in_opening(minutes).any().over("session")


_NOT_OVER = "before {minutes} minutes after the open, and where they had no bar"


@feature(
    "opening_range_high_{minutes}m",
    group="levels",
    unit="USD per share",
    source=_CRABEL,
    each=_OPENING,
    null_rule=_NOT_OVER,
    null_when=_no_opening,
    parents=["session_minute"],
    intraday=True,
)
def opening_range_high(minutes: int) -> pl.Expr:
    """Highest price of the bars that begin in the session's first minutes, once those are over."""
    return of_part("high", "max", _in_opening(minutes), _after_opening(minutes))


@feature(
    "opening_range_low_{minutes}m",
    group="levels",
    unit="USD per share",
    source=_CRABEL,
    each=_OPENING,
    null_rule=_NOT_OVER,
    null_when=_no_opening,
    parents=["session_minute"],
    intraday=True,
)
def opening_range_low(minutes: int) -> pl.Expr:
    """Lowest price of the bars that begin in the session's first minutes, once those are over."""
    return of_part("low", "min", _in_opening(minutes), _after_opening(minutes))


@feature(
    "opening_range_position_{minutes}m",
    group="levels",
    unit="0 at the low of the opening range, 1 at its high",
    source=_CRABEL,
    each=_OPENING,
    null_rule=f"{_NOT_OVER}, or only one price",
    null_when=lambda minutes: (
        _no_opening(minutes)
        | (
            pl.col(f"opening_range_high_{minutes}m") == pl.col(f"opening_range_low_{minutes}m")
        ).fill_null(value=False)
    ),
    parents=["session_minute", "opening_range_high_{minutes}m", "opening_range_low_{minutes}m"],
    intraday=True,
)
def opening_range_position(minutes: int) -> pl.Expr:
    """Where the close lies beside the opening range: below 0 under it, above 1 over it."""
    high, low = pl.col(f"opening_range_high_{minutes}m"), pl.col(f"opening_range_low_{minutes}m")
    return pl.when(high > low).then((pl.col("close") - low) / (high - low))
