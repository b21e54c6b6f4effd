"""Trading halts, from the stream's status messages into the lake."""

from datetime import datetime
from typing import Any

import polars as pl

from lake import Lake
from lake.halts import HALT_SCHEMA, commit_halts, halts_of


class Halts:
    """The halts that were heard; one that ends is told again with its end."""

    def __init__(self, lake: Lake, source: str) -> None:
        self._lake, self._source = lake, source
        self._open: dict[str, tuple[datetime, str]] = {}

    def keep(self, heard: pl.DataFrame) -> int:
        """Store what was heard: ``symbol``, ``at``, ``halted``, ``reason``; returns how many changed.

        Raises:
            LakeError: Nothing was stored; the same may be given again.
        """
        rows = [row for one in heard.iter_rows() for row in self._rows(*one)]
        if not rows:
            return 0
        return commit_halts(self._lake, pl.DataFrame(rows, schema=HALT_SCHEMA, orient="row"))

    def _rows(
        self, symbol: str, at: datetime, *said: Any
    ) -> list[tuple[str, str, datetime, datetime | None, str]]:
        halted, reason = said
        if halted:
            self._open[symbol] = at, reason
            return [(self._source, symbol, at, None, reason)]
        begun = self._begun(symbol, at)
        self._open.pop(symbol, None)
        return [(self._source, symbol, start, at, why) for start, why in begun]

    def _begun(self, symbol: str, at: datetime) -> list[tuple[datetime, str]]:
        """The halts of a symbol that last until a moment."""
        if symbol in self._open:
            return [self._open[symbol]]
        stored = halts_of(self._lake, self._source, [symbol])[symbol]
        return [(start, "") for start, end in stored if end is None and start <= at]
