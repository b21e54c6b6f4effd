"""A hash of stored values that can be carried on: the sum of a hash for each session.

So a build that adds a session adds one number, whatever the history's length; the order of
sessions does not matter, for each names its day (as in Bellare and Micciancio 1997, AdHash). It finds
what went wrong, not who meant to deceive: XXH3 with 128 bits takes a fraction of SHA-256's time.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

Numbers = NDArray[Any]

_BITS = 128


def content_hash(frame: pl.DataFrame) -> str:
    """The hash of a feature frame: names, times and every value; the same for any chunking.

    Args:
        frame: ``timestamp``, ``session_date`` and columns of numbers or times; sorted by timestamp.
    """
    return _written(_sum(frame))


def replaced(content: str, gone: pl.DataFrame, new: pl.DataFrame) -> str:
    """The hash once the rows of whole sessions have made room for others."""
    return _written(int(content, 16) - _sum(gone) + _sum(new))


def can_be_replaced(content: str) -> bool:
    """Whether a stored hash is of this kind; that of an older Barlake may not be."""
    return len(content) == _BITS // 4


def _written(total: int) -> str:
    return f"{total % 2**_BITS:0{_BITS // 4}x}"


def _sum(frame: pl.DataFrame) -> int:
    if frame.is_empty():
        return 0
    values = frame.drop("timestamp", "session_date")
    days = frame["session_date"].to_physical().to_numpy()
    starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    header = "\n".join(values.columns).encode()
    hashes = [
        (xxhash.xxh3_128(header), start, end)
        for start, end in zip(starts, [*starts[1:], frame.height], strict=True)
    ]
    for column in (frame["timestamp"].dt.epoch("us"), *values):
        for numbers in _numbers(column):
            for session, start, end in hashes:
                session.update(numbers[start:end].data)
    return sum(session.intdigest() for session, _, _ in hashes)


def _numbers(column: pl.Series) -> Iterator[Numbers]:
    """The bits of a column of numbers or times; where some are null, which."""
    if column.dtype.is_float():  # nulls become the one NaN: features are never NaN themselves
        yield np.ascontiguousarray(column.to_numpy())
        return
    plain = column.to_physical()
    if not plain.null_count():
        yield np.ascontiguousarray(plain.to_numpy())
    else:
        yield plain.is_null().to_numpy()
        yield plain.cast(pl.Int64).fill_null(0).to_numpy()
