"""Packs what is missing of many symbols into requests whose pages are full. Pure.

A page holds so many bars over all symbols of its request, and only the last page of a request is
short. So a request should be many pages long: then nearly all are full, even where only regular
hours have bars, and yet its task is over in seconds. It names few symbols over much of a year, for the lake keeps a file a
symbol and year.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import Literal

from lake import sessions
from lake.coverage import Interval

#: How many pages a request should be long at most.
PAGES = 80
#: Minutes of a session in extended hours, 04:00 to 20:00, and in regular hours.
EXTENDED_MINUTES, REGULAR_MINUTES = 960, 390

Order = Literal["newest", "oldest"]


@dataclass(frozen=True)
class Part:
    """One request.

    Attributes:
        symbols: In the order of the alphabet.
        start: Inside (UTC).
        end: Outside (UTC).
        sessions: How many sessions begin in it.
        bars: How many bars each symbol has in it at most.
    """

    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    sessions: int
    bars: int

    @property
    def most(self) -> int:
        """How many bars it brings at most."""
        return self.bars * len(self.symbols)

    @property
    def steps(self) -> int:
        """How much of a job it is: sessions of symbols."""
        return max(self.sessions, 1) * len(self.symbols)

    def pages(self, page_bars: int) -> int:
        """How many pages it has at most."""
        return max(ceil(self.most / page_bars), 1)


@dataclass(frozen=True)
class Estimate:
    """What a job will ask and bring.

    Attributes:
        requests: Pages, at most.
        bars: With every minute of extended hours.
        regular_bars: With every minute of regular hours and no other.
        minutes: How long the requests take at the provider's rate; None where there is no limit.
        bytes: On the disk, at most.
    """

    parts: int
    requests: int
    bars: int
    regular_bars: int
    minutes: float | None
    bytes: int


def pack(
    holes: Mapping[str, Sequence[Interval]],
    *,
    minutes: bool = True,
    page_bars: int = 10_000,
    most_symbols: int = 200,
    order: Order = "newest",
) -> list[Part]:
    """Requests for exactly what is missing, each some eighty pages long where so much is missing.

    Symbols that lack the same go together. What is missing of several years is asked for year by
    year, so that a commit adds to few files.

    Args:
        holes: What is missing of each symbol: intervals, end outside (UTC).
        minutes: Whether bars are of minutes; else of days.
        page_bars: Bars an answer has at most.
        most_symbols: Symbols one request may name.
        order: Which years come first.
    """
    alike: dict[Interval, list[str]] = {}
    for symbol, intervals in holes.items():
        for interval in intervals:
            for piece in _by_year(interval) if minutes else [interval]:
                alike.setdefault(piece, []).append(symbol)
    parts: list[Part] = []
    for (start, end), symbols in alike.items():
        count, most = _sizes(start, end, minutes=minutes)
        together = min(max(PAGES * page_bars // max(most, 1), 1), most_symbols)
        names = sorted(symbols)
        parts += [
            Part(tuple(names[first : first + together]), start, end, count, most)
            for first in range(0, len(names), together)
        ]
    if order == "oldest":
        return sorted(parts, key=lambda part: (part.start, part.symbols))
    return sorted(parts, key=lambda part: (-part.end.timestamp(), part.symbols))


def estimate(
    parts: Sequence[Part], *, page_bars: int, rate: int | None, minutes: bool, bar_bytes: float
) -> Estimate:
    """What some requests will ask and bring, told before the first one.

    Args:
        parts: The requests.
        page_bars: Bars an answer has at most.
        rate: Requests a minute; None: as many as one likes.
        minutes: Whether bars are of minutes; else of days.
        bar_bytes: What a bar takes on the disk.
    """
    requests = sum(part.pages(page_bars) for part in parts)
    bars = sum(part.most for part in parts)
    daily = REGULAR_MINUTES if minutes else 1
    return Estimate(
        parts=len(parts),
        requests=requests,
        bars=bars,
        regular_bars=min(bars, sum(part.sessions * daily * len(part.symbols) for part in parts)),
        minutes=requests / rate if rate else None,
        bytes=round(bars * bar_bytes),
    )


def _by_year(interval: Interval) -> list[Interval]:
    """An interval cut between years: the lake keeps a file a year."""
    start, end = interval
    years = range(start.year + 1, end.year + 1)
    cuts = [sessions.midnight(date(year, 1, 1)) for year in years]
    edges = [start, *(cut for cut in cuts if start < cut < end), end]
    return list(pairwise(edges))


def _sizes(start: datetime, end: datetime, *, minutes: bool) -> tuple[int, int]:
    """How many sessions an interval has, and how many bars a symbol has in it at most."""
    first, last = sessions.today(start), sessions.today(end - timedelta(microseconds=1))
    count = _sessions(first, last)
    if not minutes:
        return count, count
    width = ceil((end - start).total_seconds() / 60)
    return count, min(count * EXTENDED_MINUTES, width)


@lru_cache(maxsize=4096)
def _sessions(first: date, last: date) -> int:
    return sessions.schedule(first, last).height
