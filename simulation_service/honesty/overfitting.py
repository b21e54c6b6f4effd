"""The probability of backtest overfitting, by combinatorially symmetric cross-validation.

Bailey, Borwein, Lopez de Prado, Zhu, "The Probability of Backtest Overfitting" (2015): the sessions
are cut into S blocks; each way to choose half of them is one split. The trial that is best in the
chosen half is looked up in the other half. If it is no better there than the middle of all trials,
choosing it was overfitting.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simulation_service.returns import ROUNDING, CurveError
from simulation_service.run import Floats

_FEWEST_BLOCKS, _MOST_BLOCKS = 2, 20
_FEWEST_TRIALS = 2
#: Ratios equal to so many digits are equal, whatever the order in which they were summed.
_DIGITS = 12
#: What rounding leaves of the spread of returns that are all the same, as a share of their squares.
_STILL = 1e-12
#: Numbers of one table that is held in memory at a time.
_CELLS = 2_000_000


@dataclass(frozen=True)
class Overfitting:
    """What became of the best trial of each split.

    Attributes:
        probability: Share of the splits in which it was not above the middle: logits at most 0.
        logits: For each split ln(w / (1 - w)), w being its rank in the other half (1 is the worst,
            equals share theirs) over the trials and one more.
        best: For each split the column of the trial that was chosen.
        chosen_sharpe: Its Sharpe ratio of a session in the half it was chosen in.
        other_sharpe: The same in the other half.
        slope: Of the regression of the latter on the former; below 0 the better it looked, the
            worse it became. None where the former are all the same.
        intercept: Of that regression; None as above.
        probability_of_loss: Share of the splits in which it lost in the other half.
        sessions: Used; the oldest ones beyond a whole number a block are left out.
        blocks: S.
    """

    probability: float
    logits: Floats
    best: NDArray[np.int64]
    chosen_sharpe: Floats
    other_sharpe: Floats
    slope: float | None
    intercept: float | None
    probability_of_loss: float
    sessions: int
    blocks: int


def overfitting(returns: Floats, blocks: int = 16) -> Overfitting:
    """The probability that choosing the best of trials by its Sharpe ratio is overfitting.

    Args:
        returns: Of a session in a row and a trial in a column: all the trials of one search. The
            Sharpe ratio of a trial whose returns are all the same in a half (it did not trade)
            counts as 0 there.
        blocks: S, even, 2 to 20; there are S! / (S/2)!² splits, 12,870 for 16. With blocks shorter
            than the holding time the halves know of one another.

    Raises:
        CurveError: Not a table of finite numbers, fewer than two trials, a number of blocks that
            cannot be, or blocks of fewer than two sessions.
    """
    table = _checked(returns, blocks)
    sums = _Sums.of(table, blocks)
    parts = [_split(sums, chosen) for chosen in _splits(blocks, table.shape[1])]
    best, inside, outside, ranks = (np.concatenate(column) for column in zip(*parts, strict=True))
    relative = ranks / (table.shape[1] + 1)
    logits = np.log(relative / (1 - relative))
    slope, intercept = _regression(inside, outside)
    return Overfitting(
        probability=float(np.mean(logits <= ROUNDING)),
        logits=logits,
        best=best,
        chosen_sharpe=inside,
        other_sharpe=outside,
        slope=slope,
        intercept=intercept,
        probability_of_loss=float(np.mean(outside < 0)),
        sessions=len(table),
        blocks=blocks,
    )


@dataclass(frozen=True)
class _Sums:
    """Sums of each block (rows) and trial (columns), around the trials' means."""

    means: Floats
    firsts: Floats
    squares: Floats
    flat: NDArray[np.bool_]
    length: int

    @classmethod
    def of(cls, table: Floats, blocks: int) -> "_Sums":
        means = table.mean(axis=0)
        cut = (table - means).reshape(blocks, -1, table.shape[1])
        return cls(
            means=means,
            firsts=cut.sum(axis=1),
            squares=np.square(cut).sum(axis=1),
            flat=np.ptp(table, axis=0) <= ROUNDING,
            length=len(table) // 2,
        )

    def sharpes(self, chosen: Floats) -> Floats:
        """Ratios of each split (rows) and trial (columns)."""
        means = chosen @ self.firsts / self.length
        squares = chosen @ self.squares
        spread = squares - self.length * np.square(means)
        still = self.flat | (spread <= _STILL * squares)
        deviation = np.sqrt(np.where(still, 1, spread) / (self.length - 1))
        found: Floats = np.where(still, 0, (means + self.means) / deviation)
        return np.round(found, _DIGITS)


def _checked(returns: Floats, blocks: int) -> Floats:
    table = np.asarray(returns, dtype=np.float64)
    if table.ndim != _FEWEST_TRIALS or table.shape[1] < _FEWEST_TRIALS:
        raise CurveError(
            "Overfitting needs a table of returns: a row a session, two trials or more."
        )
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise CurveError(
            f"Trial {column} has no finite return in session {row}. Give 0 for no trade."
        )
    if blocks % 2 or not _FEWEST_BLOCKS <= blocks <= _MOST_BLOCKS:
        raise CurveError(
            f"The blocks must be an even number from {_FEWEST_BLOCKS} to {_MOST_BLOCKS}, "
            f"were {blocks}."
        )
    if len(table) < 2 * blocks:
        raise CurveError(
            f"{len(table):,} sessions cannot be cut into {blocks} blocks of two sessions or more. "
            f"Take {max(_FEWEST_BLOCKS, len(table) // 4 * 2)} blocks or more sessions."
        )
    return np.ascontiguousarray(table[len(table) % blocks :])


def _splits(blocks: int, trials: int) -> Iterator[Floats]:
    """All splits, a row each, 1 for a block that is chosen from; some at a time, for memory."""
    every = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((len(every), blocks))
    np.put_along_axis(chosen, every, 1, axis=1)
    step = max(1, _CELLS // trials)
    for start in range(0, len(chosen), step):
        yield chosen[start : start + step]


def _split(sums: _Sums, chosen: Floats) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    inside, outside = sums.sharpes(chosen), sums.sharpes(1 - chosen)
    best = np.argmax(inside, axis=1)[:, None]
    reached = np.take_along_axis(outside, best, axis=1)
    worse, equal = (outside < reached).sum(axis=1), (outside == reached).sum(axis=1)
    ranks = worse + (equal + 1) / 2
    return best[:, 0], np.take_along_axis(inside, best, axis=1)[:, 0], reached[:, 0], ranks


def _regression(across: Floats, upward: Floats) -> tuple[float | None, float | None]:
    if np.ptp(across) <= 10.0**-_DIGITS:
        return None, None
    moved = across - across.mean()
    slope = float(moved @ (upward - upward.mean()) / (moved @ moved))
    intercept = float(upward.mean() - slope * across.mean())
    return (slope, intercept) if math.isfinite(slope) else (None, None)
