"""Columns that one pass over the bars gives together, of one symbol or of many below one another."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.spans import LONGEST, Begun, Values, Whole, Windows

#: Of which statistics which widths are wanted.
Wanted = Mapping[str, set[int]]
#: A statistic, its width, its values, and in how many first rows of a history windows are not whole.
Column = tuple[str, int, Values, int]
Formulas = Callable[..., Iterator[Column]]
Rows = NDArray[np.intp]

# Windows that are computed at a time: their columns stay in the processor's cache.
_BLOCK = 8_192


@dataclass(frozen=True)
class Shared:
    """One column of those that some formulas give.

    Attributes:
        formulas: A function of windows, what is wanted of them, and columns of bars.
        columns: Those columns.
        statistic: Which of the results.
        width: Of its window; 0 for those of a single bar.
    """

    formulas: Formulas
    columns: tuple[str, ...]
    statistic: str
    width: int = 0

    def expression(self) -> pl.Expr:
        """The column, of one symbol."""

        def run(series: Sequence[pl.Series]) -> pl.Series:
            return columns_of([self], series, np.zeros(1, dtype=np.intp))[self]

        return pl.map_batches(list(self.columns), run, return_dtype=pl.Float64)


def together(wanted: Iterable[Shared]) -> list[list[Shared]]:
    """Those of the same formulas and columns in one list."""
    found: dict[tuple[Formulas, tuple[str, ...]], list[Shared]] = {}
    for one in wanted:
        found.setdefault((one.formulas, one.columns), []).append(one)
    return list(found.values())


def columns_of(
    wanted: Sequence[Shared], series: Sequence[pl.Series], starts: Rows
) -> dict[Shared, pl.Series]:
    """Compute columns of the same formulas.

    Args:
        wanted: One at least.
        series: Their columns of bars; null is not a number.
        starts: Rows at which the bars of another symbol begin, 0 first.
    """
    columns = [one.cast(pl.Float64).to_numpy() for one in series]
    asked: dict[str, set[int]] = {}
    for one in wanted:
        asked.setdefault(one.statistic, set()).add(one.width)
    found = _computed(partial(wanted[0].formulas, wanted=asked), columns, starts)
    return {
        one: pl.Series(found[one.statistic, one.width], dtype=pl.Float64, nan_to_null=True)
        for one in wanted
    }


def _computed(
    formulas: Formulas, columns: Sequence[Values], starts: Rows
) -> dict[tuple[str, int], Values]:
    rows = len(columns[0])
    found: dict[tuple[str, int], Values] = {}
    led = [np.concatenate([np.full(LONGEST, one[0] if rows else 1.0), one]) for one in columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        for first in range(0, max(rows, 1), _BLOCK):
            block = [one[first : first + _BLOCK + LONGEST] for one in led]
            here = Whole(len(block[0]) - LONGEST)
            for statistic, width, values, _ in formulas(here, columns=block):
                whole = found.setdefault((statistic, width), np.empty(rows))
                whole[first : first + here.rows] = values
        if rows:
            _begin(formulas, columns, starts, found)
    return found


def _begin(
    formulas: Formulas,
    columns: Sequence[Values],
    starts: Rows,
    found: Mapping[tuple[str, int], Values],
) -> None:
    """Put in the first rows of each symbol, which windows reach beyond."""
    lengths = np.diff([*starts, len(columns[0])])
    row = np.arange(LONGEST)[:, None]
    place = starts + np.minimum(row, lengths - 1)
    there = row < lengths
    rows: dict[int, Rows] = {}
    first = [one[place] for one in columns]
    for statistic, width, values, begun in formulas(Begun(), columns=first):
        if begun not in rows:
            rows[begun] = place[:begun][there[:begun]]
        found[statistic, width][rows[begun]] = values[:begun][there[:begun]]


__all__ = ["Column", "Shared", "Wanted", "Windows", "columns_of", "together"]
