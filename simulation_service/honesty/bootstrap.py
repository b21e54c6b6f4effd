"""How far Sharpe and return might have gone in another history like this one: stationary bootstrap.

Politis, Romano, "The Stationary Bootstrap" (1994): a resample is made of blocks that begin anywhere
and have a geometric length; behind the last session comes the first one. Blocks keep what a
session has to do with the next ones, such as days that are wild together.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation_service.honesty.sharpe_tests import Interval
from simulation_service.returns import ROUNDING, CurveError, finite, same
from simulation_service.run import Floats

_FEWEST = 2
_CELLS = 2_000_000
#: A mean block of the cube root of the sessions: of that order a variance is told best.
_ROOT = 1 / 3


@dataclass(frozen=True)
class Bootstrap:
    """Ranges that hold the figures of so many resamples.

    Attributes:
        sharpe: Of the annual ratio; None where the returns have none, or below two.
        total_return: Of the whole; None where a return is -1 or less, below two returns, or where
            a resample grows beyond all numbers.
        resamples: How many.
        mean_block: Sessions of a block on average.
        seed: The same one gives the same ranges.
    """

    sharpe: Interval | None
    total_return: Interval | None
    resamples: int
    mean_block: float
    seed: int


def stationary_bootstrap(
    returns: Floats,
    sessions_per_year: float,
    *,
    seed: int,
    resamples: int = 2_000,
    mean_block: float | None = None,
    confidence: float = 0.95,
) -> Bootstrap:
    """Ranges of the annual Sharpe ratio and of the total return, by quantiles of resamples.

    Args:
        returns: From session to session.
        mean_block: Sessions, 1 or more; 1 draws each session by itself. None for the cube root of
            how many there are.

    Raises:
        CurveError: A return is missing or infinite, or one of the numbers cannot be.
    """
    found = finite(returns, "returns", least=0)
    block = max(1.0, len(found) ** _ROOT) if mean_block is None else mean_block
    _check(resamples, block, confidence)
    if len(found) < _FEWEST:
        return Bootstrap(None, None, resamples, block, seed)
    edges = [(1 - confidence) / 2, (1 + confidence) / 2]
    lost = bool(found.min() <= -1)
    logs = np.zeros_like(found) if lost else np.log1p(found)
    ratios, growths = [], []
    for rows in _resampled(len(found), resamples, block, np.random.default_rng(seed)):
        ratios.append(_ratios(found[rows]))
        growths.append(logs[rows].sum(axis=1))
    ratio = np.concatenate(ratios)
    ratio = ratio[np.isfinite(ratio)] * math.sqrt(sessions_per_year)
    with np.errstate(over="ignore"):
        growth = np.expm1(np.concatenate(growths))
    return Bootstrap(
        sharpe=None if same(found) or not len(ratio) else _interval(ratio, edges),
        total_return=None if lost else _interval(growth, edges),
        resamples=resamples,
        mean_block=block,
        seed=seed,
    )


def stationary_rows(
    sessions: int, resamples: int, mean_block: float, random: np.random.Generator
) -> NDArray[np.int64]:
    """The sessions that resamples are made of, a resample in a row."""
    starts = random.integers(0, sessions, size=(resamples, sessions))
    begins = random.random((resamples, sessions)) < 1 / mean_block
    places = np.arange(sessions)
    # Where a resample has not begun anew yet, its first session is where it began.
    begun = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    return np.asarray((np.take_along_axis(starts, begun, axis=1) + places - begun) % sessions)


def _resampled(
    sessions: int, resamples: int, block: float, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    step = max(1, _CELLS // sessions)
    for start in range(0, resamples, step):
        yield stationary_rows(sessions, min(step, resamples - start), block, random)


def _ratios(drawn: Floats) -> Floats:
    """NaN where a resample drew the same return again and again."""
    deviation = drawn.std(axis=1, ddof=1)
    still = deviation <= ROUNDING
    return np.where(still, np.nan, drawn.mean(axis=1) / np.where(still, 1, deviation))


def _interval(values: Floats, edges: list[float]) -> Interval | None:
    if not np.isfinite(values).all():
        return None
    low, high = (float(edge) for edge in np.quantile(values, edges))
    return Interval(low, high)


def _check(resamples: int, block: float, confidence: float) -> None:
    if resamples < 1:
        raise CurveError(f"There must be one resample at least, were {resamples}.")
    if not (math.isfinite(block) and block >= 1):
        raise CurveError(f"A mean block has one session or more, was {block:g}.")
    if not 0 < confidence < 1:
        raise CurveError(f"A confidence lies between 0 and 1, like 0.95; it was {confidence:g}.")
