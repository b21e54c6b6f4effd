"""Whether the moments of the trades mattered: the same trades, entered at random moments.

A random run has as many trades as the real one, each held as many bars and in the same direction,
in random order and without overlap. All trade the same prices at the same costs, so that costs are the
same for all and left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation_service.returns import CurveError, finite
from simulation_service.run import Floats, Integers

_CELLS = 1_000_000


@dataclass(frozen=True)
class RandomEntry:
    """A run beside random ones.

    Attributes:
        total_return: What the trades' prices compound to, all in, without costs.
        median: The same of the middle random run.
        as_well: Share of the random runs that did at least as well.
        p_value: The same with the run itself among them, so that it is never 0: the chance that a
            run which enters at random is among the best so often (Davison, Hinkley 1997).
        runs: How many.
        seed: The same one gives the same runs.
    """

    total_return: float
    median: float
    as_well: float
    p_value: float
    runs: int
    seed: int


def random_entry(
    prices: Floats,
    entries: Integers,
    exits: Integers,
    *,
    seed: int,
    runs: int = 1_000,
    sides: Integers | None = None,
) -> RandomEntry | None:
    """How many of random runs do as well.

    Args:
        prices: At which trades are filled, one a bar, above zero.
        entries: Row of each trade's entry, ascending.
        exits: Row of each trade's exit, behind its entry and not behind the next one.
        sides: 1 for a long trade and -1 for a short one; None if all are long.

    Returns:
        None without a trade.

    Raises:
        CurveError: Prices, rows, sides or the number of runs cannot be.
    """
    known = finite(prices, "prices")
    entries, exits = np.asarray(entries, dtype=np.int64), np.asarray(exits, dtype=np.int64)
    direction = np.ones(len(entries)) if sides is None else np.asarray(sides, dtype=np.float64)
    _check(known, entries, exits, direction, runs)
    if not len(entries):
        return None
    random = np.random.default_rng(seed)
    own = _returns(known, entries[None, :], exits[None, :], direction[None, :])[0]
    found = np.concatenate(
        [
            _returns(known, first, last, direction[order])
            for first, last, order in _placed(exits - entries, len(known), runs, random)
        ]
    )
    # A placement that is the run's own must count as well as it, whatever the order of products.
    well = int(np.count_nonzero(found >= own - 1e-12 * (1 + abs(own))))
    return RandomEntry(
        total_return=float(own),
        median=float(np.median(found)),
        as_well=well / runs,
        p_value=(well + 1) / (runs + 1),
        runs=runs,
        seed=seed,
    )


def _placed(
    held: Integers, bars: int, runs: int, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Entries, exits and the order of the trades, a run in a row.

    Each trade falls on a moment of the time without a position, by itself; then the trades, in
    random order, push one another apart by the time they are held.
    """
    idle = bars - 1 - int(held.sum())
    step = max(1, _CELLS // len(held))
    for start in range(0, runs, step):
        count = min(step, runs - start)
        order = random.permuted(np.tile(np.arange(len(held)), (count, 1)), axis=1)
        waits = np.sort(random.integers(0, idle + 1, size=order.shape), axis=1)
        lengths = held[order]
        exits = waits + np.cumsum(lengths, axis=1)
        yield exits - lengths, exits, order


def _returns(prices: Floats, entries: Integers, exits: Integers, sides: Floats) -> Floats:
    """A short trade may lose everything, and not more than that."""
    factors = np.maximum(1 + sides * (prices[exits] / prices[entries] - 1), 0)
    return np.asarray(np.prod(factors, axis=1) - 1)


def _check(prices: Floats, entries: Integers, exits: Integers, sides: Floats, runs: int) -> None:
    if prices.min() <= 0:
        raise CurveError("Prices must be above zero. Look at the symbol's corporate actions.")
    if runs < 1:
        raise CurveError(f"There must be one random run at least, were {runs}.")
    if not len(entries) == len(exits) == len(sides):
        raise CurveError("Each trade needs an entry, an exit and a side.")
    if not np.isin(sides, (-1, 1)).all():
        raise CurveError("The side of a trade is 1 for long or -1 for short.")
    rows = np.column_stack([entries, exits]).ravel()
    inside = not len(rows) or (rows[0] >= 0 and rows[-1] < len(prices))
    if not (inside and (np.diff(rows)[::2] > 0).all() and (np.diff(rows) >= 0).all()):
        raise CurveError(
            "Trades must lie within the prices, in the order of time and without overlap, "
            "each with its exit behind its entry."
        )
