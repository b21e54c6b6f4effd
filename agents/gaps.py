"""The gap scanner's rounds: name what is absent, ask again for what may still come, name it anew.

What a round found and how often each hole was asked for lies in the lake (``gap_scans``), so a real
hole is asked for three times at growing distances and then never again. Harmless to repeat and to
kill: bars commit as every backfill's do, and an ask that was not noted is made once more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from agents import backfill
from agents.sources import Log, Source
from lake import Lake, LakeError, RefusedError, gap_memory, sessions
from lake.absences import CLASSES
from lake.gap_scan import scan as scan_series
from lake.journal import Job
from lake.presence import Lifespan
from lake.sessions import Moment

#: Called as it goes: steps done, steps in all, what is going on.
Tell = Callable[[int, int, str], None]
Lifespans = Mapping[str, Lifespan]
#: Sessions by symbol, each with whether it was fetched before, or answered now.
Due = dict[str, dict[date, bool]]

#: Sessions that one round asks for at most: those that were never fetched first, then the newest.
MOST = 5_000
#: Sessions that are due lie in one request if they are no more than so many days apart.
_BRIDGED = 4
#: So many symbols are asked for together: what fails is noted for all of them.
_TOGETHER = 100
#: Holes of a scan that are kept in memory at most before they are committed.
_MOST_ROWS = 200_000


@dataclass
class Found:
    """What a scan of several series found.

    Attributes:
        sessions: How many sessions have something new to say.
        minutes: Regular minutes of each symbol by what they are: ``expected``, ``present`` and
            each class.
        due: Sessions worth being asked for, by symbol, and whether they were fetched before.
    """

    sessions: int = 0
    minutes: dict[str, dict[str, int]] = field(default_factory=dict)
    due: Due = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """Sessions of symbols that are asked for together."""

    symbols: tuple[str, ...]
    days: tuple[date, ...]
    again: bool

    def __str__(self) -> str:
        more = f" and {len(self.symbols) - 1} more" if len(self.symbols) > 1 else ""
        return f"{self.symbols[0]}{more} up to {self.days[-1]}"

    @property
    def sessions(self) -> int:
        """How many there are over all symbols."""
        return len(self.symbols) * len(self.days)

    def alone(self) -> "list[Span]":
        """The same, each symbol for itself."""
        return [Span((symbol,), self.days, self.again) for symbol in self.symbols]

    def note(self, answers: Due, *, answered: bool) -> None:
        """Say of each session whether it was answered completely."""
        for symbol in self.symbols:
            answers.setdefault(symbol, {}).update(dict.fromkeys(self.days, answered))


def series(lake: Lake, dataset: str = "bars_1m", source: str | None = None) -> dict[str, list[str]]:
    """The symbols that were ever fetched, by source; of one source where it is named."""
    with lake.reading() as connection:
        rows = connection.execute(
            """SELECT DISTINCT source, symbol FROM coverage
               WHERE dataset = $dataset AND ($source IS NULL OR source = $source) ORDER BY ALL""",
            {"dataset": dataset, "source": source},
        ).fetchall()
    found: dict[str, list[str]] = {}
    for name, symbol in rows:
        found.setdefault(name, []).append(symbol)
    return found


def scan(
    lake: Lake,
    symbols: Sequence[str],
    source: str,
    *,
    now: datetime,
    dataset: str = "bars_1m",
    edge: datetime | None = None,
    span: tuple[Moment, Moment] = (None, None),
    answers: Due | None = None,
    lifespans: Lifespans | None = None,
) -> Found:
    """Name every regular minute of some series, and keep what is new in one commit.

    Args:
        symbols: Tickers in capitals.
        source: Provider and feed.
        now: The time (aware).
        dataset: ``bars_1m`` or ``bars_daily``.
        edge: Up to when the source can answer; what ended by then is kept and may be due. By default now.
        span: Start and end, as for :meth:`lake.Lake.bars`.
        answers: Sessions that were asked for again just now, whole, and whether the answer was
            complete; for whoever reads history again besides this agent.
        lifespans: When papers were listed and delisted, by symbol.
    """
    found, rows, waiting = Found(), [], 0
    scans = scan_series(
        lake,
        symbols,
        source,
        dataset=dataset,
        start=span[0],
        end=span[1],
        lifespans=lifespans,
        answers=answers,
        now=now,
    )
    for one in scans:
        found.minutes[one.symbol] = one.minutes
        if due := one.due(now, edge or now):
            found.due[one.symbol] = due
        fresh = one.fresh(edge or now)
        rows.append(fresh)
        waiting += int(fresh["holes"].list.len().sum())
        if waiting > _MOST_ROWS:
            found.sessions += gap_memory.store(lake, rows)
            rows, waiting = [], 0
    found.sessions += gap_memory.store(lake, rows)
    return found


def plan(due: Due, most: int = MOST) -> list[Span]:
    """The requests that bring some sessions: those never fetched first, then the newest.

    >>> day = date(2024, 11, 4)
    >>> due = {"SPY": {day: True, day.replace(day=5): True}, "QQQ": {day: True}, "DIA": {day: True}}
    >>> [str(span) for span in plan(due)]
    ['DIA and 1 more up to 2024-11-04', 'SPY up to 2024-11-05']
    """
    every = [(again, day, symbol) for symbol, days in due.items() for day, again in days.items()]
    every.sort(key=lambda one: (one[0], -one[1].toordinal(), one[2]))
    chosen: dict[tuple[str, bool], list[date]] = {}
    for again, day, symbol in every[:most]:
        chosen.setdefault((symbol, again), []).append(day)
    alike: dict[tuple[bool, tuple[date, ...]], list[str]] = {}
    for (symbol, again), days in sorted(chosen.items()):
        for run in _runs(sorted(days)):
            alike.setdefault((again, run), []).append(symbol)
    return [
        Span(tuple(symbols[first : first + _TOGETHER]), days, again)
        for (again, days), symbols in sorted(alike.items())
        for first in range(0, len(symbols), _TOGETHER)
    ]


@dataclass(frozen=True)
class Round:
    """One round over the series of a lake: scan, ask for what is worth it, scan what was asked for.

    Attributes:
        lake: To read and to write.
        source: Whom to ask; None scans only.
        now: The time (aware).
        most: Sessions of a dataset to ask for at most; the others keep being due.
        span: First and last session that it is about, as for :func:`scan`.
        lifespans: When papers were listed and delisted, by symbol.
        tell: Told of progress in sessions.
        log: Takes one structured line (``stage=…``) where a source refuses.
        job_id: Kept with quarantined bars.
    """

    lake: Lake
    source: Source | None
    now: datetime
    most: int = MOST
    span: tuple[Moment, Moment] = (None, None)
    lifespans: Lifespans | None = None
    tell: Tell = lambda *_: None
    log: Log = lambda **_: None
    job_id: str | None = None

    def scan(
        self, symbols: Sequence[str], source: str, dataset: str, answers: Due | None = None
    ) -> Found:
        """Scan some series of one source; what it cannot answer yet is left for later."""
        ours = self.source is not None and self.source.name == source
        return scan(
            self.lake,
            symbols,
            source,
            now=self.now,
            dataset=dataset,
            edge=self.source.edge(self.now, dataset) if self.source and ours else self.now,
            span=self.span,
            answers=answers,
            lifespans=self.lifespans,
        )

    def answers(self, symbols: Sequence[str], source: Source, dataset: str) -> Due:
        """What an answer to all of the span at this round's time, which was asked for by others, told."""
        first, last = self.span
        if not (isinstance(first, date) and isinstance(last, date)):
            return {}
        edge = source.edge(self.now, dataset)
        days = sessions.schedule(first, last)
        over = days.filter(days["close" if dataset == "bars_1m" else "post_close"] <= edge)
        told = dict.fromkeys(over["session_date"].to_list(), True)
        return dict.fromkeys(symbols, told)

    def refetch(self, source: Source, found: Found, dataset: str) -> dict[str, int]:
        """Ask for sessions with holes that may still be filled, and note that they were asked for.

        Args:
            source: Whom to ask.
            found: What is due; the minutes of what was asked for are counted anew.
            dataset: Whose bars.

        Returns:
            ``asked`` and ``refused`` sessions, and the ``new`` and ``corrected`` bars they brought.

        Raises:
            LakeError: The source did not answer, or the bars cannot be stored. What was asked until
                then is noted, the failing request too: what never works is not asked for ever.
        """
        told = dict.fromkeys(("asked", "refused", "new", "corrected"), 0)
        answers: Due = {}
        try:
            self._ask(source, plan(found.due, self.most), dataset, answers, told)
        finally:
            if answers:
                after = self.scan([*answers], source.name, dataset, answers)
                found.sessions += after.sessions
                found.minutes |= after.minutes
        return told

    def _ask(
        self, source: Source, spans: list[Span], dataset: str, answers: Due, told: dict[str, int]
    ) -> None:
        ask = partial(
            backfill.run, self.lake, source, now=self.now, dataset=dataset, job_id=self.job_id
        )
        total = sum(span.sessions for span in spans)
        while spans:
            span = spans.pop(0)
            try:
                brought = ask(span.symbols, (span.days[0], span.days[-1]), again=span.again)
            except RefusedError as error:
                if len(span.symbols) > 1:  # one of them may spoil the request of all
                    spans[:0] = span.alone()
                    continue
                span.note(answers, answered=False)
                told["refused"] += span.sessions
                self.log(stage="gaps", level="warning", symbol=str(span), reason=str(error))
            except LakeError:
                span.note(answers, answered=False)
                raise
            else:
                span.note(answers, answered=True)
                told["asked"] += span.sessions
                for name in ("new", "corrected"):
                    told[name] += brought[name]
            self.tell(told["asked"] + told["refused"], total, f"asked for {span}")


def run(
    lake: Lake,
    source: Source | None,
    *,
    now: datetime,
    symbols: Sequence[str] = (),
    datasets: Sequence[str] = ("bars_1m", "bars_daily"),
    only: str | None = None,
    ask: bool = True,
    answered_at: datetime | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One round over all series: scan, ask for what is worth it, scan what was asked for.

    Args:
        lake: To read and to write.
        source: Whom to ask; None scans only. Series of other sources are scanned and never asked for.
        now: The time (aware).
        symbols: Only these; none: all.
        datasets: Only these.
        only: Only series of this source.
        ask: Whether to ask for anything.
        answered_at: When all of ``span`` was asked for again, whole, by somebody else: that is one
            answer more of ``source``. Nothing is asked for then.
        more: As for :class:`Round`.

    Returns:
        ``series`` scanned, ``sessions`` with news, what :meth:`Round.refetch` tells, and minutes by
        class as they are at the end.

    Raises:
        LakeError: As :meth:`Round.refetch`'s.
    """
    work = Round(lake, source, answered_at or now, **more)
    told: dict[str, Any] = dict.fromkeys(
        ("series", "sessions", "asked", "refused", "new", "corrected", *CLASSES), 0
    )
    for dataset in datasets:
        for name, listed in series(lake, dataset, only).items():
            wanted = [symbol for symbol in listed if not symbols or symbol in symbols]
            work.tell(0, 0, f"scanning {len(wanted)} series of {name}")
            ours = source if source is not None and source.name == name else None
            answers = work.answers(wanted, ours, dataset) if ours and answered_at else None
            found = work.scan(wanted, name, dataset, answers)
            if ours and ask and not answered_at and found.due:
                for key, count in work.refetch(ours, found, dataset).items():
                    told[key] += count
            told["series"] += len(found.minutes)
            told["sessions"] += found.sessions
            if dataset == "bars_1m":
                for kind in CLASSES:
                    told[kind] += sum(minutes[kind] for minutes in found.minutes.values())
    work.tell(1, 1, f"{told['asked']:,} sessions asked for again, {told['new']:,} new bars")
    return told


def asked_by(job: Job) -> dict[str, Any]:
    """What a job asks of :func:`run`: its parameters and its sessions."""
    asked = {name: value for name, value in job.params.items() if name != "after"}
    if at := asked.get("answered_at"):
        asked["answered_at"] = datetime.fromisoformat(at)
    return asked | {"span": (job.first, job.last)}


def _runs(days: list[date]) -> list[tuple[date, ...]]:
    """Sessions in order, cut where too many days lie between two."""
    runs: list[list[date]] = []
    for day in days:
        if runs and (day - runs[-1][-1]).days <= _BRIDGED:
            runs[-1].append(day)
        else:
            runs.append([day])
    return [tuple(run) for run in runs]
