"""What is read again on a schedule, so that what a provider has corrected becomes a revision.

A provider computes a bar anew half a minute after its minute, and corrects trades for hours and days.
So the watched symbols' day is asked for again every hour, and every night the last days of all series
that are kept up to date.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import polars as pl

from lake import Lake, sessions

Window = Literal["hours", "days"]

#: Sessions of the nightly window, and within how many days a series has had a bar that is kept up.
_SESSIONS, _KEPT_UP = 5, timedelta(days=7)
#: An hourly window begins an hour into the session, and ends an hour and some after it.
_FIRST, _AFTER = timedelta(hours=1), timedelta(minutes=90)


@dataclass(frozen=True)
class Again:
    """What to ask for again: symbols, and sessions with both ends included."""

    symbols: list[str]
    first: date
    last: date


def due(
    window: Window, watched: Sequence[str], lake: Lake | None, source: str, now: datetime
) -> Again | None:
    """What is to be read again now; None for nothing.

    Args:
        window: ``hours`` for this session, ``days`` for the last ones.
        watched: Tickers that a live agent listens to.
        lake: None where there is none yet.
        source: Whose series.
        now: Aware.
    """
    today = sessions.today(now)
    if window == "hours":
        hours = sessions.schedule(today, today)
        if hours.is_empty() or not watched:
            return None
        begin, end = hours["pre_open"].item() + _FIRST, hours["post_close"].item() + _AFTER
        return Again(sorted(watched), today, today) if begin <= now < end else None
    days = sessions.schedule(today - timedelta(days=3 * _SESSIONS), today - timedelta(days=1))
    symbols = sorted({*watched, *_kept_up(lake, source, now)})
    if not symbols or days.is_empty():
        return None
    some = days["session_date"].tail(_SESSIONS)
    return Again(symbols, some[0], some[-1])


def _kept_up(lake: Lake | None, source: str, now: datetime) -> list[str]:
    """Symbols of a source that had a bar in the last days."""
    if lake is None:
        return []
    recent = (pl.col("source") == source) & (pl.col("last") >= now - _KEPT_UP)
    return lake.symbols().filter(recent)["symbol"].to_list()
