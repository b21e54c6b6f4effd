"""Panels: rows of several primary symbols, one upon the other."""

import numpy as np
import polars as pl

from training_service.joining import keys, taken

SYMBOL = "symbol"


def stacked(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of all symbols, sorted by timestamp, then by symbol.

    Args:
        frames: Of each symbol: the same columns, ``timestamp`` and ``session_date`` first, sorted.
            Emptied, so that what is in the result is held twice for a moment only.

    Returns:
        The two keys, ``symbol`` and the other columns.
    """
    names = sorted(frames)
    numbers = np.repeat(np.arange(len(names)), [frames[name].height for name in names])
    tall = pl.concat([frames.pop(name) for name in names])
    # The sort is stable, and symbols are in their order before it.
    order = np.argsort(keys(tall)[0], kind="stable")
    said = pl.Series(SYMBOL, names).gather(numbers[order])
    first, second, *rest = taken(tall, order)
    return pl.DataFrame([first, second, said, *rest])


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """With a number instead of each symbol, in a column whose name says which is which: for hashing."""
    names = frame[SYMBOL].unique().sort()
    number = pl.col(SYMBOL).cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    return frame.with_columns(number).rename({SYMBOL: f"{SYMBOL} {' '.join(names)}"})
