"""The historical backfill: ask for what the ledger lacks, check, commit page by page.

The same for every dataset of bars; each has intervals of its own in the ledger.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from agents.pages import answered, next_day, next_minute
from agents.sources import Log, Source, UnknownSymbolError
from lake import BarsMissingError, Commit, Fetched, Lake, sessions
from lake.actions import Answered
from lake.coverage import Interval, subtract
from lake.datasets import check_dataset

#: Called after each commit: sessions done, sessions in all, what is going on.
Tell = Callable[[int, int, str], None]

_ACTIONS_AHEAD = timedelta(days=30)


def missing(
    lake: Lake,
    source: Source,
    symbol: str,
    span: tuple[date, date],
    now: datetime,
    *,
    dataset: str = "bars_1m",
) -> list[Interval]:
    """What the ledger lacks of some sessions, up to what the source can answer now (UTC)."""
    return [
        hole
        for part in _answerable(source, span, now, dataset)
        for hole in subtract(part, lake.covered(symbol, source.name, dataset=dataset))
    ]


def _answerable(
    source: Source, span: tuple[date, date], now: datetime, dataset: str
) -> list[Interval]:
    """Those sessions up to what the source can answer now: one interval, or none."""
    start, end = sessions.midnight(span[0]), sessions.midnight(span[1] + timedelta(days=1))
    end = min(end, source.edge(now, dataset))
    return [(start, end)] if start < end else []


def run(
    lake: Lake,
    source: Source,
    symbol: str,
    span: tuple[date, date],
    *,
    now: datetime,
    dataset: str = "bars_1m",
    again: bool = False,
    tell: Tell = lambda *_: None,
    log: Log = lambda **_: None,
    job_id: str | None = None,
) -> dict[str, Any]:
    """Bring a symbol's bars of some sessions into the lake.

    Harmless to repeat, to deliver twice and to kill: each page commits with the interval it
    answers, and a later run asks only for what is missing then.

    Args:
        span: New York session dates, both included.
        now: The time (aware), for what a provider may be asked yet.
        dataset: ``bars_1m``, or ``bars_daily`` for the provider's own daily bars.
        again: Ask for what was fetched before too: what the provider has changed meanwhile becomes
            the value, and what it had said a revision.
        tell: Told of progress in sessions after each commit.
        log: Takes one structured line (``stage=…``).
        job_id: Kept with quarantined bars.

    Returns:
        Counts of bars (``new corrected withdrawn unchanged quarantined``), ``pages``, and
        ``actions`` (new or changed corporate actions).

    Raises:
        UnknownSymbolError: The provider has no such symbol.
        RefusedError, TransientError: As the source's; what was committed stays.
    """
    answerable = _answerable(source, span, now, dataset)
    parts = answerable if again else missing(lake, source, symbol, span, now, dataset=dataset)
    count = dict.fromkeys(
        ("new", "corrected", "withdrawn", "unchanged", "quarantined", "pages", "actions"), 0
    )
    if not parts:
        tell(1, 1, "nothing is missing" if answerable else "nothing of it is final yet")
        return count
    if not _is_known(lake, symbol, source.name, dataset) and source.knows(symbol) is False:
        raise UnknownSymbolError(symbol, source.name)
    lake.prefer_source(source.name)
    count["actions"] = _bring_actions(lake, source, symbol, (span[0], sessions.today(now)))
    days = [
        sessions.schedule(sessions.today(start), sessions.today(end)).height for start, end in parts
    ]
    done = 0
    after = next_day if check_dataset(dataset).timeframe == "1d" else next_minute
    for (start, end), length in zip(parts, days, strict=True):
        pages = source.pages([symbol], start, end, dataset)
        for part in answered(pages, [symbol], start, end, after=after):
            fetched = Fetched(source.name, part.bars, part.covered, job_id)
            commit = lake.commit_bars(fetched, dataset=dataset)
            _add(count, commit)
            reached = max((piece.end for piece in part.covered), default=start)
            share = (reached - start) / (end - start)
            tell(
                done + round(length * share), sum(days), f"{symbol} up to {sessions.today(reached)}"
            )
            log(stage="commit", symbol=symbol, bars=part.bars.height, **asdict(commit))
        done += length
    tell(done, done, f"{count['new']} new bars")
    return count


def _add(count: dict[str, Any], commit: Commit) -> None:
    count["pages"] += 1
    for name in ("new", "corrected", "withdrawn", "unchanged", "quarantined"):
        count[name] += getattr(commit, name)


def _is_known(lake: Lake, symbol: str, source: str, dataset: str) -> bool:
    try:
        lake.source_of(symbol, source, dataset=dataset)
    except BarsMissingError:
        return False
    return True


def _bring_actions(lake: Lake, source: Source, symbol: str, span: tuple[date, date]) -> int:
    """Splits and dividends since the first session asked for: they adjust every bar before them."""
    first, last = span[0], span[1] + _ACTIONS_AHEAD
    found = source.actions([symbol], first, last)
    return lake.commit_actions(Answered(source.name, found, (symbol,), first, last))
