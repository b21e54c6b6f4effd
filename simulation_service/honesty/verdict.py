"""All that is said beside a Sharpe ratio, in figures of a year."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from simulation_service.honesty.bootstrap import stationary_bootstrap
from simulation_service.honesty.sharpe_tests import (
    deflated,
    interval,
    lo_error,
    mertens_error,
    minimum_length,
    probabilistic,
    sample,
)
from simulation_service.run import Floats


@dataclass(frozen=True)
class Verdict:
    """A Sharpe ratio and what it is worth; ratios and errors are those of a year.

    Attributes:
        sharpe: The ratio.
        error: Standard error for returns of this skewness and kurtosis (Mertens 2002).
        error_if_normal: The same for normal returns (Lo 2002).
        low: Lower end of the interval around the ratio, from ``error``.
        high: Upper end.
        bootstrap_low: Lower end from stationary resamples; None if they tell none.
        bootstrap_high: Upper end.
        total_return_low: Lower end of the total return, from the same resamples.
        total_return_high: Upper end.
        probabilistic: Probability that the true ratio is above 0; None if the error is 0.
        deflated: Probability that it is above ``expected_maximum``; None if the error is 0.
        expected_maximum: The best ratio to be expected of as many trials without skill.
        trials: Strategies tried on these bars.
        variance_assumed: Whether the spread of the trials' ratios was not known.
        minimum_sessions: Sessions until the ratio is above 0 with the confidence; None if never.
        sessions: Returns there are.
        confidence: Of the intervals and of ``minimum_sessions``.
    """

    sharpe: float
    error: float
    error_if_normal: float
    low: float
    high: float
    bootstrap_low: float | None
    bootstrap_high: float | None
    total_return_low: float | None
    total_return_high: float | None
    probabilistic: float | None
    deflated: float | None
    expected_maximum: float
    trials: int
    variance_assumed: bool
    minimum_sessions: int | None
    sessions: int
    skewness: float
    kurtosis: float
    confidence: float

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        return asdict(self)


def judge(
    returns: Floats,
    sessions_per_year: float,
    *,
    trials: int = 1,
    sharpes: Floats | None = None,
    seed: int = 0,
    resamples: int = 2_000,
    confidence: float = 0.95,
) -> Verdict | None:
    """What the Sharpe ratio of returns is worth.

    Args:
        returns: From session to session.
        trials: Strategies tried on these bars, this one among them.
        sharpes: Annual ratios of those trials, as far as they are known; with fewer than two
            they are taken to have no skill.
        seed: Of the bootstrap.

    Returns:
        None below two returns or where all are the same.

    Raises:
        CurveError: A return is missing or infinite, or one of the numbers cannot be.
    """
    of = sample(returns)
    if of is None:
        return None
    year = math.sqrt(sessions_per_year)
    told = None if sharpes is None or len(sharpes) <= 1 else np.asarray(sharpes) / year
    left = deflated(of, trials, sharpes=told)
    error = mertens_error(of)
    around = interval(of, error, confidence)
    drawn = stationary_bootstrap(
        returns, sessions_per_year, seed=seed, resamples=resamples, confidence=confidence
    )
    length = minimum_length(of, 0.0, confidence)
    return Verdict(
        sharpe=of.sharpe * year,
        error=error * year,
        error_if_normal=lo_error(of) * year,
        low=around.low * year,
        high=around.high * year,
        bootstrap_low=drawn.sharpe.low if drawn.sharpe else None,
        bootstrap_high=drawn.sharpe.high if drawn.sharpe else None,
        total_return_low=drawn.total_return.low if drawn.total_return else None,
        total_return_high=drawn.total_return.high if drawn.total_return else None,
        probabilistic=probabilistic(of),
        deflated=left.probability,
        expected_maximum=left.expected_maximum * year,
        trials=trials,
        variance_assumed=left.variance_assumed,
        minimum_sessions=None if length is None else math.ceil(length),
        sessions=of.observations,
        skewness=of.skewness,
        kurtosis=of.kurtosis,
        confidence=confidence,
    )


def told(found: Mapping[str, Any]) -> str:
    """What a Sharpe ratio says, and what it does not, in a sentence; from :attr:`Verdict.facts`."""
    tried = f"{found['trials']} {'try' if found['trials'] == 1 else 'tries'}"
    chances = ", ".join(
        f"{about} {found[name]:.0%}"
        for name, about in (
            ("probabilistic", "above 0:"),
            ("deflated", f"above the best of {tried}:"),
        )
        if found[name] is not None
    )
    return (
        f"Sharpe {found['sharpe']:.2f} lies between {found['low']:.2f} and {found['high']:.2f} "
        f"with {found['confidence']:.0%} confidence; chance that it is {chances}"
    )
