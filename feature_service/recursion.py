"""Columns that remember their whole history, one value at a time.

A window can be computed afresh from the bars in it; these go on from their own newest value. The
store keeps their values with each row (``HELD`` before their names), so that a build goes on where
the last one stopped and has the bits of one over the whole history.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from feature_service.halves import Values, window_means
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
    found = np.full(len(column), np.nan)
    if known:
        (before,) = held
        found[:known] = before[:known]
        begin, seed = known - 1, before[known - 1]
    else:
        begin = ewm.first + ewm.width - 1
        if begin >= len(column):
            return found
        # Not a plain mean: its bits depend on where in memory the slice happens to lie.
        seed = window_means(column[ewm.first : begin + 1], ewm.width)[0]
    values = column[begin:].copy()
    values[0] = seed
    series = pl.Series(values, nan_to_null=True)
    smooth = series.ewm_mean(alpha=ewm.alpha, adjust=False, min_samples=1, ignore_nulls=True)
    found[begin:] = smooth.to_numpy()
    return found


Recursion = Ewm | RunningSum | Newest
