"""Which row of a context symbol stands beside each row of a primary one."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.errors import ProblemError
from training_service.parts import OWN, Part

STRICT = "strict"
AGE = "age"
#: A regular session: no context row is older, for none comes from another session.
MOST_MINUTES = 390
_ASOF = re.compile(r"asof:([0-9]{1,3})", re.ASCII)
_MINUTE_US = 60_000_000

Ints = NDArray[np.int64]


class JoinError(ProblemError):
    """A way of joining symbols that there is not."""


def staleness(join: str) -> int | None:
    """Minutes that a context row may be older than the primary's; None for a strict join.

    Raises:
        JoinError: It is neither ``strict`` nor ``asof:MINUTES`` with 1 to 390 minutes.

    >>> staleness("asof:5")
    5
    """
    if join == STRICT:
        return None
    found = _ASOF.fullmatch(join)
    if found is None or not 1 <= int(found[1]) <= MOST_MINUTES:
        problem = (
            f"{join[:40]!r} is no way to join symbols. Take strict, or asof:MINUTES with "
            f"1 to {MOST_MINUTES} minutes, like asof:5."
        )
        raise JoinError(problem)
    return int(found[1])


@dataclass(frozen=True)
class Beside:
    """What a context symbol has for each row of a primary one.

    Attributes:
        symbol: The context symbol.
        rows: It has itself.
        positions: Of its row, for each row of the primary's; -1 where there is none.
        ages: Minutes from the opening of its bar to that of the primary's; nothing holds where
            there is none.
        columns: What they are called in the joined frame.
    """

    symbol: str
    rows: int
    positions: Ints
    ages: NDArray[np.float64]
    columns: tuple[str, ...]

    @property
    def found(self) -> NDArray[np.bool_]:
        """At which rows of the primary's it has one."""
        return np.asarray(self.positions >= 0)


def beside(primary: pl.DataFrame, other: Part, symbol: str, join: str) -> Beside:
    """Find the context row of each primary row: the newest at or before it, of the same session.

    A row is known when its bar is complete, and bars of one timeframe that open in the same minute
    are complete at the same time. So "at or before" may be asked of the openings.

    Args:
        primary: ``timestamp`` and ``session_date``, sorted by timestamp.
        other: The context symbol's rows.
        symbol: The context symbol.
        join: ``strict``: of the same minute. ``asof:MINUTES``: at most so many minutes old.

    Raises:
        JoinError: There is no such join.
    """
    most = staleness(join)
    names = [f"{name}_{symbol}" for name in other.columns]
    columns = tuple(names if most is None else [*names, f"{AGE}_{symbol}"])
    times, days = keys(primary)
    if other.own.is_empty():
        none = np.full(len(times), -1)
        return Beside(symbol, 0, none, np.zeros(len(times)), columns)
    own_times, own_days = keys(other.own)
    newest = np.searchsorted(own_times, times, side="right") - 1
    at = np.maximum(newest, 0)
    late = times - own_times[at]
    good = (newest >= 0) & (own_days[at] == days) & (late <= (most or 0) * _MINUTE_US)
    return Beside(symbol, len(own_times), np.where(good, at, -1), late / _MINUTE_US, columns)


def keys(frame: pl.DataFrame) -> tuple[Ints, Ints]:
    """``timestamp`` in microseconds and ``session_date`` in days, both since 1970."""
    return _whole(frame["timestamp"]), _whole(frame["session_date"])


def put_together(primary: Part, others: Sequence[Part], found: Sequence[Beside]) -> pl.DataFrame:
    """The primary's rows at which every context symbol has one, with the columns of all.

    Args:
        primary: Its rows. Its features are taken out of their frame, one by one: what is in the
            result is held twice for a moment only.
        others: The rows of each context symbol, likewise; :meth:`Part.copy` keeps them.
        found: What each of them has for the primary's rows.

    Returns:
        ``timestamp``, ``session_date``, the primary's columns, its label if it has one, and the
        context's columns with their symbol's name; each in one piece.
    """
    everywhere = np.ones(primary.own.height, dtype=np.bool_)
    for one in found:
        everywhere &= one.found
    kept = np.flatnonzero(everywhere)
    columns = taken(primary.own.select(OWN), kept)
    columns += taken(primary.features, kept)
    columns += taken(primary.own.drop(OWN), kept)  # the label
    for one, part in zip(found, others, strict=True):
        rows = one.positions[kept]
        values = [*taken(part.own.select("close"), rows), *taken(part.features, rows)]
        if len(one.columns) > len(values):
            values.append(pl.Series(AGE, one.ages[kept]))
        columns += [column.rename(name) for column, name in zip(values, one.columns, strict=True)]
    return pl.DataFrame(columns)


def taken(frame: pl.DataFrame, rows: Ints) -> list[pl.Series]:
    """Some rows of each column of a frame, which is emptied by it: few are held twice at a time."""
    every = len(rows) == frame.height and bool((rows == np.arange(len(rows))).all())
    wanted = pl.Series(rows, dtype=pl.UInt32)

    def take(column: pl.Series) -> pl.Series:
        whole = column.rechunk()  # of many pieces rows are slow to gather
        return whole if every else whole.gather(wanted)

    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        return list(threads.map(take, (frame.drop_in_place(name) for name in frame.columns)))


def _whole(column: pl.Series) -> Ints:
    return np.asarray(column.to_physical().to_numpy(), dtype=np.int64)
