"""What the catalog says of a column: how many values, how many nulls, from where to where.

Values stand there as text, as DuckDB writes them. Bounds may be wider than the values or not known,
and never narrower: DuckDB believes them (``lake.statistics``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Stats:
    """What is known of one column of some rows.

    Attributes:
        values: How many are not null.
        nulls: How many are.
        low: No value is less; None where there is none, or it is not known.
        high: No value is greater.
        nan: Whether one is not a number; None for columns that cannot have one.
        size: Bytes in the file.
    """

    values: int
    nulls: int
    low: str | None
    high: str | None
    nan: bool | None = None
    size: int = 0

    @property
    def _flag(self) -> int | None:
        return None if self.nan is None else int(self.nan)

    @property
    def of_file(self) -> tuple[Any, ...]:
        """As a row of ``ducklake_file_column_stats`` ends."""
        return self.size, self.values, self.nulls, self.low, self.high, self._flag, None

    @property
    def of_table(self) -> tuple[Any, ...]:
        """As a row of ``ducklake_table_column_stats`` ends."""
        return int(self.nulls > 0), self._flag, self.low, self.high, None


def of_copy(facts: dict[str, str]) -> Stats:
    """What DuckDB's COPY returns of a column it has written."""
    nulls, nan = int(facts["null_count"]), facts.get("has_nan")
    return Stats(
        values=int(facts["num_values"]) - nulls,
        nulls=nulls,
        low=facts.get("min"),
        high=facts.get("max"),
        nan=None if nan is None else nan == "true",
        size=int(facts["column_size_bytes"]),
    )


def of_rows(column: pl.Series) -> Stats:
    """Of rows that lie in the catalog itself."""
    nulls = column.null_count()
    return Stats(len(column) - nulls, nulls, text_of(column.min()), text_of(column.max()))


def merged(parts: Sequence[Stats], before: Stats | None, *, numeric: bool) -> Stats:
    """Of a table, once parts were added to it.

    Bounds that are lost stay so until upkeep looks them up: those of the parts alone would be too
    narrow.
    """
    every = [*parts, *([before] if before else [])]
    known = all(part.low is not None or not part.values for part in every)
    lows = [part.low for part in every if part.low is not None]
    highs = [part.high for part in every if part.high is not None]
    told = [part.nan for part in every if part.nan is not None]
    order: Callable[[str], Any] = float if numeric else str  # times compare as text does
    return Stats(
        values=1,
        nulls=int(any(part.nulls for part in every)),
        low=min(lows, key=order) if lows and known else None,
        high=max(highs, key=order) if highs and known else None,
        nan=any(told) if told else None,
    )


def text_of(value: object) -> str | None:
    """A value as DuckLake writes it into its tables."""
    if value is None:
        return None
    if isinstance(value, datetime):
        seconds = value.strftime("%Y-%m-%d %H:%M:%S")
        fraction = f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""
        return f"{seconds}{fraction}+00"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
