"""What every split gives: folds of row numbers; and where rows may be cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from training_service.purging import Block, Rows, SplitError, Windows

__all__ = ["Block", "Fold", "Rows", "Split", "SplitError", "cuts", "even_blocks"]


@dataclass(frozen=True)
class Fold:
    """Row numbers to train and to test on, both sorted.

    Attributes:
        train: Rows whose label window touches that of no test row.
        test: Rows in one piece, or in several where groups are combined.
        purged: How many rows were left out because their window touches that of a test row.
        embargoed: How many more were left out because they come too soon after test rows.
        groups: Which groups of rows are tested, where groups are combined.
    """

    train: Rows
    test: Rows
    purged: int
    embargoed: int = 0
    groups: tuple[int, ...] = ()


class Split(Protocol):
    """A way of cutting labelled rows (``timestamp``, ``session_date``, ``label_end``; sorted)."""

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters, as JSON."""

    def folds(self, rows: pl.DataFrame) -> Iterator[Fold]:
        """The folds, in the order of time."""


def cuts(windows: Windows) -> Sequence[int]:
    """Rows at which a cut may be made: the first of each session, or any where there is one."""
    starts = windows.session_starts.tolist()
    return starts if len(starts) > 1 else range(len(windows.begins))


def even_blocks(windows: Windows, count: int) -> list[Block]:
    """Blocks that cover every row once, about equally long.

    Cuts lie between sessions where there are as many sessions as blocks, and anywhere where there
    are fewer.

    Raises:
        SplitError: There are fewer rows than blocks.
    """
    rows = len(windows.begins)
    if rows < count:
        problem = f"{rows} labelled rows cannot be split into {count} parts. Fetch more sessions."
        raise SplitError(problem)
    starts = windows.session_starts
    if len(starts) < count:
        starts = np.arange(rows)
    edges = _edges(starts, rows, count)
    return list(zip(edges, [*edges[1:], rows], strict=True))


def _edges(starts: Rows, rows: int, count: int) -> list[int]:
    """The allowed cut nearest to each even one, each block keeping at least one start."""
    found = [0]
    place = 0
    for part in range(1, count):
        wanted = rows * part / count
        low, high = place + 1, len(starts) - (count - part)
        place = int(np.searchsorted(starts, wanted))
        if place and wanted - starts[place - 1] <= starts[min(place, len(starts) - 1)] - wanted:
            place -= 1
        place = min(max(place, low), high)
        found.append(int(starts[place]))
    return found
