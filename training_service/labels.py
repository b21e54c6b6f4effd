"""What a model is to foresee: named functions of the bars that follow, each with its horizon.

A label starts after its own bar and never reaches into another session. The moment its last bar
opens goes with it, so that a split knows which rows to purge.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from feature_service.fingerprint import code_hash, digest
from lake.errors import InvalidError

VALUE, END = "label", "label_end"

_BY_NAME: dict[str, "Label"] = {}


class LabelError(InvalidError):
    """A name that no label has."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name, self.known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return (
            f"There is no label {self.name[:40]!r}.{hint} The labels are {', '.join(self.known)}."
        )


@dataclass(frozen=True)
class Label:
    """One label, by its declaration.

    Attributes:
        name: Says the horizon: ``direction_15`` looks 15 bars ahead.
        bars: The horizon; the label's window is that many bars after its own.
        about: What its values mean.
    """

    name: str
    bars: int
    about: str
    function: Callable[[int], pl.Expr]

    @property
    def hash(self) -> str:
        """What the values depend on, but for the bars."""
        return digest([self.name, self.bars, code_hash(self.function)])


def label(name: str, *, horizons: Sequence[int]) -> Callable[..., Callable[[int], pl.Expr]]:
    """Register a function as one label for each horizon in bars."""

    def register(function: Callable[[int], pl.Expr]) -> Callable[[int], pl.Expr]:
        about = (function.__doc__ or "").strip().partition("\n")[0]
        for bars in horizons:
            own = name.format(bars=bars)
            _BY_NAME[own] = Label(own, bars, about, function)
        return function

    return register


def labels() -> dict[str, Label]:
    """Every label there is, by name."""
    return dict(_BY_NAME)


def find(name: str) -> Label:
    """The label of a name.

    Raises:
        LabelError: There is none; the sentence names the nearest.
    """
    if name not in _BY_NAME:
        raise LabelError(name, sorted(_BY_NAME))
    return _BY_NAME[name]


def add(bars: pl.DataFrame, wanted: Label) -> pl.DataFrame:
    """Add ``label`` and ``label_end`` to the bars of one symbol.

    Args:
        bars: ``timestamp``, ``session_date``, ``close``; sorted, no bar left out.

    Returns:
        The same rows. ``label_end`` is the opening of the last bar the label looks at. Both are
        null where the session has fewer bars left than the horizon.
    """
    end = pl.col("timestamp").shift(-wanted.bars).over("session_date")
    return bars.with_columns(wanted.function(wanted.bars).alias(VALUE), end.alias(END))


@label("direction_{bars}", horizons=[1, 5, 15, 30, 60])
def direction(bars: int) -> pl.Expr:
    """1 if the close that many bars later in the session is higher, 0 if it is not."""
    later = pl.col("close").shift(-bars).over("session_date")
    return (later > pl.col("close")).cast(pl.Int8)
