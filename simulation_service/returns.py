"""Figures of a curve with a value a session: return, risk, ratios, alpha, beta. Pure.

A curve has the value before everything first and then one for each session, so it has one value
more than there are sessions. Returns are simple and from session to session; cash earns nothing.
No figure is NaN or infinite: where it does not exist it is None. docs/metrics.md has every formula.
"""

import math
from dataclasses import dataclass

import numpy as np

from lake.errors import ProblemError
from simulation_service.run import Floats

#: Returns that differ by less are equal: what is left is the rounding of a quotient near 1.
ROUNDING = 1e-14
#: A return beyond this is no return, and its square no number.
_LARGEST = 1e100
_TWO = 2


class CurveError(ProblemError):
    """A curve, a list of returns or a table that no figure can be computed from."""


@dataclass(frozen=True)
class Relation:
    """How returns move with those of a benchmark.

    Attributes:
        alpha: What a year brings beside beta times the benchmark: the intercept of the regression
            times the sessions in a year (Jensen 1968, with cash earning nothing).
        beta: The slope: covariance over the benchmark's variance.
        correlation: Of Pearson; None where the returns are all the same.
    """

    alpha: float
    beta: float
    correlation: float | None


def finite(values: Floats, what: str, least: int = 1) -> Floats:
    """The values as one row of 64-bit floats.

    Raises:
        CurveError: There are too few, they are not in one row, or one is missing or infinite.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or found.size < least:
        raise CurveError(f"The {what} must be one row of numbers, {least} at least.")
    if not np.isfinite(found).all():
        at = int(np.flatnonzero(~np.isfinite(found))[0])
        raise CurveError(f"The {what} have no finite number at place {at}. Fill or drop it first.")
    return found


def returns_of(daily: Floats) -> Floats | None:
    """Returns from session to session; None where a value is not above zero or a return too large."""
    if daily.min() <= 0:
        return None
    with np.errstate(over="ignore"):
        returns = np.asarray(daily[1:] / daily[:-1] - 1)
    return None if len(returns) and returns.max() > _LARGEST else returns


def annual_return(daily: Floats, sessions_per_year: float) -> float | None:
    """The return of a year that compounds to the whole: (last / first) ** (year / sessions) - 1.

    -1 where everything was lost; None without a session, from a first value that is not above
    zero, or where the number is too large to exist.
    """
    if len(daily) < _TWO or daily[0] <= 0:
        return None
    if daily[-1] <= 0:
        return -1.0
    growth = math.log(daily[-1] / daily[0]) * sessions_per_year / (len(daily) - 1)
    try:
        return math.expm1(growth)
    except OverflowError:
        return None


def volatility(daily: Floats, sessions_per_year: float) -> float | None:
    """Deviation (of the sample) of the returns, times the root of the sessions in a year.

    0 where all are the same; None below two returns or where a value is not above zero.
    """
    returns = returns_of(daily)
    if returns is None or len(returns) < _TWO:
        return None
    return 0.0 if same(returns) else float(returns.std(ddof=1) * math.sqrt(sessions_per_year))


def sharpe(daily: Floats, sessions_per_year: float) -> float | None:
    """Mean over deviation (of the sample), times the root of the sessions in a year (Sharpe 1994).

    None below two returns, where all are the same, or where a value is not above zero.
    """
    returns = returns_of(daily)
    if returns is None or len(returns) < _TWO or same(returns):
        return None
    return float(returns.mean() / returns.std(ddof=1) * math.sqrt(sessions_per_year))


def sortino(daily: Floats, sessions_per_year: float) -> float | None:
    """Mean over downside deviation, times the root of the sessions in a year (Sortino, Price 1994).

    The downside deviation is the root of the mean, over all returns, of the squares of those below
    zero. None below two returns, without a fall, or where a value is not above zero.
    """
    returns = returns_of(daily)
    if returns is None or len(returns) < _TWO or returns.min() > -ROUNDING:
        return None
    downside = math.sqrt(float(np.square(np.minimum(returns, 0)).mean()))
    return float(returns.mean()) / downside * math.sqrt(sessions_per_year)


def relation(daily: Floats, benchmark: Floats, sessions_per_year: float) -> Relation | None:
    """Alpha and beta against a benchmark's curve of the same sessions.

    None below two returns, where the benchmark's are all the same, or where a value of either is
    not above zero.

    Raises:
        CurveError: The two have not the same length.
    """
    if len(daily) != len(benchmark):
        raise CurveError(
            f"The curve has {len(daily):,} values and the benchmark {len(benchmark):,}. "
            "Give both for the same sessions."
        )
    own, other = returns_of(daily), returns_of(benchmark)
    if own is None or other is None or len(own) < _TWO or same(other):
        return None
    moved, market = own - own.mean(), other - other.mean()
    together, alone = float(moved @ market), float(market @ market)
    beta = together / alone
    alpha = (float(own.mean()) - beta * float(other.mean())) * sessions_per_year
    if same(own):
        return Relation(alpha, beta, None)
    correlation = together / math.sqrt(alone * float(moved @ moved))
    return Relation(alpha, beta, max(-1.0, min(1.0, correlation)))


def same(returns: Floats) -> bool:
    """Whether all returns are equal but for rounding."""
    return bool(np.ptp(returns) <= ROUNDING)
