"""The rows of one symbol in a data set: its features, beside the close they saw, and its label."""

from dataclasses import dataclass

import polars as pl

from feature_service.build import Build
from feature_service.sets import FeatureSet
from lake import Lake
from lake.features import read_features
from lake.features.naming import KEYS
from lake.sessions import Moment
from training_service import labels
from training_service.labels import Label

#: Of every row, beside its features.
OWN = ("timestamp", "session_date", "close")


@dataclass(frozen=True)
class Series:
    """Features of one symbol that were built.

    Attributes:
        lake: Which has them.
        wanted: The set, which says of which bars the rows are.
        built: Exactly which: another process may have built another version since.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
    """

    lake: Lake
    wanted: FeatureSet
    built: Build
    start: Moment = None
    end: Moment = None

    def bars(self, columns: list[str]) -> pl.DataFrame:
        """Bars as the set takes them, but split-adjusted always."""
        return self.lake.bars(
            self.built.symbol,
            self.start,
            self.end,
            adjust="split",
            source=self.built.source,
            timeframe=self.wanted.timeframe,
            columns=columns,
            regular_only=self.wanted.hours == "regular",
        )


@dataclass(frozen=True)
class Part:
    """The rows of one symbol, in two frames: their pieces in memory differ, and polars would copy all to make them alike.

    Attributes:
        own: ``timestamp``, ``session_date``, ``close`` and, with a label, ``label`` and ``label_end``;
            sorted by timestamp.
        features: The columns of the set, of the same rows.
    """

    own: pl.DataFrame
    features: pl.DataFrame

    @property
    def columns(self) -> list[str]:
        """What a model may look at, in order."""
        return ["close", *self.features.columns]

    def copy(self) -> "Part":
        """The same rows in other frames; the values are not copied."""
        return Part(self.own.clone(), self.features.clone())


def read(series: Series, label: Label | None = None) -> Part:
    """The rows of one symbol, with a label or without.

    The close is split-adjusted, for a jump that is none of the market's would be in every label.
    """
    built = series.built
    found = read_features(
        series.lake,
        built.symbol,
        built.feature_set,
        series.start,
        series.end,
        source=built.source,
        set_version=built.set_version,
    )
    used = label.columns if label else ()
    prices = series.bars(list(dict.fromkeys(["timestamp", "close", *used])))
    own = found.select("timestamp", "session_date").rechunk()
    if own["timestamp"].equals(prices["timestamp"]):
        own = own.with_columns(prices.drop("timestamp").rechunk().get_columns())
    else:  # bars that came, or went, since the features were built
        own = own.join(prices, on="timestamp", how="left", maintain_order="left")
    if label is not None and not own.is_empty():  # nobody takes a data set without rows
        own = labels.add(own, label)
    more = [name for name in prices.columns if name not in {"timestamp", "close"}]
    return Part(own.drop(more), found.drop(KEYS))
