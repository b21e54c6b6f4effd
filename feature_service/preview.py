"""Stored features at a glance: descriptive statistics of each column, and how far it has drifted.

Drift is the population stability index between two ranges of the same symbol: the sum of
``(q - p) * ln(q / p)`` over ten bins between the deciles of the first range, and one bin of nulls;
p and q are the shares of a bin in the first and in the second range. It was made for credit scores
(Lewis, An Introduction to Credit Scoring, 1994), where below 0.1 counts as no change to speak of,
from 0.25 on as another population (Siddiqi, Credit Risk Scorecards, 2006).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake import Lake
from lake.errors import MissingError
from lake.features import read_features
from lake.sessions import Moment

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

_KEYS = ("symbol", "timestamp", "session_date")
_QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}
#: From where on the index is read as some and as great drift.
SOME, GREAT = 0.1, 0.25
_BINS = 10
#: An empty bin counts as this share of a row, for the logarithm of nothing is infinite.
_TRACE = 0.5


class NothingToPreviewError(MissingError):
    """A range without rows."""

    def __init__(self, symbol: str, feature_set: str, start: str, end: str) -> None:
        super().__init__(symbol, feature_set, start, end)
        self.symbol, self.feature_set, self.start, self.end = symbol, feature_set, start, end

    def __str__(self) -> str:
        between = f"from {self.start or 'the beginning'} to {self.end or 'the end'}"
        return (
            f"The {self.feature_set} features of {self.symbol} have no rows {between}. Choose another range, "
            f"or build them with `barlake features build {self.symbol} --set {self.feature_set}`."
        )


@dataclass(frozen=True)
class Span:
    """A range of rows as it was found.

    Attributes:
        first: Opening of its first bar (UTC).
        last: Opening of its last bar.
    """

    rows: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Preview:
    """What a set's features of a symbol look like.

    Attributes:
        span: What was described.
        against: What it was compared with; None: nothing.
        columns: A row a feature: ``feature count null_share mean std min q25 median q75 max``, and
            with a comparison ``psi`` and ``drift`` (``none``, ``some``, ``great``).
    """

    symbol: str
    feature_set: str
    span: Span
    against: Span | None
    columns: pl.DataFrame


def preview(
    lk: Lake,
    symbol: str,
    set_name: str,
    start: Moment = None,
    end: Moment = None,
    *,
    columns: Sequence[str] | None = None,
    against: tuple[Moment, Moment] | None = None,
    source: str | None = None,
) -> Preview:
    """Describe stored features of one symbol in a range, and compare it with another range.

    Args:
        lk: The lake.
        symbol: A ticker, in any case.
        set_name: The feature set, with its form.
        start: A New York session date, or a time with its zone; None for the beginning.
        end: As ``start``, both included; None for the newest.
        columns: Some of the set's columns; None for all.
        against: The second range; deciles are those of the first.
        source: Provider and feed; None for the one ``bars`` shows.

    Raises:
        FeaturesMissingError: The set was not built for the symbol.
        NothingToPreviewError: A range has no rows.
        InvalidError: Something asked for cannot be; the sentence says what.
    """

    def rows_of(low: Moment, high: Moment) -> pl.DataFrame:
        rows = read_features(lk, symbol, set_name, low, high, columns, source)
        if rows.is_empty():
            asked = [str(bound or "") for bound in (low, high)]
            raise NothingToPreviewError(symbol.upper(), set_name, *asked)
        return rows

    found = rows_of(start, end)
    told = described(found.drop(_KEYS))
    if against is None:
        return Preview(found["symbol"][0], set_name, _span(found), None, told)
    other = rows_of(*against)
    beside = drift(found.drop(_KEYS), other.drop(_KEYS))
    joined = told.join(beside, on="feature", maintain_order="left")
    return Preview(found["symbol"][0], set_name, _span(found), _span(other), joined)


def described(values: pl.DataFrame) -> pl.DataFrame:
    """Statistics of columns of numbers, a row each; nulls count for ``null_share`` alone.

    ``std`` is the sample's; quartiles lie between two values where they must (as numpy's do).
    """
    rows = [{"feature": name, **_statistics(values[name])} for name in values.columns]
    types = dict.fromkeys(_STATISTICS, pl.Float64)
    return pl.DataFrame(rows, schema={"feature": pl.String, "count": pl.Int64, **types})


def drift(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Each column's population stability index, ``psi``, and how it is usually read, ``drift``."""
    indexes = [psi(first[name], second[name]) for name in first.columns]
    return pl.DataFrame(
        {
            "feature": first.columns,
            "psi": indexes,
            "drift": [_reading(index) for index in indexes],
        },
        schema={"feature": pl.String, "psi": pl.Float64, "drift": pl.String},
    )


def psi(first: pl.Series, second: pl.Series) -> float:
    """The population stability index of two samples, from 0 (alike) upwards.

    Deciles that fall together, as of a column of few values, make one bin. A bin that is empty in
    one of the samples counts as half a row of it; one that is empty in both, as nothing.
    """
    known = first.drop_nulls().to_numpy()
    edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS)) if len(known) else known
    ours, theirs = _counts(first, edges), _counts(second, edges)
    held = (ours > 0) | (theirs > 0)
    p, q = _shares(ours[held]), _shares(theirs[held])
    return math.fsum((q - p) * np.log(q / p))


_STATISTICS = ("null_share", "mean", "std", "min", *_QUARTILES, "max")


def _statistics(column: pl.Series) -> dict[str, Any]:
    known = column.drop_nulls()
    return {
        "count": len(known),
        "null_share": column.null_count() / len(column),
        "mean": known.mean(),
        "std": known.std(),
        "min": known.min(),
        **{name: known.quantile(at, "linear") for name, at in _QUARTILES.items()},
        "max": known.max(),
    }


def _counts(column: pl.Series, edges: Values) -> Counts:
    """Rows in each bin, an edge belonging to the bin below it; those that are null come last."""
    known = column.drop_nulls().to_numpy()
    bins = np.searchsorted(edges, known, side="left")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    return np.append(counts, column.null_count())


def _shares(counts: Counts) -> Values:
    shares: Values = np.where(counts > 0, counts, _TRACE) / counts.sum()
    return shares


def _reading(index: float) -> str:
    return "none" if index < SOME else "some" if index < GREAT else "great"


def _span(rows: pl.DataFrame) -> Span:
    times = rows["timestamp"]
    return Span(rows.height, times[0], times[-1])
