"""The session of each bar, and whether it opened in regular hours."""

from bisect import bisect_right
from functools import reduce
from itertools import accumulate
from operator import or_

import polars as pl

from lake.sessions import session_of

_TIME = pl.col("timestamp")
# With so many rows, or over so many sessions, arrays are faster than their import takes.
_MANY_ROWS, _MANY_SESSIONS = 20_000, 40


class Hours:
    """The regular hours of every session."""

    def __init__(self, sessions: pl.DataFrame) -> None:
        ordered = sessions.select("open", "close").sort("open").cast(pl.Int64)
        self._opens, self._closes = ordered["open"], ordered["close"]
        self._lists = self._opens.to_list(), self._closes.to_list()

    def stamp(self, bars: pl.DataFrame, *, daily: bool = False, **more: pl.Expr) -> pl.DataFrame:
        """Bars with ``session_date`` (New York) and ``is_regular``.

        Args:
            bars: Sorted by ``timestamp``.
            daily: They are daily bars, which all count as regular.
            more: Other columns to add at the same time: each time costs.
        """
        times = bars["timestamp"].to_physical()
        first, last = self._sessions(times)
        few = bars.height <= _MANY_ROWS and last - first <= _MANY_SESSIONS
        if not few:
            return bars.with_columns(**more).with_columns(*self._many(times, daily=daily))
        opens, closes = self._lists
        found = range(0) if daily else range(first, last)
        inside = [(times >= opens[one]) & (times < closes[one]) for one in found]
        regular = (
            reduce(or_, inside)
            if inside
            else pl.repeat(daily, bars.height, dtype=pl.Boolean, eager=True)
        )
        return bars.with_columns(session_date=session_of(_TIME), is_regular=regular, **more)

    def _sessions(self, times: pl.Series) -> tuple[int, int]:
        """Which sessions can hold one of the times: the first, and the one after the last."""
        if times.is_empty():
            return 0, 0
        opens, closes = self._lists
        return bisect_right(closes, times[0]), bisect_right(opens, times[-1])

    def _many(self, times: pl.Series, *, daily: bool) -> list[pl.Series]:
        from lake import arrays

        values = times.to_numpy()
        if daily:
            every = pl.repeat(value=True, n=len(values), dtype=pl.Boolean, eager=True)
            regular = every.alias("is_regular")
        else:
            regular = arrays.within(values, self._opens.to_numpy(), self._closes.to_numpy())
        lengths = times.chunk_lengths()
        return [_in_pieces(column, lengths) for column in (arrays.session_dates(values), regular)]


def _in_pieces(column: pl.Series, lengths: list[int]) -> pl.Series:
    """A column cut like the others of its frame: else polars copies them all to make them alike."""
    starts = [0, *accumulate(lengths)]
    cut = [column.slice(start, length) for start, length in zip(starts, lengths, strict=False)]
    return pl.concat(cut) if len(cut) > 1 else column
