"""A large job by its own count: the planner's requests sent by the rate budget on a simulated clock.

python -m bench.planner         prints a JSON object of figures

500 symbols over two years, from a provider that lets an account ask 200 times a minute and counts
by itself: once with a bar in every minute of regular hours, once of extended hours too. Two workers
take one page after another; each asks the rate budget, waits as long as it says, and tells it the
headers of the answer. Only time is not real. It is the budget of one process, which takes a second
for all; tests/agents/test_planning.py holds the one in the journal to the same minutes.
"""

import heapq
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil

from agents.planning import EXTENDED_MINUTES, REGULAR_MINUTES, Estimate, Part, estimate, pack
from lake import sessions
from lake.journal.budget import Budget, OwnBudget, RateWindow, by_headers

FIRST, LAST = date(2024, 11, 21), date(2026, 11, 20)
SYMBOLS = 500
RATE, PAGE = 200, 10_000
WORKERS = 2
#: How long an answer takes; what a client adds to a wait so that not all come at once, at most; and
#: the longest it waits before it asks again.
_ANSWER, _JITTER, _LOOK_EVERY = 0.3, 0.2, 5.0
_BAR_BYTES = 32.0


class Clock:
    """The simulated time, in seconds since 1970."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, 12, 0, 17, tzinfo=UTC).timestamp()

    def time(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


@dataclass
class Provider:
    """Counts requests in windows of a minute, of its own beginning, and tells what is left."""

    clock: Clock
    refused: int = 0
    answered: int = 0
    _window: int = -1
    _used: int = 0

    def answer(self) -> dict[str, str]:
        """The headers of an answer."""
        window = int(self.clock.at // 60)
        self._window, self._used = window, self._used if window == self._window else 0
        self._used += 1
        self.answered += self._used <= RATE
        self.refused += self._used > RATE
        return {
            "X-RateLimit-Limit": str(RATE),
            "X-RateLimit-Remaining": str(max(RATE - self._used, 0)),
            "X-RateLimit-Reset": str((window + 1) * 60),
        }


@dataclass(frozen=True)
class Played:
    """What came of it, on the simulated clock."""

    bars: int
    requests: int
    refused: int
    minutes: float

    @property
    def beside_full_pages(self) -> float:
        """The minutes, beside those of full pages at the provider's rate."""
        return self.minutes / (self.bars / PAGE / RATE)


def parts_of(symbols: int) -> list[Part]:
    """The planner's requests for two years of so many symbols."""
    hole = (sessions.midnight(FIRST), sessions.midnight(LAST + timedelta(days=1)))
    return pack({f"S{number:03}": [hole] for number in range(symbols)}, page_bars=PAGE)


def told(parts: Sequence[Part]) -> Estimate:
    """What a user is told before the job starts."""
    return estimate(parts, page_bars=PAGE, rate=RATE, minutes=True, bar_bytes=_BAR_BYTES)


def bars_in(part: Part, bars_a_session: int) -> int:
    """How many bars the provider has of a request."""
    return part.sessions * bars_a_session * len(part.symbols)


def play(parts: Sequence[Part], bars_a_session: int, budget: Budget, clock: Clock) -> Played:
    """Send every page of every request, as early as the budget lets it."""
    provider, begun = Provider(clock), clock.at
    pages = _pages(parts, bars_a_session)
    workers = [_work(pages, budget, provider, clock) for _ in range(WORKERS)]
    due = [(clock.at, number) for number in range(WORKERS)]
    while due:
        clock.at, number = heapq.heappop(due)
        if (pause := next(workers[number], None)) is not None:
            heapq.heappush(due, (clock.at + pause, number))
    bars = sum(bars_in(part, bars_a_session) for part in parts)
    sent = provider.answered + provider.refused
    return Played(bars, sent, provider.refused, (clock.at - begun) / 60)


def _work(
    pages: Iterator[None], budget: Budget, provider: Provider, clock: Clock
) -> Iterator[float]:
    """One worker: yields the seconds until its next step."""
    for _ in pages:
        while wait := budget.take():
            yield min(wait + _JITTER, _LOOK_EVERY)
        headers = provider.answer()
        yield _ANSWER
        window = by_headers(headers, clock.at)
        assert window is not None
        budget.learn(window)


def _pages(parts: Sequence[Part], bars_a_session: int) -> Iterator[None]:
    """One after another, for whoever is free."""
    for part in parts:
        for _ in range(max(ceil(bars_in(part, bars_a_session) / PAGE), 1)):
            yield


def main() -> None:
    """Play both."""
    parts = parts_of(SYMBOLS)
    figures: dict[str, float] = {"told_minutes": told(parts).minutes or 0.0}
    for name, minutes in (("regular", REGULAR_MINUTES), ("extended", EXTENDED_MINUTES)):
        clock = Clock()
        played = play(parts, minutes, OwnBudget([RateWindow(RATE)], clock.time), clock)
        figures |= {
            f"{name}_bars": played.bars,
            f"{name}_minutes": played.minutes,
            f"{name}_ratio": played.beside_full_pages,
            f"{name}_refused": played.refused,
        }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
