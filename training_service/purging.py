"""Which rows may train beside which test rows: purging and embargo.

López de Prado, "Advances in Financial Machine Learning" (2018), sections 7.4.1 and 7.4.2. The
window of a row runs from the opening of its bar to ``label_end``, both included. A row may train
only if its window touches that of no test row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.errors import ProblemError

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: The first row of some that follow one another, and the row after the last.
Block = tuple[int, int]

_END = "label_end"


class SplitError(ProblemError):
    """A split that cannot be made."""


@dataclass(frozen=True)
class Windows:
    """The windows of rows that are sorted by time.

    Attributes:
        begins: Openings of the rows' bars, microseconds since 1970.
        ends: Openings of the last bars their labels look at.
        sessions: The number of each row's session, from 0.
    """

    begins: Rows
    ends: Rows
    sessions: Rows

    @property
    def session_starts(self) -> Rows:
        """The first row of each session."""
        return np.flatnonzero(np.diff(self.sessions, prepend=-1))


@dataclass(frozen=True)
class Embargo:
    """How long after the windows of test rows no row trains.

    Attributes:
        share: Of all rows, rounded up.
        sessions: Whole sessions, and what is left of the one in which the windows end; None to
            go by the share.
    """

    share: float = 0.0
    sessions: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            problem = f"An embargo is a share of the rows from 0 to below 1, not {self.share:g}."
            raise SplitError(problem)
        if self.sessions is not None and self.sessions < 0:
            problem = f"An embargo lasts 0 sessions or more, not {self.sessions}."
            raise SplitError(problem)

    def end(self, windows: Windows, start: int) -> int:
        """The row after the last one under embargo, which begins at ``start``."""
        count = len(windows.begins)
        if self.sessions is None:
            return min(start + int(np.ceil(round(count * self.share, 6))), count)
        last = windows.sessions[start - 1] + self.sessions if self.sessions else -1
        return max(start, int(np.searchsorted(windows.sessions, last, side="right")))


@dataclass(frozen=True)
class Cut:
    """Rows that may train beside test rows.

    Attributes:
        train: Their numbers.
        purged: How many rows were left out because their window touches that of a test row.
        embargoed: How many more because they come too soon after.
    """

    train: Rows
    purged: int
    embargoed: int


NO_EMBARGO = Embargo()


def windows_of(rows: pl.DataFrame) -> Windows:
    """The windows of labelled rows.

    Args:
        rows: ``timestamp``, ``session_date``, ``label_end``; sorted. Several rows may have the
            same time.

    Raises:
        SplitError: The rows are not in order, or one has no label.
    """
    if rows[_END].null_count():
        problem = f"{rows[_END].null_count()} rows have no label_end. Leave out rows without label."
        raise SplitError(problem)
    begins, ends = (rows[name].dt.epoch("us").to_numpy() for name in ("timestamp", _END))
    if (np.diff(begins) < 0).any():
        problem = "Rows that are to be split must be sorted by timestamp."
        raise SplitError(problem)
    if (ends < begins).any():
        problem = "A label_end lies before its row's timestamp. Labels look ahead."
        raise SplitError(problem)
    changes = rows["session_date"].ne_missing(rows["session_date"].shift(1)).to_numpy()
    numbers = np.cumsum(changes, dtype=np.int64)
    return Windows(begins, ends, numbers - numbers[:1])


def training_rows(
    windows: Windows,
    tests: Iterable[Block],
    *,
    among: Sequence[Block] = (),
    embargo: Embargo = NO_EMBARGO,
) -> Cut:
    """The rows that may train beside blocks of test rows.

    Args:
        windows: Of all rows.
        tests: The blocks, none empty.
        among: Where training rows may lie; anywhere if none is given.
        embargo: After the windows of each block.
    """
    count = len(windows.begins)
    tested, touching, late = (np.zeros(count, dtype=bool) for _ in range(3))
    for start, stop in tests:
        tested[start:stop] = True
        touching[:start] |= windows.ends[:start] >= windows.begins[start]
        last = windows.ends[start:stop].max()
        free = max(stop, int(np.searchsorted(windows.begins, last, side="right")))
        touching[stop:free] = True
        late[free : embargo.end(windows, free)] = True
    possible = _within(among, count) & ~tested
    purged = possible & touching
    embargoed = possible & ~touching & late
    train = np.flatnonzero(possible & ~touching & ~late)
    return Cut(train, int(purged.sum()), int(embargoed.sum()))


def _within(blocks: Sequence[Block], count: int) -> Mask:
    found = np.full(count, not blocks)
    for start, stop in blocks:
        found[start:stop] = True
    return found
