"""The historical backfill: ask for what the ledger lacks, check, commit page by page.

A job names symbols, sessions and a dataset. What is missing is packed into requests
(:mod:`agents.planning`); one request is done at once, several become the job's parts, each a short
piece of work for whoever is free. The ledger says what is there: a job may be repeated, delivered
twice and killed, and every later one asks only for what is missing then.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from agents.fetching import Count, Fetcher
from agents.planning import Estimate, Order, Part, estimate, pack
from agents.sources import Log, Source, UnknownSymbolError
from lake import Lake, instruments, sessions
from lake.actions import Answered
from lake.coverage import Interval, subtract
from lake.datasets import check_dataset

#: Told of progress: steps done, steps in all, what is going on, and figures.
Tell = Callable[[int, int, str, dict[str, Any]], None]

_ACTIONS_AHEAD = timedelta(days=30)
#: A request for corporate actions names so many symbols.
_ACTIONS_TOGETHER = 100
#: What a bar takes on the disk (docs: `make bench` prints it).
_BAR_BYTES = 32.0


@dataclass(frozen=True)
class Task:
    """What a user asks for.

    Attributes:
        symbols: Tickers.
        first: First New York session date, included.
        last: Last one, included.
        dataset: ``bars_1m``, or ``bars_daily`` for the provider's own daily bars.
        again: Ask for what was fetched before too: what the provider has changed meanwhile becomes
            the value, and what it had said a revision.
        order: Which years come first.
    """

    symbols: tuple[str, ...]
    first: date
    last: date
    dataset: str = "bars_1m"
    again: bool = False
    order: Order = "newest"


@dataclass(frozen=True)
class Planned:
    """What a job comes down to.

    Attributes:
        parts: Requests, in the order in which they are to be asked.
        unknown: Symbols that the provider does not have; no part names them.
        actions: How many corporate actions were new or changed.
        final: Whether anything that was asked for can be asked yet.
    """

    parts: list[Part]
    unknown: list[str]
    actions: int = 0
    final: bool = True


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
    task = Task((symbol,), *span, dataset=dataset)
    return _holes(lake, source, task, now)[symbol]


def look(lake: Lake | None, source: Source, task: Task, now: datetime) -> list[Part]:
    """The requests that a task would come down to now; nothing is asked.

    Args:
        lake: None where there is none yet.
    """
    ability = source.abilities
    return pack(
        _holes(lake, source, task, now),
        minutes=check_dataset(task.dataset).timeframe == "1min",
        page_bars=ability.page_bars,
        most_symbols=ability.most_symbols,
        order=task.order,
    )


def foretell(source: Source, parts: Sequence[Part], dataset: str) -> Estimate:
    """What some requests will ask and bring, told before the first one."""
    return estimate(
        parts,
        page_bars=source.abilities.page_bars,
        rate=source.budget.most(),
        minutes=check_dataset(dataset).timeframe == "1min",
        bar_bytes=_BAR_BYTES,
    )


def plan(lake: Lake, source: Source, task: Task, now: datetime) -> Planned:
    """The requests of a task, and the corporate actions that go with them.

    Corporate actions are brought at once: they adjust every bar before them.

    Raises:
        UnknownSymbolError: The provider has none of the symbols.
        RefusedError, TransientError: As the source's.
    """
    parts = look(lake, source, task, now)
    if not parts:
        return Planned([], [], final=bool(_answerable(source, task, now)))
    asked = sorted({symbol for part in parts for symbol in part.symbols})
    new = [symbol for symbol in asked if not _is_known(lake, symbol, source.name, task.dataset)]
    unknown = sorted(source.unknown(new)) if new else []
    if len(unknown) == len(asked):
        raise no_such(lake, source.name, unknown)
    if unknown:
        known = tuple(symbol for symbol in task.symbols if symbol not in unknown)
        parts = look(lake, source, _with(task, known), now)
        asked = [symbol for symbol in asked if symbol not in unknown]
    lake.prefer_source(source.name)
    actions = _bring_actions(lake, source, asked, (task.first, sessions.today(now)))
    return Planned(parts, unknown, actions)


def run(
    lake: Lake,
    source: Source,
    symbols: str | Sequence[str],
    span: tuple[date, date],
    *,
    now: datetime,
    dataset: str = "bars_1m",
    again: bool = False,
    order: Order = "newest",
    tell: Tell = lambda *_: None,
    log: Log = lambda **_: None,
    job_id: str | None = None,
) -> dict[str, Any]:
    """Bring the bars of some sessions into the lake, in this process.

    Args:
        symbols: One ticker or several.
        span: New York session dates, both included.
        now: The time (aware), for what a provider may be asked yet.
        dataset, again, order: As in :class:`Task`.
        tell: Told of progress after each commit.
        log: Takes one structured line (``stage=…``).
        job_id: Kept with quarantined bars.

    Returns:
        Counts of bars (``new corrected withdrawn unchanged quarantined``), ``pages``, ``commits``,
        and ``actions`` (new or changed corporate actions).

    Raises:
        UnknownSymbolError: The provider has no such symbol; what it has of the others is stored.
        RefusedError, TransientError: As the source's; what was committed stays.
    """
    names = (symbols,) if isinstance(symbols, str) else tuple(symbols)
    task = Task(names, *span, dataset=dataset, again=again, order=order)
    planned = plan(lake, source, task, now)
    fetcher = Fetcher(
        lake, source, dataset, again=again, log=log, job_id=job_id, asof=sessions.today(now)
    )
    fetch(fetcher, planned.parts, tell)
    count = counted(fetcher.count) | {"actions": planned.actions}
    done = max(sum(part.steps for part in planned.parts), 1)
    tell(done, done, said(planned, count), {})
    if planned.unknown:
        raise no_such(lake, source.name, planned.unknown, len(names) - len(planned.unknown))
    return count


def no_such(lake: Lake, source: str, unknown: Sequence[str], others: int = 0) -> UnknownSymbolError:
    """The error about symbols that a provider does not have; it names newer tickers that are known."""
    changes = instruments.renames(lake, source, unknown)
    newer = {change.old: change.new for change in changes if change.old in unknown}
    return UnknownSymbolError(unknown, source, others, newer)


def fetch(fetcher: Fetcher, parts: Sequence[Part], tell: Tell) -> None:
    """Bring some requests, one after another.

    Raises:
        RefusedError, TransientError: As the source's; what was committed stays.
    """
    total, before = sum(part.steps for part in parts), 0
    for part in parts:

        def told(done: float, message: str, facts: dict[str, Any], before: int = before) -> None:
            tell(before + int(done), total, message, facts)

        fetcher.fetch(part, told)
        before += part.steps


def counted(count: Count) -> dict[str, Any]:
    """Counts as a job's result has them."""
    return {name: value for name, value in asdict(count).items() if isinstance(value, int)}


def said(planned: Planned, count: dict[str, Any]) -> str:
    """What came of it, in a few words."""
    if planned.parts:
        return f"{count['new']:,} new bars"
    return "nothing is missing" if planned.final else "nothing of it is final yet"


def _holes(
    lake: Lake | None, source: Source, task: Task, now: datetime
) -> dict[str, list[Interval]]:
    """What is to be asked of each symbol."""
    parts = _answerable(source, task, now)
    if task.again or lake is None:
        return {symbol: list(parts) for symbol in task.symbols}
    held = lake.covered_many(task.symbols, source.name, dataset=task.dataset)
    return {
        symbol: [hole for part in parts for hole in subtract(part, held[symbol])]
        for symbol in task.symbols
    }


def _answerable(source: Source, task: Task, now: datetime) -> list[Interval]:
    """The sessions up to what the source can answer now: one interval, or none."""
    start = sessions.midnight(task.first)
    end = min(sessions.midnight(task.last + timedelta(days=1)), source.edge(now, task.dataset))
    return [(start, end)] if start < end else []


def _with(task: Task, symbols: tuple[str, ...]) -> Task:
    return Task(symbols, task.first, task.last, task.dataset, task.again, task.order)


def _is_known(lake: Lake, symbol: str, source: str, dataset: str) -> bool:
    return symbol in lake.listed(source, [symbol], dataset=dataset)


def _bring_actions(
    lake: Lake, source: Source, symbols: Sequence[str], span: tuple[date, date]
) -> int:
    """Splits and dividends since the first session asked for."""
    first, last = span[0], span[1] + _ACTIONS_AHEAD
    new = 0
    for begin in range(0, len(symbols), _ACTIONS_TOGETHER):
        some = symbols[begin : begin + _ACTIONS_TOGETHER]
        found = source.actions(some, first, last)
        new += lake.commit_actions(Answered(source.name, found, tuple(some), first, last))
    return new
