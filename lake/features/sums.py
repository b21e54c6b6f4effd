"""A hash of stored values that can be carried on: the sum of a hash for each session.

So a build that adds a session adds one number, whatever the history's length; the order of
sessions does not matter, for each names its day (Bellare and Micciancio 1997, AdHash).
"""

import hashlib

import numpy as np
import polars as pl

_MODULUS = 2**256


def content_hash(frame: pl.DataFrame) -> str:
    """The hash of a feature frame: names, times and every value; the same for any chunking.

    Args:
        frame: ``timestamp``, ``session_date`` and Float64 columns; sorted by timestamp.
    """
    return f"{_sum(frame):064x}"


def replaced(content: str, gone: pl.DataFrame, new: pl.DataFrame) -> str:
    """The hash once the rows of whole sessions have made room for others."""
    return f"{(int(content, 16) - _sum(gone) + _sum(new)) % _MODULUS:064x}"


def _sum(frame: pl.DataFrame) -> int:
    if frame.is_empty():
        return 0
    values = frame.drop("timestamp", "session_date")
    times = frame["timestamp"].dt.epoch("us").to_numpy()
    days = frame["session_date"].to_physical().to_numpy()
    starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    header = "\n".join(values.columns).encode()
    total = 0
    for start, end in zip(starts, [*starts[1:], frame.height], strict=True):
        found = hashlib.sha256(header)
        found.update(times[start:end].tobytes())
        # Nulls become the one NaN: features are never NaN themselves.
        found.update(values[start:end].to_numpy(order="c").tobytes())
        total += int.from_bytes(found.digest(), "big")
    return total % _MODULUS
