"""The quality of every series, computed and kept each night; what is not good enough raises alerts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, timedelta
from typing import Any

from agents.alerts import raise_one, settle_one
from lake import Lake
from lake import quality as measuring
from lake.journal import Job, Journal, alerts, tallies
from lake.journal import quality as keeping
from lake.journal.quality import Quality
from lake.quality import Answered, Hours

#: Sessions that are looked at every time, of series that are kept up to date.
RECENT = 5

#: What an alert may be about; each is the alert's kind.
MEASURES = ("completeness", "freshness", "errors", "checks")

Series = tuple[str, str]  # source, symbol
Span = tuple[date, date]  # first and last date, both included
Tell = Callable[[int, int, str], None]

_DAY = timedelta(days=1)
#: A commit that was under way while we looked is looked at the next time.
_OVERLAP = timedelta(minutes=10)
_NAMED_DAYS = 3


def run(lake: Lake, journal: Journal, job: Job) -> dict[str, Any]:
    """Bring the quality of every series up to date and tell the job how far it is.

    Harmless to repeat and to kill: each series is kept by itself.

    Returns:
        ``series`` and ``days`` that were computed, and ``breaches`` found on them.
    """

    def tell(done: int, total: int, symbol: str) -> None:
        journal.progress(job.id, done, total, symbol, facts={"symbol": symbol})

    computed = refresh(lake, journal, tell=tell)
    return {
        "series": len({(one.source, one.symbol) for one in computed}),
        "days": len(computed),
        "breaches": sum(len(one.breaches) for one in computed),
    }


def refresh(lake: Lake, journal: Journal, *, tell: Tell = lambda *_: None) -> list[Quality]:
    """Compute what was fetched since the last time, and the newest sessions of what is kept up.

    Args:
        tell: Told of progress: series done, series in all, symbol.

    Returns:
        The days that were computed.
    """
    books = _Books.of(lake, journal)
    before = keeping.computed_at(journal)
    found: list[Quality] = []
    every = sorted(books.fetched.keys() | books.asked_lately.keys())
    for done, series in enumerate(every):
        tell(done, len(every), series[1])
        answers, since = books.fetched.get(series, []), before.get(series)
        new = [one for one in answers if since is None or one.recorded_at > since - _OVERLAP]
        spans = [(one.first, one.last) for one in new]
        spans += [(day, day) for day in books.recent_of(series) | books.open_days(series)]
        computed = [
            one for span in joined(spans) for one in _kept(lake, journal, books, series, span)
        ]
        computed += _asked(journal, books, series, {one.day for one in computed})
        _judge(journal, books, series, computed)
        found += computed
    tell(len(every), len(every), "")
    return found


def compute(
    lake: Lake, journal: Journal, symbol: str, source: str, first: date, last: date
) -> list[Quality]:
    """Compute, keep and judge one series from a first to a last session, also where it has nothing."""
    series, books = (source, symbol), _Books.of(lake, journal)
    computed = _kept(lake, journal, books, series, (first, last))
    _judge(journal, books, series, computed)
    return computed


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same dates in the fewest ranges, in order; those that touch become one.

    >>> joined([(date(2024, 5, 3), date(2024, 5, 7)), (date(2024, 5, 1), date(2024, 5, 2))])
    [(datetime.date(2024, 5, 1), datetime.date(2024, 5, 7))]
    """
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + _DAY:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


@dataclass(frozen=True)
class _Books:
    """What all series need to be judged.

    Attributes:
        fetched: What was fetched of each series.
        recent: The newest sessions that are over.
        raised: The days that open alerts name, by kind and subject.
        hours: Of all sessions.
        asked: Requests and failures of each series by date (UTC).
        today: The date (UTC).
    """

    fetched: dict[Series, list[Answered]]
    recent: Sequence[date]
    raised: dict[tuple[str, str], set[date]]
    hours: Hours
    asked: dict[Series, dict[date, tuple[int, int]]]
    today: date

    @property
    def asked_lately(self) -> dict[Series, dict[date, tuple[int, int]]]:
        """The same of the last days."""
        since = self.today - RECENT * _DAY
        lately = {
            series: {day: counts for day, counts in days.items() if day >= since}
            for series, days in self.asked.items()
        }
        return {series: days for series, days in lately.items() if days and series[1]}

    @classmethod
    def of(cls, lake: Lake, journal: Journal) -> "_Books":
        raised = {
            (alert.kind, alert.subject): {
                date.fromisoformat(day) for day in alert.facts.get("days", ())
            }
            for alert in alerts.read(journal, limit=100_000)
            if alert.kind in MEASURES
        }
        hours = Hours(lake)
        recent = hours.over(lake.now, RECENT)
        today = journal.now.astimezone(UTC).date()
        return cls(measuring.fetched(lake), recent, raised, hours, tallies.every(journal), today)

    def is_kept_up(self, series: Series) -> bool:
        """Whether a series was up to date when it was last fetched, and so is meant to be.

        What was not is a piece of history that somebody wanted.
        """
        newest = max(self.fetched.get(series, ()), key=lambda one: one.end, default=None)
        if newest is None:
            return False
        behind = self.hours.behind(newest.end, newest.recorded_at)
        return behind <= keeping.MOST_HOURS_BEHIND

    def hours_behind(self, lake: Lake, series: Series) -> float | None:
        """How far behind a series is now; None where nobody means it to be up to date."""
        if not self.is_kept_up(series):
            return None
        reached = max(one.end for one in self.fetched[series])
        newest = measuring.newest_bar(lake, series[1], series[0])
        return self.hours.behind(max(reached, newest or reached), lake.now)

    def recent_of(self, series: Series) -> set[date]:
        """The newest sessions, of a series that is kept up, since it began."""
        if not self.is_kept_up(series):
            return set()
        began = min(one.first for one in self.fetched[series])
        return {day for day in self.recent if day >= began}

    def open_days(self, series: Series) -> set[date]:
        """Days that must be looked at again, for an alert names them and they may be mended."""
        kinds = ("completeness", "checks")
        return set().union(*(self.raised.get((kind, _subject(series)), ()) for kind in kinds))


def _kept(lake: Lake, journal: Journal, books: _Books, series: Series, span: Span) -> list[Quality]:
    source, symbol = series
    counts = measuring.measured(lake, symbol, source, *span)
    asked = books.asked.get(series, {})
    found = []
    for row in counts.iter_rows(named=True):
        day = row.pop("session_date")
        requests, failures = asked.get(day, (0, 0))
        behind = books.hours_behind(lake, series) if day in books.recent[-1:] else None
        found.append(
            Quality(
                source=source,
                symbol=symbol,
                day=day,
                **row,
                requests=requests,
                failures=failures,
                hours_behind=behind,
                computed_at=journal.now,
            )
        )
    return keeping.keep(journal, found)


def _asked(journal: Journal, books: _Books, series: Series, computed: set[date]) -> list[Quality]:
    """The last dates with requests beside the computed ones: also without a session, or before its end."""
    days = {
        day: asked
        for day, asked in books.asked_lately.get(series, {}).items()
        if day not in computed
    }
    if not days:
        return []
    source, symbol = series
    kept = keeping.of_series(journal, symbol, source=source, first=min(days), last=max(days))
    before = {one.day: one for one in kept}
    empty = Quality(source, symbol, books.today, 0, 0, 0, 0, 0, 0, None, journal.now)
    rows = [
        replace(before.get(day, empty), day=day, requests=requests, failures=failures)
        for day, (requests, failures) in sorted(days.items())
    ]
    return keeping.keep(journal, rows)


def _judge(journal: Journal, books: _Books, series: Series, computed: Sequence[Quality]) -> None:
    """Raise what is not good enough, and end what is well again."""
    days = {one.day for one in computed}
    for measure in MEASURES:
        bad = [one for one in computed if measure in one.breaches]
        raised = books.raised.get((measure, _subject(series)))
        waiting = (raised or set()) - days
        if measure == "freshness":
            bad = [one for one in bad if one.day in books.recent[-1:]]
            waiting = set() if days & set(books.recent[-1:]) else waiting
        if measure == "errors":  # nobody can mend the past
            lately = books.today - RECENT * _DAY
            bad = [one for one in bad if one.day >= lately]
            waiting = {day for day in waiting if day >= lately}
        if bad:
            facts = {"source": series[0], "symbol": series[1]}
            named = sorted(waiting | {one.day for one in bad})
            facts_of_days = {"days": [day.isoformat() for day in named]}
            raise_one(
                journal, measure, _subject(series), _words(measure, bad), facts | facts_of_days
            )
        elif raised is not None and not waiting:
            settle_one(journal, measure, _subject(series))


def _subject(series: Series) -> str:
    return " ".join(series)


def _words(measure: str, bad: Sequence[Quality]) -> str:
    """A sentence about the days of one series that are not good enough."""
    worst = max(bad, key=lambda one: one.day)
    name = f"{worst.symbol} from {worst.source}"
    days = ", ".join(one.day.isoformat() for one in bad[:_NAMED_DAYS])
    days += f" and {len(bad) - _NAMED_DAYS} more days" if len(bad) > _NAMED_DAYS else ""
    if measure == "completeness":
        share = min(one.completeness or 0.0 for one in bad)
        span = f"--start {min(one.day for one in bad)} --end {max(one.day for one in bad)}"
        return (
            f"{name}: only {share:.1%} of the regular minutes of {days} were fetched (at least "
            f"{keeping.LEAST_COMPLETENESS:.0%}). `barlake ingest {worst.symbol} {span}` fetches them."
        )
    if measure == "freshness":
        return (
            f"{name} is {worst.hours_behind or 0:.0f} hours behind (at most "
            f"{keeping.MOST_HOURS_BEHIND:.0f}). `barlake ingest {worst.symbol}` fetches what is missing."
        )
    if measure == "errors":
        share = max(one.error_rate or 0.0 for one in bad)
        return (
            f"{name}: {share:.1%} of the requests of {days} failed (at most "
            f"{keeping.MOST_ERRORS:.0%}). The logs of the workers say how."
        )
    share = min(one.passed or 0.0 for one in bad)
    return (
        f"{name}: only {share:.1%} of the bars of {days} passed the checks (at least "
        f"{keeping.LEAST_PASSED:.0%}). The table quarantine has the others, with the rule each breaks."
    )
