"""Bars as columns, and their text in the protocol."""

import io
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from sandbox.calendar import Int64s

Float64s = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Bars:
    """Bars of one symbol in order of time.

    ``time`` is the opening in seconds since 1970 (UTC), prices and ``vwap`` are in USD, ``volume``
    in shares (whole numbers, or floats where a file has fractions), ``count`` in trades.
    """

    time: Int64s
    open: Float64s
    high: Float64s
    low: Float64s
    close: Float64s
    volume: Int64s | Float64s
    count: Int64s
    vwap: Float64s

    def __len__(self) -> int:
        return len(self.time)

    def columns(self) -> tuple[Int64s | Float64s, ...]:
        """All columns in the order of the fields."""
        return (
            self.time, self.open, self.high, self.low,
            self.close, self.volume, self.count, self.vwap,
        )  # fmt: skip

    def rows(self, start: int, end: int) -> "Bars":
        """Rows ``start`` to ``end`` (outside), without copying."""
        return Bars(*(column[start:end] for column in self.columns()))  # type: ignore[arg-type]

    def between(self, first: int, last: int) -> "Bars":
        """The bars that open from ``first`` to ``last``, both inside."""
        start, end = np.searchsorted(self.time, [first, last + 1])
        return self.rows(int(start), int(end))

    def adjusted(self, price: float, volume: float) -> "Bars":
        """Prices and volume times a factor, rounded like Alpaca's (1/100 cent, whole shares)."""
        if price == volume == 1:
            return self
        shares = np.rint(self.volume * volume).astype(np.int64) if volume != 1 else self.volume
        return replace(
            self,
            open=np.round(self.open * price, 4),
            high=np.round(self.high * price, 4),
            low=np.round(self.low * price, 4),
            close=np.round(self.close * price, 4),
            volume=shares,
            vwap=np.round(self.vwap * price, 6),
        )


def join(parts: list[Bars]) -> Bars:
    """Bars one after another; at least one part."""
    columns = [
        np.concatenate(column) for column in zip(*(part.columns() for part in parts), strict=True)
    ]
    return Bars(*columns)


class Block(NamedTuple):
    """Bars in order of time as the protocol's text: rows joined by commas.

    Row ``i`` ends before byte ``ends[i]``; the comma after it stands there.
    """

    time: Int64s
    ends: Int64s
    text: bytes | memoryview

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.text) + self.time.nbytes + self.ends.nbytes

    def cut(self, start: int, end: int) -> bytes:
        """The text of rows ``start`` to ``end`` (outside), in order of time."""
        begin = int(self.ends[start - 1]) + 1 if start else 0
        return bytes(self.text[begin : int(self.ends[end - 1])])

    def cut_backwards(self, start: int, end: int) -> bytes:
        """The same rows, the latest first."""
        return b",".join(self.cut(row, row + 1) for row in range(end - 1, start - 1, -1))


def encode(bars: Bars) -> Block:
    """The text of bars; polars writes rows about three times faster than orjson dictionaries."""
    frame = pl.DataFrame(
        {
            "c": bars.close,
            "h": bars.high,
            "l": bars.low,
            "n": bars.count,
            "o": bars.open,
            "t": pl.from_epoch(pl.Series(bars.time)).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "v": bars.volume,
            "vw": bars.vwap,
        }
    )
    lines = io.BytesIO()
    frame.write_ndjson(lines)
    text = np.frombuffer(lines.getbuffer(), dtype=np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    text[ends] = ord(",")
    return Block(bars.time, ends.astype(np.int64), lines.getbuffer())


def encode_each(parts: list[Bars]) -> list[Block]:
    """A block for each part, encoded in one go: the fixed cost of a call is that of 700 rows."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return [EMPTY_BLOCK] * len(parts)
    whole = encode(join(filled))
    blocks, row = [], 0
    for part in parts:
        blocks.append(_split(whole, row, row + len(part)) if len(part) else EMPTY_BLOCK)
        row += len(part)
    return blocks


def _split(whole: Block, start: int, end: int) -> Block:
    begin = int(whole.ends[start - 1]) + 1 if start else 0
    ends = whole.ends[start:end] - begin
    return Block(whole.time[start:end].copy(), ends, whole.cut(start, end))


_NO_WHOLE, _NO_FLOAT = np.empty(0, np.int64), np.empty(0, np.float64)
EMPTY_BLOCK = Block(_NO_WHOLE, _NO_WHOLE, b"")
EMPTY_BARS = Bars(
    _NO_WHOLE, _NO_FLOAT, _NO_FLOAT, _NO_FLOAT, _NO_FLOAT, _NO_WHOLE, _NO_WHOLE, _NO_FLOAT
)
