"""Splits that test on every row: purged K-fold, and combinations of purged groups.

López de Prado, "Advances in Financial Machine Learning" (2018), section 7.4 (purged K-fold with
embargo) and chapter 12 (combinatorial purged cross-validation).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from training_service.purging import (
    Block,
    Embargo,
    Rows,
    SplitError,
    Windows,
    training_rows,
    windows_of,
)
from training_service.split_folds import Fold, even_blocks

_SHARE = 0.01
_MOST_FOLDS = 5_000
_PAIR = 2


@dataclass(frozen=True)
class PurgedKFold:
    """Each of some parts is tested once, with a model of all rows that do not touch it.

    Rows after a test train too, so this judges a recipe and is no walk through time.

    Attributes:
        count: How many parts; they are cut between sessions where there are enough.
        embargo: Share of all rows that do not train after the windows of a test, 0.01 if neither
            is given.
        embargo_sessions: The same in sessions: the rest of the one in which the windows end, and
            so many more; 0 for no embargo.
    """

    count: int = 5
    embargo: float | None = None
    embargo_sessions: int | None = None

    def __post_init__(self) -> None:
        if self.count < _PAIR:
            problem = f"A K-fold needs at least two folds, not {self.count}."
            raise SplitError(problem)
        _embargo(self.embargo, self.embargo_sessions)

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters, as JSON."""
        embargo = _embargo_facts(self.embargo, self.embargo_sessions)
        return {"split": "purged-k-fold", "folds": self.count, **embargo}

    def folds(self, rows: pl.DataFrame) -> Iterator[Fold]:
        """The folds, in the order of time.

        Raises:
            SplitError: There are fewer rows than folds.
        """
        windows = windows_of(rows)
        embargo = _embargo(self.embargo, self.embargo_sessions)
        for block in even_blocks(windows, self.count):
            yield _fold(windows, [block], embargo, ())


@dataclass(frozen=True)
class CombinatorialPurged:
    """Rows are cut into groups, and every choice of some of them is tested once.

    Tests of different choices are put together to paths: each path tests every group once, so that
    a recipe has several histories out of sample instead of one.

    Attributes:
        groups: How many, N; they are cut between sessions where there are enough.
        test_groups: How many are tested at once, k.
        embargo: As for :class:`PurgedKFold`.
        embargo_sessions: As for :class:`PurgedKFold`.
    """

    groups: int = 6
    test_groups: int = 2
    embargo: float | None = None
    embargo_sessions: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.test_groups < self.groups:
            problem = (
                f"Of {self.groups} groups {self.test_groups} cannot be tested. "
                "Take at least two groups, and test at least one but not all."
            )
            raise SplitError(problem)
        if self.fold_count > _MOST_FOLDS:
            problem = (
                f"{self.groups} groups with {self.test_groups} to test make {self.fold_count:,} "
                f"folds, more than {_MOST_FOLDS:,}. Take fewer groups."
            )
            raise SplitError(problem)
        _embargo(self.embargo, self.embargo_sessions)

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters, as JSON."""
        return {
            "split": "combinatorial-purged",
            "groups": self.groups,
            "test_groups": self.test_groups,
            **_embargo_facts(self.embargo, self.embargo_sessions),
        }

    @property
    def fold_count(self) -> int:
        """C(N, k)."""
        return math.comb(self.groups, self.test_groups)

    @property
    def path_count(self) -> int:
        """C(N, k) k / N, which is C(N - 1, k - 1)."""
        return math.comb(self.groups - 1, self.test_groups - 1)

    @cached_property
    def paths(self) -> tuple[tuple[int, ...], ...]:
        """For each path and each group, the number of the fold whose test of the group it takes.

        The first path takes the first fold that tests a group, the second the second.

        >>> CombinatorialPurged(groups=4, test_groups=2).paths
        ((0, 0, 1, 2), (1, 3, 3, 4), (2, 4, 5, 5))
        """
        testing: list[list[int]] = [[] for _ in range(self.groups)]
        for fold, chosen in enumerate(combinations(range(self.groups), self.test_groups)):
            for group in chosen:
                testing[group].append(fold)
        return tuple(zip(*testing, strict=True))

    def group_rows(self, rows: pl.DataFrame) -> list[Rows]:
        """The row numbers of each group.

        Raises:
            SplitError: There are fewer rows than groups.
        """
        blocks = even_blocks(windows_of(rows), self.groups)
        return [np.arange(start, stop, dtype=np.int64) for start, stop in blocks]

    def folds(self, rows: pl.DataFrame) -> Iterator[Fold]:
        """The folds, ordered by the groups they test, which ``groups`` of each fold says.

        Raises:
            SplitError: There are fewer rows than groups.
        """
        windows = windows_of(rows)
        blocks = even_blocks(windows, self.groups)
        embargo = _embargo(self.embargo, self.embargo_sessions)
        for chosen in combinations(range(self.groups), self.test_groups):
            yield _fold(windows, [blocks[group] for group in chosen], embargo, chosen)


def _fold(windows: Windows, tests: list[Block], embargo: Embargo, groups: tuple[int, ...]) -> Fold:
    cut = training_rows(windows, tests, embargo=embargo)
    test = np.concatenate([np.arange(start, stop, dtype=np.int64) for start, stop in tests])
    return Fold(cut.train, test, cut.purged, cut.embargoed, groups)


def _embargo(share: float | None, sessions: int | None) -> Embargo:
    if share is not None and sessions is not None:
        problem = "An embargo is a share of the rows or a number of sessions, not both."
        raise SplitError(problem)
    if sessions is not None:
        return Embargo(sessions=sessions)
    return Embargo(_SHARE if share is None else share)


def _embargo_facts(share: float | None, sessions: int | None) -> dict[str, Any]:
    if sessions is not None:
        return {"embargo_sessions": sessions}
    return {"embargo": _SHARE if share is None else share}
