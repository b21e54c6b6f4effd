"""What a Sharpe ratio is worth: its error, its probability, and what many trials leave of it.

Every Sharpe ratio in this file is one of a session (mean over deviation), not of a year; multiply
by the root of the sessions in a year. Returns are taken to be independent of one another.

Sources: Lo, "The Statistics of Sharpe Ratios" (2002); Mertens, "Comments on Variance of the IID
estimator in Lo" (2002); Bailey, Lopez de Prado, "The Sharpe Ratio Efficient Frontier" (2012) and
"The Deflated Sharpe Ratio" (2014).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from simulation_service.returns import CurveError, finite, same
from simulation_service.run import Floats

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
_FEWEST = 2
#: A distribution of two values may have a Sharpe ratio without error, but for rounding.
_NO_ERROR = 1e-12


@dataclass(frozen=True)
class Sample:
    """What the tests need to know of returns.

    Attributes:
        sharpe: Mean over deviation (of the sample), of a session.
        observations: How many returns.
        skewness: Third standardised moment (of the population); 0 for a normal distribution.
        kurtosis: Fourth standardised moment, not in excess; 3 for a normal distribution.
    """

    sharpe: float
    observations: int
    skewness: float = 0.0
    kurtosis: float = 3.0

    def __post_init__(self) -> None:
        """Refuse what no returns can have.

        Raises:
            CurveError: Fewer than two observations, or moments that cannot be.
        """
        numbers = (self.sharpe, self.skewness, self.kurtosis)
        if self.observations < _FEWEST or not all(map(math.isfinite, numbers)):
            raise CurveError("A Sharpe ratio is tested on two returns at least, all finite.")
        if self.kurtosis < 1 + self.skewness**2 - 1e-9 * (1 + self.skewness**2):
            raise CurveError(
                f"No returns have a skewness of {self.skewness:g} and a kurtosis of "
                f"{self.kurtosis:g}. Give the whole kurtosis, which is 3 for a normal distribution."
            )


@dataclass(frozen=True)
class Interval:
    """A range that holds the true value with a confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class Deflated:
    """A Sharpe ratio beside the best that luck alone gives.

    Attributes:
        probability: That the true ratio is above ``expected_maximum``; None where its error is 0.
        expected_maximum: Of the ratios of as many trials without any skill, of a session.
        trials: How many.
        variance: Of the trials' ratios.
        variance_assumed: Whether it was not measured but taken from the theory.
    """

    probability: float | None
    expected_maximum: float
    trials: int
    variance: float
    variance_assumed: bool


def sample(returns: Floats) -> Sample | None:
    """The moments of returns; None below two of them or where all are the same.

    Raises:
        CurveError: A return is missing or infinite.
    """
    found = finite(returns, "returns", least=0)
    if len(found) < _FEWEST or same(found):
        return None
    moved = found - found.mean()
    spread = math.sqrt(float(np.square(moved).mean()))
    scaled = moved / spread
    return Sample(
        sharpe=float(found.mean() / found.std(ddof=1)),
        observations=len(found),
        skewness=float(np.power(scaled, 3).mean()),
        kurtosis=float(np.power(scaled, 4).mean()),
    )


def lo_error(of: Sample) -> float:
    """Standard error for independent normal returns: root((1 + SR²/2) / T) (Lo 2002)."""
    return math.sqrt((1 + of.sharpe**2 / 2) / of.observations)


def mertens_error(of: Sample) -> float:
    """Standard error for independent returns of any distribution.

    root((1 - skewness * SR + (kurtosis - 1) / 4 * SR²) / (T - 1)): Mertens (2002), with the T - 1
    of Bailey and Lopez de Prado (2012). 0 for some distributions of two values.
    """
    return math.sqrt(_squared_scale(of) / (of.observations - 1))


def interval(of: Sample, error: float, confidence: float = 0.95) -> Interval:
    """The range around the ratio that holds the true one; both its ends as far away.

    Raises:
        CurveError: The confidence is not between 0 and 1.
    """
    _check_confidence(confidence)
    width = _NORMAL.inv_cdf((1 + confidence) / 2) * error
    return Interval(of.sharpe - width, of.sharpe + width)


def probabilistic(of: Sample, threshold: float = 0.0) -> float | None:
    """The probability that the true ratio is above a threshold (Bailey, Lopez de Prado 2012).

    Args:
        threshold: A ratio of a session.

    Returns:
        0 to 1; None where the error is 0.
    """
    error = mertens_error(of)
    return _NORMAL.cdf((of.sharpe - threshold) / error) if error else None


def minimum_length(of: Sample, threshold: float = 0.0, confidence: float = 0.95) -> float | None:
    """How many returns it takes until the ratio is above a threshold with a confidence.

    1 + (1 - skewness * SR + (kurtosis - 1) / 4 * SR²) * (z / (SR - threshold))², the minimum
    track record length of Bailey and Lopez de Prado (2012).

    Returns:
        Returns, not rounded; None where the ratio is not above the threshold: no length will do.

    Raises:
        CurveError: The confidence is not between 0 and 1.
    """
    _check_confidence(confidence)
    distance = of.sharpe - threshold
    if distance <= 0:
        return None
    errors = max(0.0, _NORMAL.inv_cdf(confidence)) / distance
    length = 1 + _squared_scale(of) * errors * errors
    return length if math.isfinite(length) else None


def expected_maximum(trials: int, variance: float) -> float:
    """The best ratio to be expected of independent trials without skill.

    root(V) * ((1 - g) * z(1 - 1/N) + g * z(1 - 1/(N e))), g being Euler and Mascheroni's constant
    and z the quantile of the normal distribution (Bailey, Lopez de Prado 2014). 0 for one trial.

    Args:
        variance: Of the trials' ratios, each of a session.

    Raises:
        CurveError: Less than one trial, or a variance below zero.
    """
    if trials < 1 or not (math.isfinite(variance) and variance >= 0):
        raise CurveError(
            f"{trials} trials whose Sharpe ratios have a variance of {variance:g} cannot be. "
            "Give one trial at least and a variance of 0 or more."
        )
    if trials == 1:
        return 0.0
    # By symmetry z(1 - p) is -z(p), which does not lose p where it is tiny.
    first, second = -_NORMAL.inv_cdf(1 / trials), -_NORMAL.inv_cdf(1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - _EULER) * first + _EULER * second)


def deflated(
    of: Sample,
    trials: int,
    *,
    variance: float | None = None,
    sharpes: Floats | None = None,
) -> Deflated:
    """The probability that the best of many trials has any skill (Bailey, Lopez de Prado 2014).

    It is the probability that the true ratio is above the best one to be expected of as many
    independent trials without skill. Trials that resemble one another are fewer than they look;
    then it is rather too low.

    Args:
        of: The chosen trial.
        trials: How many were tried, the chosen one and the failed ones among them.
        variance: Of the ratios of all trials, each of a session.
        sharpes: Those ratios instead, two at least; they need not be all of them. If neither is
            given the trials are taken to have no skill and as many returns as the chosen one, so
            that the variance is 1 / (T - 1).

    Raises:
        CurveError: Less than one trial, a variance below zero, both given, or too few ratios.
    """
    if variance is not None and sharpes is not None:
        raise CurveError("Give either the variance of the trials' Sharpe ratios or the ratios.")
    if sharpes is not None:
        variance = _variance(sharpes, trials)
    spread = 1 / (of.observations - 1) if variance is None else variance
    best = expected_maximum(trials, spread)
    return Deflated(probabilistic(of, best), best, trials, spread, variance is None)


def _variance(sharpes: Floats, trials: int) -> float:
    found = finite(sharpes, "Sharpe ratios of the trials")
    if not _FEWEST <= len(found) <= trials:
        raise CurveError(
            f"There are {len(found):,} Sharpe ratios of {trials:,} trials. "
            "Give those of two trials at least and not more than there were."
        )
    return float(found.var(ddof=1))


def _squared_scale(of: Sample) -> float:
    scale = 1 - of.skewness * of.sharpe + (of.kurtosis - 1) / 4 * of.sharpe**2
    return scale if scale > _NO_ERROR else 0.0


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise CurveError(f"A confidence lies between 0 and 1, like 0.95; it was {confidence:g}.")
