"""Why a regular minute has no bar: one of five answers for each, from arrays alone. Pure.

A row of each array is a session, a column a minute since its open; of daily bars there is one
column. docs/gaps.md says why the rule is as it is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

Array = Any  # of numpy; its stubs give every operation another type

#: What a minute can be, besides present; the place in this list plus ``ABSENT`` is its code.
CLASSES: tuple[str, ...] = (
    "not_fetched",
    "halted",
    "missing_at_provider",
    "no_trade",
    "unconfirmed",
)
OUTSIDE, PRESENT, ABSENT = 0, 1, 2
NOT_FETCHED, HALTED, MISSING, NO_TRADE, UNCONFIRMED = range(ABSENT, ABSENT + len(CLASSES))

#: A second answer counts as one if it came so long after the first.
APART = timedelta(minutes=5)
#: How long after the last answer a hole is asked for again; after the last of these never more.
WAITS: tuple[timedelta, ...] = (APART, timedelta(days=1), timedelta(days=7))

#: Sessions in a row that a scan has fetched; of more nobody lost them, they were never wanted.
_LONGEST_LOSS = 20

#: The neighbourhood of a minute: so many sessions before and after, so many minutes to each side.
_SESSIONS, _MINUTES = 20, 30
#: Sessions with bars that a judgement needs.
_FEWEST = 5
#: The share of its neighbourhood's minutes in which a liquid symbol has a bar.
_LIQUID = 0.95
#: Minutes of its own session that tell how quiet that day was.
_FEWEST_TODAY = 30
#: Liquid symbols that have to be asked whether they lack a minute too.
_FEWEST_PEERS = 3
#: With what chance nobody traded in a hole that is called missing: one in a million of minutes,
#: and one in twenty of days, of which a symbol has some 250 a year.
_WORST_MINUTES, _WORST_DAYS = 1e-6, 0.05


@dataclass(frozen=True)
class Grid:
    """One series, minute by minute.

    Attributes:
        expected: Where a bar may be.
        present: Where there is one.
        fetched: How many complete answers there were about the minute.
        halted: Where the symbol was halted.
    """

    expected: Array
    present: Array
    fetched: Array
    halted: Array

    @property
    def told(self) -> Array:
        """Minutes in which a bar would have come if there had been a trade."""
        return self.expected & (self.fetched > 0) & ~self.halted

    @property
    def lacking(self) -> Array:
        """Those of them without a bar."""
        return self.told & ~self.present


@dataclass(frozen=True)
class Usual:
    """What is usual in the neighbourhood of each minute.

    Attributes:
        told: Minutes of other sessions that a trade would have shown in.
        held: Those that have a bar.
        liquid: Where nearly all of them have one, before and around.
    """

    told: Array
    held: Array
    liquid: Array


@dataclass(frozen=True)
class Peers:
    """How many other liquid symbols of the source were fetched in each minute, and how many lack it."""

    liquid: Array
    lacking: Array


def usual(grid: Grid) -> Usual:
    """What a symbol does at the same time of day in the sessions before and after each one."""
    active = (grid.told & grid.present).any(axis=1)
    # A session without any bar tells no time of day; of daily bars it is what is counted.
    told = grid.told & (active[:, None] | (grid.told.shape[1] == 1))
    counts = np.cumsum(np.concatenate(([0], active.astype(np.int64))))
    index = np.arange(len(active))
    before = counts[index] - counts[np.maximum(index - _SESSIONS, 0)]
    after = counts[np.minimum(index + _SESSIONS + 1, len(active))] - counts[index + 1]
    known = (before > 0) & (before + after >= _FEWEST)
    asked, held = _around(told), _around(told & grid.present)
    liquid = known[:, None] & (asked > 0) & (held >= _LIQUID * asked)
    return Usual(asked, held, liquid)


def missing(grid: Grid, habit: Usual, peers: Peers | None = None) -> Array:
    """The minutes of holes that no trading explains: the provider lacks them.

    A minute is one if its symbol is liquid at that time of day, and either nobody trading in all
    of its hole is too unlikely, next to other sessions and to the rest of its own one; or most of
    the source's other liquid symbols, three at least, lack the minute as well.
    """
    lacking = grid.lacking
    candidate = lacking & habit.liquid
    if not candidate.any():
        return candidate
    runs = _runs(lacking)
    share = (habit.told - habit.held + 1) / (habit.told + 2)
    share = np.maximum(share, _today(grid, lacking, runs)[runs])
    weight = np.where(candidate, np.log(share), 0.0)
    chance = np.bincount(runs[lacking], weights=weight[lacking], minlength=runs.max() + 1)
    worst = _WORST_DAYS if lacking.shape[1] == 1 else _WORST_MINUTES
    found = candidate & (chance <= np.log(worst))[runs]
    if peers is not None:
        many = (peers.liquid >= _FEWEST_PEERS) & (2 * peers.lacking >= peers.liquid)
        found |= candidate & many
    return found


def classify(grid: Grid, lost: Array) -> Array:
    """The code of each minute: outside, present, or a class of absence; each has exactly one."""
    codes = np.full(grid.expected.shape, UNCONFIRMED, np.int8)
    codes[grid.fetched > 1] = NO_TRADE
    codes[(grid.fetched > 1) & lost] = MISSING
    codes[grid.halted] = HALTED
    codes[grid.fetched == 0] = NOT_FETCHED
    codes[grid.present] = PRESENT
    codes[~grid.expected] = OUTSIDE
    return codes


def due(codes: Array, asked: Array, asked_at: Array, now: datetime) -> Array:
    """The minutes to be asked for now: those that may still come, and not for ever.

    Args:
        codes: Of :func:`classify`.
        asked: How often each was asked for again.
        asked_at: When it was last asked for (microseconds since 1970), 0 for never.
        now: The time.
    """
    waits = np.array([wait // timedelta(microseconds=1) for wait in WAITS], np.int64)
    wait = waits[np.minimum(asked, len(waits) - 1)]
    worth = np.isin(codes, (NOT_FETCHED, MISSING, UNCONFIRMED)) & (asked < len(waits))
    return worth & (micros(now) - asked_at >= np.where(asked_at == 0, 0, wait))


def unwanted(codes: Array) -> Array:
    """The sessions that lie in a long row of ones that were never fetched: nobody wanted them."""
    known = (codes != OUTSIDE).any(axis=1)
    never = known & ((codes == NOT_FETCHED) | (codes == OUTSIDE)).all(axis=1)
    rows = np.flatnonzero(known)
    begins = np.diff(never[rows].astype(np.int8), prepend=0) != 0
    runs = np.cumsum(begins)
    found = np.zeros(len(codes), bool)
    found[rows] = never[rows] & (np.bincount(runs, minlength=1)[runs] > _LONGEST_LOSS)
    return found


def micros(moment: datetime) -> int:
    """A time as microseconds since 1970."""
    return round(moment.timestamp() * 1_000_000)


def _around(values: Array) -> Array:
    """How many are true in the neighbourhood of each minute, its own session left out."""
    counted = values.astype(np.int32)
    return _sums(_sums(counted, _SESSIONS, 0) - counted, _MINUTES, 1)


def _sums(values: Array, reach: int, axis: int) -> Array:
    """Sums over a window of that reach to both sides, along an axis."""
    size = values.shape[axis]
    shape = list(values.shape)
    shape[axis] = 1
    total = np.cumsum(np.concatenate((np.zeros(shape, np.int32), values), axis), axis)
    index = np.arange(size)
    high = np.take(total, np.minimum(index + reach + 1, size), axis)
    return high - np.take(total, np.maximum(index - reach, 0), axis)


def _runs(lacking: Array) -> Array:
    """The number of the hole that each absent minute is in; others have any number."""
    begins = lacking.copy()
    begins[:, 1:] &= ~lacking[:, :-1]
    return np.maximum(np.cumsum(begins).reshape(lacking.shape) - 1, 0)


def _today(grid: Grid, lacking: Array, runs: Array) -> Array:
    """The share of the session's other minutes without a bar, by hole; 0 where few are known."""
    rows, _ = np.nonzero(lacking)
    numbers = runs[lacking]
    lengths = np.bincount(numbers)
    row = np.zeros(len(lengths), np.int64)
    row[numbers] = rows
    others = grid.told.sum(axis=1)[row] - lengths
    absent = lacking.sum(axis=1)[row] - lengths
    return np.where(others >= _FEWEST_TODAY, (absent + 1) / (others + 2), 0.0)
