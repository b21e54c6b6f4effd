"""What an expression of a user may do: the safe list, each entry a function over polars columns.

Every result is a number or null: what would be infinite, no number, or greater than ``LIMIT`` is
null, so that no window can overflow. All of them look at the current and earlier bars alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import polars as pl

from feature_service.windows import rolling_mean, rolling_std

#: No number of an expression is farther from zero.
LIMIT = 1e100


def tamed(value: pl.Expr) -> pl.Expr:
    """The value, null where it is no number within the limit."""
    return pl.when(value.abs() <= LIMIT).then(value)


def absolute(x: pl.Expr) -> pl.Expr:
    """Without its sign."""
    return x.abs()


def logarithm(x: pl.Expr) -> pl.Expr:
    """Natural logarithm; null of what is not positive."""
    return x.log()


def exponential(x: pl.Expr) -> pl.Expr:
    """Of e."""
    return x.exp()


def root(x: pl.Expr) -> pl.Expr:
    """Square root; null of what is negative."""
    return x.sqrt()


def sign(x: pl.Expr) -> pl.Expr:
    """-1, 0 or 1."""
    return x.sign()


def least(*some: pl.Expr) -> pl.Expr:
    """The smallest of several; null if one is null."""
    return pl.when(_all_there(some)).then(pl.min_horizontal(some))


def greatest(*some: pl.Expr) -> pl.Expr:
    """The greatest of several; null if one is null."""
    return pl.when(_all_there(some)).then(pl.max_horizontal(some))


def clipped(x: pl.Expr, low: pl.Expr, high: pl.Expr) -> pl.Expr:
    """Brought between two bounds; null if one of the three is null."""
    return least(greatest(x, low), high)


def chosen(condition: pl.Expr, then: pl.Expr, otherwise: pl.Expr) -> pl.Expr:
    """One of two, by a condition; null where that is null, whatever the other one is."""
    return pl.when(condition).then(then).when(condition.not_()).then(otherwise)


def quotient(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """One over the other; null over zero."""
    return pl.when(whole != 0).then(part / whole)


def lag(x: pl.Expr, bars: int) -> pl.Expr:
    """Some bars ago."""
    return x.shift(bars)


def diff(x: pl.Expr, bars: int) -> pl.Expr:
    """The change over some bars."""
    return x - x.shift(bars)


def mean(x: pl.Expr, bars: int) -> pl.Expr:
    """Of the newest bars."""
    return rolling_mean(x, bars)


def std(x: pl.Expr, bars: int) -> pl.Expr:
    """Deviation of the newest bars, of the population."""
    return rolling_std(x, bars, ddof=0)


def highest(x: pl.Expr, bars: int) -> pl.Expr:
    """Of the newest bars."""
    return _one_zero(x).rolling_max(bars)


def lowest(x: pl.Expr, bars: int) -> pl.Expr:
    """Of the newest bars."""
    return _one_zero(x).rolling_min(bars)


def zscore(x: pl.Expr, bars: int) -> pl.Expr:
    """Distance from the mean of the newest bars, in their deviations; null where they are all the same."""
    return quotient(x - mean(x, bars), std(x, bars))


@dataclass(frozen=True)
class Pointwise:
    """A function of numbers of one bar.

    Attributes:
        make: From columns to a column.
        takes: Fewest and most arguments.
    """

    make: Callable[..., pl.Expr]
    takes: tuple[int, int]


@dataclass(frozen=True)
class Window:
    """A function of a column and a number of bars.

    Attributes:
        own: How many of the bars are the current one: 1 for windows that hold it, 0 for what counts back.
        fewest: Bars that it needs.
    """

    make: Callable[[pl.Expr, int], pl.Expr]
    own: int
    fewest: int = 1


#: As many arguments as an expression can have.
_ANY_NUMBER = 50
POINTWISE: Mapping[str, Pointwise] = {
    "abs": Pointwise(absolute, (1, 1)),
    "log": Pointwise(logarithm, (1, 1)),
    "exp": Pointwise(exponential, (1, 1)),
    "sqrt": Pointwise(root, (1, 1)),
    "sign": Pointwise(sign, (1, 1)),
    "min": Pointwise(least, (2, _ANY_NUMBER)),
    "max": Pointwise(greatest, (2, _ANY_NUMBER)),
    "clip": Pointwise(clipped, (3, 3)),
}
WINDOWS: Mapping[str, Window] = {
    "lag": Window(lag, own=0),
    "diff": Window(diff, own=0),
    "mean": Window(mean, own=1),
    "std": Window(std, own=1, fewest=2),
    "highest": Window(highest, own=1),
    "lowest": Window(lowest, own=1),
    "zscore": Window(zscore, own=1, fewest=2),
}


def _all_there(some: tuple[pl.Expr, ...]) -> pl.Expr:
    return reduce(lambda one, other: one & other, (each.is_not_null() for each in some))


def _one_zero(x: pl.Expr) -> pl.Expr:
    """Without minus zero: which of the two zeros a window finds would depend on its history."""
    return pl.when(x == 0).then(0.0).otherwise(x)
