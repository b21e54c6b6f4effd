"""Windows of the newest bars, or of as many as there are where a history begins."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from feature_service.compiled import Values, compiled, given
from feature_service.spans_merged import SIZES, Numbers, Rows, merge
from feature_service.spans_sorted import order

#: Of which statistics which widths are wanted.
Wanted = Mapping[str, set[int]]
#: A statistic, its width, and its values.
Column = tuple[str, int, Values]


@dataclass(frozen=True)
class Panel:
    """Bars of symbols below one another.

    Attributes:
        edges: Rows at which symbols begin, and how many rows there are.
    """

    edges: Rows

    def before(self, column: Values, bars: int = 1) -> Values:
        """The column so many bars earlier; NaN where the symbol has none."""
        found = np.empty(len(column))
        _before(given(column), self.edges, bars, found)
        return found

    def merged(
        self,
        wanted: Wanted,
        statistics: Mapping[str, int],
        column: Values,
        *,
        other: Values | None = None,
        over: Values | None = None,
        after: int = 0,
    ) -> Iterator[Column]:
        """What is wanted of windows of 5, 10, 20, 30 and 60 bars.

        Args:
            wanted: By names.
            statistics: What names stand for, of ``feature_service.spans_merged``; all of one kind.
            column: One that is not a number makes all of its windows so.
            other: For statistics of two columns.
            over: For those that look at a column of the newest bar.
            after: 1 where a symbol's first row has no value: it is in no window, and gets NaN.
        """
        ours = given(column)
        theirs, newest = (ours if one is None else given(one) for one in (other, over))

        def fill(asked: Numbers, found: Values) -> None:
            merge((ours, theirs, newest), self.edges, after, asked, found)

        return _filled(wanted, statistics, len(column), fill)

    def sorted(
        self, wanted: Wanted, statistics: Mapping[str, int], column: Values, over: Values
    ) -> Iterator[Column]:
        """The same for ``feature_service.spans_sorted``; all of the column are numbers."""

        def fill(asked: Numbers, found: Values) -> None:
            for width in np.unique(asked[:, 1]):
                own = slice(*np.searchsorted(asked[:, 1], (width, width + 1)))
                statistics, rows = np.ascontiguousarray(asked[own, 0]), found[own]
                order(given(column), given(over), self.edges, width, statistics, rows)

        return _filled(wanted, statistics, len(column), fill)


def _filled(
    wanted: Wanted,
    statistics: Mapping[str, int],
    rows: int,
    fill: Callable[[Numbers, Values], None],
) -> Iterator[Column]:
    """Name what is asked, width by width."""
    asked = [
        (name, width) for width in SIZES for name in statistics if width in wanted.get(name, ())
    ]
    if asked:
        found = np.empty((len(asked), rows))
        fill(np.array([(statistics[name], width) for name, width in asked], dtype=np.int64), found)
        yield from ((*one, values) for one, values in zip(asked, found, strict=True))


@compiled
def _before(column: Values, edges: Rows, bars: int, found: Values) -> None:
    for symbol in range(len(edges) - 1):
        start, end = edges[symbol], edges[symbol + 1]
        first = min(start + bars, end)
        found[start:first] = np.nan
        found[first:end] = column[start : end - (first - start)]
