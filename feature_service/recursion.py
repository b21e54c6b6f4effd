"""Columns that remember their whole history, one value at a time.

A window can be computed afresh from the bars in it; these go on from their own newest value. The
store keeps their values with each row (``HELD`` before their names), so that a build goes on where
the last one stopped and has the bits of one over the whole history.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from feature_service import halves
from feature_service.compiled import Values, compiled, given
from feature_service.windows import mapped

#: Before the name of a column that holds values known already.
HELD = "held_"

_ROW = pl.int_range(pl.len())


@dataclass(frozen=True)
class Ewm:
    """Exponential mean, seeded like TA-Lib's and Wilder's with the plain mean of the first values.

    Attributes:
        column: Null in its first ``first`` rows at most.
        first: Row of the first value, from 0.
        width: Values in the seed; null before the last of them.
        alpha: Weight of the newest value.
    """

    column: pl.Expr
    first: int
    width: int
    alpha: float

    def expression(self, held: pl.Expr, known: int) -> pl.Expr:
        """The column.

        Args:
            held: Its values in the first rows.
            known: How many those are; 0 at the beginning of a history.
        """
        return mapped(partial(_smoothed, self, known), self.column, *([held] if known else []))


@dataclass(frozen=True)
class RunningSum:
    """Sum of all values so far.

    Attributes:
        column: Nulls count as nothing.
    """

    column: pl.Expr

    def expression(self, held: pl.Expr, known: int) -> pl.Expr:
        """As :meth:`Ewm.expression`."""
        values = self.column.fill_null(0.0)
        if not known:
            return values.cum_sum()
        rest = pl.when(known <= _ROW).then(values).when(known - 1 == _ROW).then(held).otherwise(0.0)
        return pl.when(known > _ROW).then(held).otherwise(rest.cum_sum())


@dataclass(frozen=True)
class Newest:
    """The newest value that is not null.

    Attributes:
        column: Null where nothing new happened.
    """

    column: pl.Expr

    def expression(self, held: pl.Expr, known: int) -> pl.Expr:
        """As :meth:`Ewm.expression`."""
        if not known:
            return self.column.forward_fill()
        return pl.when(known > _ROW).then(held).otherwise(self.column).forward_fill()


def _smoothed(ewm: Ewm, known: int, column: Values, *held: Values) -> Values:
    """The values of an exponential mean, from its seed or from what is held of it."""
    if known:
        return _gone_on(column, held[0], known, ewm.alpha)
    begin = ewm.first + ewm.width - 1
    # Not a plain mean: windows merged from halves have the value itself as the mean of equal ones.
    seed = halves.means(column[ewm.first : begin + 1], ewm.width)[-1:]
    return _gone_on(column, np.append(np.full(begin, np.nan), seed), begin + 1, ewm.alpha)


def _gone_on(column: Values, held: Values, known: int, alpha: float) -> Values:
    """What is held in the first rows, and what follows from it."""
    found = np.empty(len(column))
    _go_on(given(column), given(held), min(known, len(column)), alpha, found)
    return found


@compiled
def _go_on(values: Values, held: Values, known: int, alpha: float, found: Values) -> None:
    """Each value moves the mean; what is none does not."""
    found[:known] = held[:known]
    mean = found[known - 1] if known else np.nan
    for row in range(known, len(values)):
        value = values[row]
        if np.isnan(value):
            found[row] = np.nan
            continue
        mean = value if np.isnan(mean) else mean + alpha * (value - mean)
        found[row] = mean


Recursion = Ewm | RunningSum | Newest
