"""Splits that respect time: test rows come after training rows, and no label reaches across."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.errors import ProblemError
from training_service.labels import END

Rows = NDArray[np.int64]


class SplitError(ProblemError):
    """A split that cannot be made."""


@dataclass(frozen=True)
class Fold:
    """Row numbers to train and to test on.

    Attributes:
        train: Rows before the test, but for those purged.
        test: Rows in one piece.
        purged: How many rows were left out because their label looks at a test bar.
    """

    train: Rows
    test: Rows
    purged: int


class Split(Protocol):
    """A way of cutting labelled rows (``timestamp``, ``session_date``, ``label_end``; sorted)."""

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters, as JSON."""

    def folds(self, rows: pl.DataFrame) -> Iterator[Fold]:
        """The folds, in the order of time."""


@dataclass(frozen=True)
class Holdout:
    """The last share of the sessions is for testing, everything before for training.

    Where there is one session only, it is cut inside.
    """

    test_share: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            problem = f"The test share must lie between 0 and 1, was {self.test_share:g}."
            raise SplitError(problem)

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters, as JSON."""
        return {"split": "holdout", "test_share": self.test_share}

    def folds(self, rows: pl.DataFrame) -> Iterator[Fold]:
        """The one fold.

        Raises:
            SplitError: There are fewer than two rows.
        """
        blocks = _blocks(rows)
        if len(blocks) < 2:  # noqa: PLR2004 - one to train on, one to test on
            problem = f"{rows.height} labelled rows cannot be split into training and test."
            raise SplitError(problem)
        count = min(max(round(len(blocks) * self.test_share), 1), len(blocks) - 1)
        yield _fold(rows, blocks[-count], rows.height)


@dataclass(frozen=True)
class WalkForward:
    """Folds that walk on through time, each trained on everything before it."""

    count: int = 3

    def __post_init__(self) -> None:
        if self.count < 1:
            problem = f"Walking forward needs at least one fold, not {self.count}."
            raise SplitError(problem)

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters, as JSON."""
        return {"split": "walk-forward", "folds": self.count, "window": "expanding"}

    def folds(self, rows: pl.DataFrame) -> Iterator[Fold]:
        """The folds; none where there are too few sessions and rows to cut."""
        blocks = _blocks(rows)
        if len(blocks) <= self.count:
            return
        edges = [round(len(blocks) * part / (self.count + 1)) for part in range(1, self.count + 1)]
        starts = [blocks[edge] for edge in edges]
        for start, stop in zip(starts, [*starts[1:], rows.height], strict=True):
            yield _fold(rows, start, stop)


def _blocks(rows: pl.DataFrame) -> Sequence[int]:
    """Rows at which a cut may be made: the first of each session, or any where there is one."""
    first = rows.select(
        pl.arg_where(pl.col("session_date").ne_missing(pl.col("session_date").shift(1)))
    )
    starts = first.to_series().to_list()
    return starts if len(starts) > 1 else range(rows.height)


def _fold(rows: pl.DataFrame, start: int, stop: int) -> Fold:
    begin: datetime = rows["timestamp"][start]
    touching = (rows[END].head(start) >= begin).fill_null(value=True).to_numpy()
    train = np.flatnonzero(~touching)
    return Fold(train, np.arange(start, stop), int(touching.sum()))
