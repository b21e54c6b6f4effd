"""The bars of one symbol as labels read them: arrays, and where each session begins and ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_service.compiled import Values
from lake.errors import InvalidError

Whole = NDArray[np.int64]


class LabelColumnsError(InvalidError):
    """Bars without a column that a label looks at."""

    def __init__(self, label: str, names: Sequence[str]) -> None:
        super().__init__(label, tuple(names))
        self.label, self.names = label, tuple(names)

    def __str__(self) -> str:
        return (
            f"{self.label} looks at {' and '.join(self.names)}, which these rows do not have. "
            "Add them, or take a label that looks at closes alone."
        )


class LabelRowsError(InvalidError):
    """Bars that no label can be computed from."""

    def __init__(self, label: str, moment: str, problem: str) -> None:
        super().__init__(label, moment, problem)
        self.label, self.moment, self.problem = label, moment, problem

    def __str__(self) -> str:
        return f"{self.label} cannot be computed: the bar of {self.moment} {self.problem}."


@dataclass(frozen=True)
class LabelBars:
    """The bars of one symbol, a number a bar; sessions in order.

    Attributes:
        times: Openings, microseconds since 1970 in UTC.
        last: The row of the last bar of each bar's session.
        close: NaN stands for null, in the other prices too.
        high: Empty unless asked for, as ``low``.
        days: Of each session.
        ends: The row of each session's last bar.
    """

    times: Whole
    last: Whole
    close: Values
    high: Values
    low: Values
    days: Sequence[date]
    ends: Whole


def read(frame: pl.DataFrame, label: str, columns: Sequence[str]) -> LabelBars:
    """The arrays of a frame.

    Args:
        frame: ``timestamp``, ``session_date`` and ``columns``; sorted, no bar left out.
        label: Its name, for errors.
        columns: The prices it looks at.

    Raises:
        LabelColumnsError: One is not there.
        LabelRowsError: A bar is not later than the one before, or has a price that is not
            above zero.
    """
    if missing := [name for name in columns if name not in frame.columns]:
        raise LabelColumnsError(label, missing)
    _check_order(frame, label)
    for name in columns:
        _check_prices(frame, label, name)
    prices = {name: frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in columns}
    nothing = np.empty(0)
    ends = _session_ends(frame["session_date"])
    return LabelBars(
        times=frame["timestamp"].dt.epoch("us").to_numpy(),
        last=np.repeat(ends, np.diff(ends, prepend=-1)),
        close=prices["close"],
        high=prices.get("high", nothing),
        low=prices.get("low", nothing),
        days=frame["session_date"].gather(ends).to_list(),
        ends=ends,
    )


def _session_ends(days: pl.Series) -> Whole:
    changes = days.ne_missing(days.shift(-1)).to_numpy()
    if len(changes):
        changes = np.concatenate([changes[:-1], [True]])
    return np.flatnonzero(changes).astype(np.int64)


def _check_order(frame: pl.DataFrame, label: str) -> None:
    times = frame["timestamp"]
    wrong = (times <= times.shift(1)).arg_true()
    if len(wrong):
        problem = (
            "is not later than the one before. Give the bars of one symbol, each once, "
            "sorted by timestamp"
        )
        raise LabelRowsError(label, times[wrong[0]].isoformat(), problem)


def _check_prices(frame: pl.DataFrame, label: str, name: str) -> None:
    wrong = (~((frame[name] > 0) & frame[name].is_finite())).arg_true()
    if len(wrong):
        row = wrong[0]
        problem = (
            f"has a {name} of {frame[name][row]:g}, and a return needs prices above zero. "
            "Correct the bar, or take prices adjusted otherwise"
        )
        raise LabelRowsError(label, frame["timestamp"][row].isoformat(), problem)
