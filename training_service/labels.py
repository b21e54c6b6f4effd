"""What a model is to foresee: named functions of the bars that follow, each with its horizon.

A label starts after its own bar and never reaches into another session, unless it says so. The
moment its last bar opens goes with it, so that a split knows which rows to purge.

>>> find("return_45m").about
'Change of the close, as a share of the earlier one. Within the next 45 minutes of the session.'
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from feature_service.fingerprint import code_hash, digest
from training_service.label_bars import LabelColumnsError, LabelRowsError, read
from training_service.label_families import FAMILIES, Family, Found, Kind
from training_service.label_names import LabelError, LabelRangeError, parse
from training_service.label_windows import Span

__all__ = [
    "END",
    "VALUE",
    "Kind",
    "Label",
    "LabelColumnsError",
    "LabelError",
    "LabelRangeError",
    "LabelRowsError",
    "add",
    "find",
    "labels",
]

VALUE, END = "label", "label_end"


@dataclass(frozen=True)
class Label:
    """One label, by its declaration.

    Attributes:
        name: Says the horizon: ``direction_15`` looks 15 bars ahead, ``direction_15m`` 15 minutes.
        family: What it shares with labels of other horizons.
        span: The horizon.
        numbers: Of its name: ``bp`` basis points, ``up`` and ``down`` in standard deviations.
    """

    name: str
    family: Family = field(repr=False)
    span: Span
    numbers: Mapping[str, float] = field(hash=False)

    @property
    def bars(self) -> int | None:
        """The horizon, where it counts bars."""
        return self.span.length if self.span.unit == "bars" else None

    @property
    def minutes(self) -> int | None:
        """The horizon, where it is clock time."""
        return self.span.length if self.span.unit == "minutes" else None

    @property
    def crosses_sessions(self) -> bool:
        """Whether it looks at the next session."""
        return self.span.unit == "sessions"

    @property
    def kind(self) -> Kind:
        """``classes`` to tell apart, or a ``number`` to estimate."""
        return self.family.kind

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes, smallest first; none for a number."""
        return self.family.classes

    @property
    def unit(self) -> str:
        """Of its values."""
        return self.family.unit

    @property
    def columns(self) -> tuple[str, ...]:
        """The prices it looks at."""
        return self.family.columns

    @property
    def about(self) -> str:
        """What its values mean."""
        return f"{self.family.about} {self.span.about}"

    @property
    def hash(self) -> str:
        """What the values depend on, but for the bars: code and parameters."""
        code = [code_hash(one) for one in (self.family.function, read, _column, _ends)]
        return digest([self.name, self.span.length, self.span.unit, dict(self.numbers), code])


def labels() -> dict[str, Label]:
    """The usual labels, by name; :func:`find` knows all others of their families."""
    return {name: find(name) for family in FAMILIES for name in family.examples}


def find(name: str) -> Label:
    """The label of a name.

    Raises:
        LabelError: There is none; the sentence names the nearest.
    """
    said = parse(name)
    return Label(said.name, said.family, said.span, said.numbers)


def add(bars: pl.DataFrame, wanted: Label) -> pl.DataFrame:
    """Add ``label`` and ``label_end`` to the bars of one symbol.

    Args:
        bars: ``timestamp``, ``session_date`` and the label's ``columns``; sorted, no bar left
            out. A session ends with its last bar here.

    Returns:
        The same rows. ``label`` is Int8 for classes and Float64 for a number. ``label_end`` is
        the opening of the last bar the label looks at, as ``timestamp``; for a barrier that is
        touched the bar that touches it. Both are null together: where the horizon reaches beyond
        the session, where a price is null, and where a label needs a volatility that is not known
        yet or is zero.

    Raises:
        LabelColumnsError: A column is not there.
        LabelRowsError: Bars are not in order, or a price is not above zero.
    """
    arrays = read(bars, wanted.name, wanted.columns)
    found = wanted.family.function(arrays, wanted.span, wanted.numbers)
    return bars.with_columns(
        _column(found, wanted.kind).alias(VALUE),
        _ends(bars["timestamp"], found).alias(END),
    )


def _column(found: Found, kind: Kind) -> pl.Series:
    values = pl.Series(found.values, dtype=pl.Float64).fill_nan(None)
    return values.cast(pl.Int8) if kind == "classes" else values


def _ends(times: pl.Series, found: Found) -> pl.Series:
    known = (found.end >= 0) & ~np.isnan(found.values)
    rows = pl.Series(np.where(known, found.end, -1), dtype=pl.Int64)
    return times.gather(rows.replace(-1, None))
