"""Where in the day, the week and the month a bar lies, by the calendar of the exchange.

A bar is placed by the moment it begins. Minutes count from the open of the regular session: bars
of extended hours lie below zero before it and beyond its length after it, and in neither half hour.
"""

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.by_session import once_a_session
from feature_service.compiled import Values
from feature_service.registry import feature

_USUAL_MINUTES = 390
_NYSE = "calendar of NYSE"
_CYCLE = "position on a circle, so that the end lies beside the beginning"


@feature("session_minute", group="calendar", unit="minutes", source=_NYSE, intraday=True)
def session_minute() -> pl.Expr:
    """Minutes from the open to the bar's beginning; negative before the open."""
    return _minutes(pl.col("timestamp") - pl.col("session_open"))


@feature("minutes_to_close", group="calendar", unit="minutes", source=_NYSE, intraday=True)
def minutes_to_close() -> pl.Expr:
    """Minutes from the bar's beginning to the session's close, early on half days; negative after it."""
    return _minutes(pl.col("session_close") - pl.col("timestamp"))


@feature(
    "session_position",
    group="calendar",
    unit="0 at the open, 1 at the close",
    source=_NYSE,
    parents=["session_minute", "minutes_to_close"],
    intraday=True,
)
def session_position() -> pl.Expr:
    """Share of the session that is over; below 0 before the open, 1 or more after the close."""
    begun = pl.col("session_minute")
    return begun / (begun + pl.col("minutes_to_close"))


@feature(
    "time_of_day_sin",
    group="calendar",
    unit="-1 to 1",
    source=_CYCLE,
    value_range=(-1.0, 1.0),
    parents=["session_minute"],
    intraday=True,
)
def time_of_day_sin() -> pl.Expr:
    """Sine of the time of day, once around in a usual session of 390 minutes."""
    return (pl.col("session_minute") * (2 * math.pi / _USUAL_MINUTES)).sin()


@feature(
    "time_of_day_cos",
    group="calendar",
    unit="-1 to 1",
    source=_CYCLE,
    value_range=(-1.0, 1.0),
    parents=["session_minute"],
    intraday=True,
)
def time_of_day_cos() -> pl.Expr:
    """Cosine of the time of day, once around in a usual session of 390 minutes."""
    return (pl.col("session_minute") * (2 * math.pi / _USUAL_MINUTES)).cos()


@feature(
    "day_of_week_sin", group="calendar", unit="-1 to 1", source=_CYCLE, value_range=(-1.0, 1.0)
)
def day_of_week_sin() -> pl.Expr:
    """Sine of the day of the week, once around in five days from Monday."""
    return _day_angle().sin()


@feature(
    "day_of_week_cos", group="calendar", unit="-1 to 1", source=_CYCLE, value_range=(-1.0, 1.0)
)
def day_of_week_cos() -> pl.Expr:
    """Cosine of the day of the week, once around in five days from Monday."""
    return _day_angle().cos()


@feature("is_half_day", group="calendar", unit="0 or 1", source=_NYSE, value_range=(0.0, 1.0))
def is_half_day() -> pl.Expr:
    """Whether the session is shorter than 390 minutes."""
    length = pl.col("session_close") - pl.col("session_open")
    return length < pl.duration(minutes=_USUAL_MINUTES)


@feature("is_month_begin", group="calendar", unit="0 or 1", source=_NYSE, value_range=(0.0, 1.0))
def is_month_begin() -> pl.Expr:
    """Whether the session is the first of its month."""
    return once_a_session(_months_differ, "session_date", "previous_session")


@feature("is_month_end", group="calendar", unit="0 or 1", source=_NYSE, value_range=(0.0, 1.0))
def is_month_end() -> pl.Expr:
    """Whether the session is the last of its month."""
    return once_a_session(_months_differ, "session_date", "next_session")


@feature(
    "is_quarter_end",
    group="calendar",
    unit="0 or 1",
    source=_NYSE,
    value_range=(0.0, 1.0),
    parents=["is_month_end"],
)
def is_quarter_end() -> pl.Expr:
    """Whether the session is the last of March, June, September or December."""
    return once_a_session(_ends_quarter, "is_month_end", "session_date")


@feature(
    "is_first_{minutes}m",
    group="calendar",
    unit="0 or 1",
    source=_NYSE,
    each=[{"minutes": 30}],
    value_range=(0.0, 1.0),
    parents=["session_minute"],
    intraday=True,
)
def is_first(minutes: int) -> pl.Expr:
    """Whether the bar begins in the session's first minutes."""
    begun = pl.col("session_minute")
    return (begun >= 0) & (begun < minutes)


@feature(
    "is_last_{minutes}m",
    group="calendar",
    unit="0 or 1",
    source=_NYSE,
    each=[{"minutes": 30}],
    value_range=(0.0, 1.0),
    parents=["minutes_to_close"],
    intraday=True,
)
def is_last(minutes: int) -> pl.Expr:
    """Whether the bar begins in the session's last minutes."""
    left = pl.col("minutes_to_close")
    return (left > 0) & (left <= minutes)


def _minutes(length: pl.Expr) -> pl.Expr:
    return length.dt.total_minutes().cast(pl.Float64)


def _day_angle() -> pl.Expr:
    return (pl.col("session_date").dt.weekday() - 1).cast(pl.Float64) * (2 * math.pi / 5)


def _months_differ(days: Values, others: Values) -> Values:
    return np.where(_month(days) != _month(others), 1.0, 0.0)


def _ends_quarter(last_of_month: Values, days: Values) -> Values:
    return np.where(_month(days) % 3 == 2, last_of_month, 0.0)  # noqa: PLR2004 (March is 2, June 5)


def _month(days: Values) -> NDArray[np.int64]:
    """Months since January 1970 of days since its first."""
    return days.astype(np.int64).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
