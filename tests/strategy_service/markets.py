"""Bars of one symbol made from closes, in the regular sessions from 3 June 2024 on."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

import polars as pl

from lake import sessions


def bars_of(
    closes: Sequence[float],
    volumes: Sequence[float] | None = None,
    *,
    minutes: int = 1,
    first: date = date(2024, 6, 3),
    times: Sequence[datetime] | None = None,
) -> pl.DataFrame:
    """A bar for each close, ``minutes`` apart within a session; it opens at the close before."""
    moments = list(times or _moments(len(closes), minutes, first))
    before = [closes[0], *closes[:-1]]
    return pl.DataFrame(
        {
            "timestamp": moments,
            "session_date": [moment.date() for moment in moments],
            "open": before,
            "high": [max(pair) for pair in zip(before, closes, strict=True)],
            "low": [min(pair) for pair in zip(before, closes, strict=True)],
            "close": closes,
            "volume": volumes or [1_000.0] * len(closes),
        },
        schema_overrides={"timestamp": pl.Datetime("us", "UTC"), "close": pl.Float64},
    )


def _moments(count: int, minutes: int, first: date) -> Iterator[datetime]:
    for opening, closing in (
        sessions.schedule(first, first + timedelta(days=400)).select("open", "close").iter_rows()
    ):
        moment = opening
        while moment < closing:
            if count == 0:
                return
            yield moment
            count, moment = count - 1, moment + timedelta(minutes=minutes)
