"""Splits whose training rows all come before their test rows: a holdout, and walking forward."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from training_service.purging import Block, SplitError, Windows, training_rows, windows_of
from training_service.split_folds import Fold, cuts

Kind = Literal["expanding", "rolling"]

_FOLDS = 3
_PAIR = 2


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
        windows = windows_of(rows)
        starts = cuts(windows)
        if len(starts) < _PAIR:
            problem = f"{rows.height} labelled rows cannot be split into training and test."
            raise SplitError(problem)
        count = min(max(round(len(starts) * self.test_share), 1), len(starts) - 1)
        start = starts[-count]
        yield _fold(windows, (0, start), (start, rows.height))


@dataclass(frozen=True)
class WalkForward:
    """Folds that walk on through time, each trained on what comes before it.

    Told a number of folds, it cuts the sessions into one part more, about equal, and tests on all
    but the first. Told how many sessions to train and to test on, it makes as many folds as there
    is room for; the last of them ends with the newest session, and the oldest sessions are left
    over (an expanding window takes them too).

    Attributes:
        count: How many folds, 3 where ``test`` is not given; None where it is.
        window: ``expanding`` trains on everything before, ``rolling`` on the newest of it only.
        train: How many sessions a rolling window has, at most where ``count`` is given (as many
            as the first part otherwise); how many an expanding one has at least.
        test: How many sessions each fold tests on.
        step: How many sessions lie between the beginnings of two tests, ``test`` if None; with
            fewer than ``test`` they overlap.
        gap: How many sessions between training and test are left out, besides what is purged.
    """

    count: int | None = None
    window: Kind = "expanding"
    train: int | None = None
    test: int | None = None
    step: int | None = None
    gap: int = 0

    def __post_init__(self) -> None:
        if self.count is None and self.test is None:
            object.__setattr__(self, "count", _FOLDS)
        if problem := self._problem():
            raise SplitError(problem)

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters, as JSON."""
        base = {"split": "walk-forward", "folds": self.count, "window": self.window}
        lengths = {"train": self.train, "test": self.test, "step": self.step}
        given = {key: value for key, value in lengths.items() if value is not None}
        return base | given | ({"gap": self.gap} if self.gap else {})

    def folds(self, rows: pl.DataFrame) -> Iterator[Fold]:
        """The folds, in the order of time.

        None where a number of folds was asked for and there are too few sessions, and too few
        rows in the one session, to cut.

        Raises:
            SplitError: Lengths in sessions were given, and the rows have too few sessions.
        """
        windows = windows_of(rows)
        sessions = len(windows.session_starts)
        in_sessions = self.train is not None or self.test is not None or self.gap > 0
        if in_sessions and sessions < (wanted := self._least()):
            problem = (
                f"Walking forward like that needs {wanted} sessions, and the rows have {sessions}. "
                "Fetch more sessions, or train or test on fewer."
            )
            raise SplitError(problem)
        starts = [*cuts(windows), rows.height]
        for train, test in self._by_length(sessions) if self.test else self._by_count(starts):
            known, tested = ((starts[begin], starts[end]) for begin, end in (train, test))
            yield _fold(windows, known, tested)

    def _by_count(self, starts: list[int]) -> Iterator[tuple[Block, Block]]:
        count, parts = self.count or _FOLDS, len(starts) - 1
        if parts <= count:
            return
        edges = [round(parts * part / (count + 1)) for part in range(1, count + 1)]
        for begin, end in zip(edges, [*edges[1:], parts], strict=True):
            known = begin - self.gap
            length = (self.train or edges[0]) if self.window == "rolling" else known
            yield (max(known - length, 0), known), (begin, end)

    def _by_length(self, sessions: int) -> Iterator[tuple[Block, Block]]:
        train, test = self.train or 0, self.test or 0
        step = self.step or test
        room = sessions - train - self.gap - test
        for oldest in range(room % step, room + 1, step):
            known = oldest + train
            first = oldest if self.window == "rolling" else 0
            begin = known + self.gap
            yield (first, known), (begin, begin + test)

    def _least(self) -> int:
        """Sessions that the first fold needs."""
        if self.test:
            return (self.train or 0) + self.gap + self.test
        return ((self.count or _FOLDS) + 1) * (self.gap + 1)

    def _problem(self) -> str | None:
        if self.count is not None and self.count < 1:
            return f"Walking forward needs at least one fold, not {self.count}."
        if self.window not in get_args(Kind):
            return f"The window is {' or '.join(get_args(Kind))}, not {str(self.window)[:40]!r}."
        for name in ("train", "test", "step"):
            value = getattr(self, name)
            if value is not None and value < 1:
                return f"Walking forward needs a {name} of at least one session, not {value}."
        if self.gap < 0:
            return f"A gap lasts 0 sessions or more, not {self.gap}."
        return self._contradiction()

    def _contradiction(self) -> str | None:
        if self.test is not None and self.count is not None:
            return "Walking forward takes a number of folds or a test length, not both."
        if self.test is not None and self.train is None:
            return "Walking forward with a test length needs a train length too, in sessions."
        if self.test is None and self.step is not None:
            return "Walking forward with a step needs a train and a test length, in sessions."
        if self.test is None and self.train is not None and self.window == "expanding":
            return (
                "An expanding window trains on everything before. "
                "Take window=rolling with a train length, or give a test length too."
            )
        return None


def _fold(windows: Windows, known: Block, tested: Block) -> Fold:
    cut = training_rows(windows, [tested], among=[known])
    return Fold(cut.train, np.arange(*tested, dtype=np.int64), cut.purged)
