"""Arithmetic over sessions: what the current one has come to so far, and what earlier ones came to.

Needs the column ``session`` (``feature_service.inputs``). Sums are made bar by bar within their
session, so that a part of a history that begins with a session gives the bits of the whole.
"""

from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.inputs import SESSION
from feature_service.windows import Values, mapped

How = Literal["first", "last", "max", "min", "sum"]
Starts = NDArray[np.intp]


def so_far(column: str | pl.Expr, how: How) -> pl.Expr:
    """Of the session's bars up to the current one, which belongs to them.

    Args:
        column: No nulls.
        how: What of them; ``last`` is the bar itself.
    """

    def run(numbers: Values, values: Values) -> Values:
        found = np.empty(len(values))
        for start, end in pairwise([*starts_of(numbers), len(values)]):
            found[start:end] = _run(values[start:end], how)
        return found

    return mapped(run, SESSION, column)


def of_session_before(column: str | pl.Expr, how: How, back: int = 1) -> pl.Expr:
    """Of all bars of an earlier session, the same in each bar of the current one.

    Args:
        column: No nulls.
        how: What of them.
        back: How many sessions earlier; null in the first so many of a history.
    """

    def run(numbers: Values, values: Values) -> Values:
        if len(values) == 0:
            return values
        starts = starts_of(numbers)
        whole = _of_each(values, starts, how)
        before = np.concatenate(
            [np.full(min(back, len(whole)), np.nan), whole[: max(len(whole) - back, 0)]]
        )
        return np.repeat(before, np.diff([*starts, len(values)]))

    return mapped(run, SESSION, column)


def of_week_before(column: str | pl.Expr, how: How) -> pl.Expr:
    """Of all bars of the last calendar week (Monday to Sunday) that had any, the same in each bar of this one.

    Needs ``session_date``. Null in the first week of a history. Declare ``sessions=10`` with it.
    """
    week = pl.col("session_date").dt.truncate("1w").cast(pl.Int32)

    def run(weeks: Values, values: Values) -> Values:
        if len(values) == 0:
            return values
        starts = starts_of(weeks)
        whole = _of_each(values, starts, how)
        before = np.concatenate([[np.nan], whole[:-1]])
        return np.repeat(before, np.diff([*starts, len(values)]))

    return mapped(run, week, column)


def starts_of(numbers: Values) -> Starts:
    """Rows at which a number differs from the one before: the first rows of sessions."""
    return np.flatnonzero(np.concatenate([[True], np.diff(numbers) != 0])[: len(numbers)])


def _of_each(values: Values, starts: Starts, how: How) -> Values:
    """Of the rows of each session."""
    ends = [*starts[1:], len(values)]
    if how == "first":
        return values[starts]
    if how == "last":
        newest: Values = values[np.asarray(ends) - 1]
        return newest
    if how == "sum":  # bar by bar: numpy's own sums take other paths for other lengths of the whole
        totals: Values = np.array(
            [np.cumsum(values[start:end])[-1] for start, end in zip(starts, ends, strict=True)]
        )
        return totals
    reduced: Values = (np.maximum if how == "max" else np.minimum).reduceat(values, starts)
    return reduced


def _run(values: Values, how: How) -> Values:
    """Up to each row of a session."""
    if how == "first":
        return np.full(len(values), values[0])
    if how == "last":
        return values
    if how == "sum":
        total: Values = np.cumsum(values)
        return total
    highest: Values = (np.maximum if how == "max" else np.minimum).accumulate(values)
    return highest
