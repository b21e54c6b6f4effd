"""The datasets of bars: what each is called, where it lies and how long its bars are.

Another dataset of bars is one more entry here: writing, revisions, coverage, reading, upkeep and
verification ask this list and know no names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

import polars as pl

from lake.errors import InvalidError
from lake.schema import BAR_RULES

#: The table of former values, of all datasets.
REVISIONS = "bar_revisions"


class DatasetError(InvalidError):
    """A dataset that does not exist."""

    def __init__(self, dataset: str, known: Sequence[str]) -> None:
        super().__init__(dataset, list(known))
        self.dataset, self.known = dataset, list(known)

    def __str__(self) -> str:
        return f"{self.dataset[:40]!r} is not a dataset. Use one of {', '.join(self.known)}."


@dataclass(frozen=True)
class Dataset:
    """One dataset of bars.

    Attributes:
        name: Of the dataset and of its table.
        live: The table where its live bars land until upkeep moves them; None where there is none.
        timeframe: How long a bar is.
        opens: The rule a timestamp keeps (name, and an expression that is true for a good one).
    """

    name: str
    live: str | None
    timeframe: str
    opens: tuple[str, pl.Expr]

    @property
    def rules(self) -> dict[str, pl.Expr]:
        """What a bar must keep, by name: true for a good one, null breaks it."""
        return {**BAR_RULES, self.opens[0]: self.opens[1]}

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that together hold its current bars, no key twice."""
        return (self.name, self.live) if self.live else (self.name,)

    def tables_at(self, as_of: datetime | None) -> tuple[str, ...]:
        """The tables that hold its bars as they were known at a moment; None for now."""
        return (*self.tables, REVISIONS) if as_of else self.tables


_TIME = pl.col("timestamp")

BARS_1M = Dataset(
    name="bars_1m",
    live="bars_live",
    timeframe="1min",
    opens=("the bar opens on a whole minute", _TIME.dt.truncate("1m") == _TIME),
)
#: The provider's own daily bars, which are no roll-up of the minutes: official opening and closing
#: prices, corrections and odd lots are treated otherwise.
BARS_DAILY = Dataset(
    name="bars_daily",
    live=None,
    timeframe="1d",
    opens=(
        "the bar opens at midnight in New York",
        _TIME.dt.convert_time_zone("America/New_York").dt.time() == time(),
    ),
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (BARS_1M, BARS_DAILY)}


def check_dataset(name: str) -> Dataset:
    """The dataset of a name.

    Raises:
        DatasetError: There is none; the sentence lists those there are.

    >>> check_dataset("bars_1m").tables
    ('bars_1m', 'bars_live')
    """
    if name not in DATASETS:
        raise DatasetError(name, tuple(DATASETS))
    return DATASETS[name]
