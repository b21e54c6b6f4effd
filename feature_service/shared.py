"""Columns that one pass over the bars gives together, of one symbol or of many below one another."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_service.compiled import Values
from feature_service.spans import Column, Panel, Wanted
from feature_service.spans_merged import Rows

#: From a panel of bars, what is wanted, and columns of the bars.
Formulas = Callable[[Panel, Wanted, Sequence[Values]], Iterator[Column]]


@dataclass(frozen=True)
class Shared:
    """One column of those that some formulas give.

    Attributes:
        formulas: A function of bars of symbols, what is wanted of them, and their columns.
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
    panel = Panel(np.append(starts, len(columns[0])).astype(np.intp))
    with np.errstate(divide="ignore", invalid="ignore"):
        # Copied one by one, so that few of numpy's are there at a time and their memory is used again.
        found = {
            (statistic, width): pl.Series(values, dtype=pl.Float64, nan_to_null=True)
            for statistic, width, values in wanted[0].formulas(panel, asked, columns)
        }
    return {one: found[one.statistic, one.width] for one in wanted}


__all__ = ["Rows", "Shared", "columns_of", "together"]
