"""Sessions of sorted times as arrays: what takes many rows at once. Times are microseconds, in UTC.

Whoever reads few bars does without numpy, whose import takes longer than the read (``lake.hours``).
"""

import numpy as np
import polars as pl

from lake.sessions import session_of

Array = np.ndarray


def midnights_of(days: Array) -> Array:
    """The first moments of New York dates (days since 1970)."""
    dates = pl.Series(days.astype(np.int32)).cast(pl.Date).cast(pl.Datetime("us"))
    zoned = dates.dt.replace_time_zone("America/New_York", ambiguous="earliest")
    return np.asarray(zoned.to_physical().to_numpy())


def days_of(moments: Array) -> Array:
    """The New York dates (days since 1970) of moments."""
    dates = pl.DataFrame({"moment": pl.Series(moments).cast(pl.Datetime("us", "UTC"))}).select(
        session_of(pl.col("moment"))
    )
    return np.asarray(dates.to_series().to_physical().to_numpy()).astype(np.int64)


def session_dates(times: Array) -> pl.Series:
    """The New York date of each of some sorted times; at least one."""
    first, last = days_of(times[[0, -1]])
    days = np.arange(first, last + 1, dtype=np.int32)
    cuts = np.searchsorted(times, midnights_of(days[1:]))
    return pl.Series("session_date", np.repeat(days, _lengths(cuts, times))).cast(pl.Date)


def within(times: Array, opens: Array, closes: Array) -> pl.Series:
    """Whether each of some sorted times, at least one, lies from an opening to before its close."""
    edges = np.column_stack((opens, closes)).reshape(-1)
    first, last = np.searchsorted(edges, times[[0, -1]], side="right")
    # An even position is outside of hours: between a close and the next open.
    inside = (np.arange(first, last + 1) % 2) == 1
    cuts = np.searchsorted(times, edges[first:last])
    return pl.Series("is_regular", np.repeat(inside, _lengths(cuts, times)))


def _lengths(cuts: Array, times: Array) -> Array:
    return np.diff(np.concatenate(([0], cuts, [len(times)])))


def pieces(column: pl.Series) -> list[Array]:
    """The pieces that a column without nulls consists of, none copied, none empty."""
    return [chunk.to_numpy() for chunk in column.to_physical().get_chunks() if len(chunk)]


def is_sorted(column: pl.Series) -> bool:
    """Whether no value of a column without nulls is before the one before it."""
    last = None
    for piece in pieces(column):
        if (last is not None and piece[0] < last) or not (piece[1:] >= piece[:-1]).all():
            return False
        last = piece[-1]
    return True
