"""Arithmetic over sessions: what the current one has come to so far, and what earlier ones came to.

Needs the column ``session`` (``feature_service.inputs``). Sums are made bar by bar within their
session, so that a part of a history that begins with a session gives the bits of the whole.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.compiled import Values, compiled, given
from feature_service.inputs import SESSION
from feature_service.windows import mapped

How = Literal["first", "last", "max", "min", "sum"]
Starts = NDArray[np.intp]

_HOWS: tuple[How, ...] = ("first", "max", "min", "sum")
_FIRST, _MAX, _MIN = range(3)
# Days from a Monday to the first day of 1970.
_THURSDAY = 3


def so_far(column: str | pl.Expr, how: How) -> pl.Expr:
    """Of the session's bars up to the current one, which belongs to them.

    Args:
        column: No nulls.
        how: What of them; ``last`` is the bar itself.
    """

    def run(numbers: Values, values: Values) -> Values:
        if how == "last":
            return values
        return _so_far(values, numbers, how)

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


def of_sessions_before(column: str | pl.Expr, how: Literal["max", "min"], count: int) -> pl.Expr:
    """Of all bars of the newest ``count`` earlier sessions, the same in each bar of the current one.

    Args:
        column: No nulls.
        how: What of them.
        count: How many sessions; null in the first so many of a history.
    """

    def run(numbers: Values, values: Values) -> Values:
        if len(values) == 0:
            return values
        starts = starts_of(numbers)
        whole = _of_each(values, starts, how)
        found = np.full(len(whole), np.nan)
        if len(whole) > count:
            windows = np.lib.stride_tricks.sliding_window_view(whole[:-1], count)
            found[count:] = windows.max(axis=1) if how == "max" else windows.min(axis=1)
        return np.repeat(found, np.diff([*starts, len(values)]))

    return mapped(run, SESSION, column)


def of_part(
    column: str | pl.Expr, how: Literal["max", "min"], inside: pl.Expr, over: pl.Expr
) -> pl.Expr:
    """Of the bars of a part of the session, in each of its bars after that part.

    Args:
        column: No nulls.
        how: What of them.
        inside: Whether a bar belongs to the part.
        over: Whether a bar lies after it: then none that follows is inside.

    Returns:
        Null where the part is not over, and where it had no bar.
    """
    nothing = -np.inf if how == "max" else np.inf

    def run(numbers: Values, values: Values, within: Values, after: Values) -> Values:
        if len(values) == 0:
            return values
        starts = starts_of(numbers)
        each = _of_each(np.where(within == 1, values, nothing), starts, how)
        found = np.repeat(each, np.diff([*starts, len(values)]))
        found[(after != 1) | np.isinf(found)] = np.nan
        return found

    return mapped(run, SESSION, column, inside, over)


def of_week_before(column: str | pl.Expr, how: How) -> pl.Expr:
    """Of all bars of the last calendar week (Monday to Sunday) that had any, the same in each bar of this one.

    Needs ``session_date``. Null in the first week of a history. Declare ``sessions=10`` with it.
    """

    def run(weeks: Values, values: Values) -> Values:
        if len(values) == 0:
            return values
        starts = starts_of(weeks)
        whole = _of_each(values, starts, how)
        before = np.concatenate([[np.nan], whole[:-1]])
        return np.repeat(before, np.diff([*starts, len(values)]))

    return mapped(run, week_of(pl.col("session_date")), column)


def first_of_week(column: str | pl.Expr) -> pl.Expr:
    """Of the calendar week's first bar, in each of its bars. Declare ``sessions=5`` with it."""

    def run(weeks: Values, values: Values) -> Values:
        starts = starts_of(weeks)
        return np.repeat(values[starts], np.diff([*starts, len(values)]))

    return mapped(run, week_of(pl.col("session_date")), column)


def week_of(day: pl.Expr) -> pl.Expr:
    """The number of a date's calendar week, which begins on Monday."""
    return (day.to_physical() + _THURSDAY) // 7


def once_a_session(function: Callable[..., Values], *columns: str) -> pl.Expr:
    """A function of columns that are the same in all bars of a session: computed once for each.

    Args:
        function: Of one value a session of each column; NaN stands for null, in and out.
        columns: Null or not in all bars of a session alike.
    """

    def run(series: Sequence[pl.Series]) -> pl.Series:
        numbers = series[0].to_numpy()
        starts = starts_of(numbers)
        firsts = (one.gather(starts).cast(pl.Float64).to_numpy() for one in series[1:])
        found = np.repeat(function(*firsts), np.diff([*starts, len(numbers)]))
        return pl.Series(found, dtype=pl.Float64, nan_to_null=True)

    return pl.map_batches([SESSION, *columns], run, return_dtype=pl.Float64)


def starts_of(numbers: NDArray[Any]) -> Starts:
    """Rows at which whole numbers that never fall differ from the one before."""
    if len(numbers) == 0:
        return np.empty(0, dtype=np.intp)
    # Of the same type, or numpy would copy the column to search it.
    each = np.arange(numbers[0], numbers[-1] + 1, dtype=numbers.dtype)
    return np.unique(np.searchsorted(numbers, each))


def _of_each(values: Values, starts: Starts, how: How) -> Values:
    """Of the rows of each session."""
    ends = [*starts[1:], len(values)]
    if how == "first":
        return values[starts]
    if how == "last":
        newest: Values = values[np.asarray(ends) - 1]
        return newest
    if how == "sum":  # bar by bar: numpy's own sums take other paths for other lengths of the whole
        numbers = np.repeat(np.arange(float(len(starts))), np.diff([*starts, len(values)]))
        totals: Values = _so_far(values, numbers, how)[np.asarray(ends) - 1]
        return totals
    reduced: Values = (np.maximum if how == "max" else np.minimum).reduceat(values, starts)
    return reduced


def _so_far(values: Values, numbers: Values, how: How) -> Values:
    """Up to each row of a session."""
    found = np.empty(len(values))
    _run(given(values), given(numbers), _HOWS.index(how), found)
    return found


@compiled
def _run(values: Values, numbers: Values, how: int, found: Values) -> None:
    """Up to each row of a session, a row after the other."""
    held = np.nan
    for row in range(len(values)):
        value = values[row]
        if row == 0 or numbers[row] != numbers[row - 1]:
            held = value
        elif how == _MAX:
            held = max(held, value)
        elif how == _MIN:
            held = min(held, value)
        elif how != _FIRST:
            held += value
        found[row] = held
