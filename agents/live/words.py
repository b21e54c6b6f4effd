"""Which word on a minute counts: a later and better one, never an earlier one that comes late.

A stream tells a minute twice: right after it (``b``) and, where a late trade came in, half a minute
later (``u``). It may repeat itself and mix up the order. REST says it too, first as provisionally
and, from some moment on, finally.
"""

from datetime import datetime, timedelta
from enum import IntEnum

import polars as pl

#: How long it is known who said what; longer than anything comes late.
_KNOWN = timedelta(hours=1)


class Word(IntEnum):
    """Who said a bar, the better ones later."""

    FIRST = 0  # the stream, right after the minute
    ASKED = 1  # REST, before the bar is final
    UPDATED = 2  # the stream, after a late trade
    SETTLED = 3  # REST, when it is final


class Words:
    """The best word so far on each minute of each symbol."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, datetime], Word] = {}
        self._newest: datetime | None = None

    def knows(self, symbol: str, minute: datetime) -> bool:
        """Whether anybody has said it."""
        return (symbol, minute) in self._best

    def admit(self, bars: pl.DataFrame, word: Word) -> pl.DataFrame:
        """Those bars about which nothing better is known, and note them.

        Args:
            bars: As ``BAR_SCHEMA``; without symbol or time they are all admitted, to be judged later.
            word: Who says them.
        """
        keys = list(bars.select("symbol", "timestamp").iter_rows())
        keeps = [
            minute is None or self._best.get((symbol, minute), word) <= word
            for symbol, minute in keys
        ]
        for (symbol, minute), keep in zip(keys, keeps, strict=True):
            if keep and minute is not None:
                self._best[symbol, minute] = word
        self._forget(max((minute for _, minute in keys if minute is not None), default=None))
        return bars if all(keeps) else bars.filter(pl.Series(keeps, dtype=pl.Boolean))

    def _forget(self, newest: datetime | None) -> None:
        if newest is None or (self._newest is not None and newest <= self._newest):
            return
        self._newest = newest
        old = [key for key in self._best if key[1] < newest - _KNOWN]
        for key in old:
            del self._best[key]
