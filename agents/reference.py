"""What is read beside bars, on a schedule: corporate actions, the list of papers, the calendar.

A provider books actions late and changes what it booked, so each round reads a trailing window by
process date again, and the whole history once a week; every page of it. All of it is kept with what
was known when, and is harmless to repeat.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from agents.renaming import Renames
from agents.sources import Log, ProviderRefusedError, Source
from lake import Lake, calendars, instruments, known, sessions
from lake.actions import Answered, provider_of
from lake.errors import RefusedError
from lake.journal import Journal, alerts

#: Called as it goes: steps done, steps in all, what is going on.
Tell = Callable[[int, int, str], None]

#: Days of process dates that every round reads again: what comes late, and what is announced.
LATE, AHEAD = timedelta(days=90), timedelta(days=30)
#: How old a read of the whole history may be.
WHOLE = timedelta(days=7)
#: A request for corporate actions names so many symbols.
_TOGETHER = 100
#: A request that a symbol spoils is refused like this: the others are asked for without it.
_SPOILT = (400, 404, 422)
_SHOWN = 5
_CLOCKS_AGREE = timedelta(minutes=1)
#: Where histories begin whose source does not say.
_FIRST = sessions.FIRST_SESSION


def present(source: Source, now: datetime) -> datetime:
    """Now, or the provider's own clock where that is behind: it has booked nothing later."""
    there = source.present()
    return there if there is not None and there < now - _CLOCKS_AGREE else now


def read_actions(
    lake: Lake,
    source: Source,
    *,
    now: datetime,
    symbols: Sequence[str] = (),
    whole: bool | None = None,
    tell: Tell = lambda *_: None,
    log: Log = lambda **_: None,
) -> dict[str, Any]:
    """Read corporate actions of all series of a source, and keep what is new, changed or gone.

    Args:
        lake: To read and to write.
        source: Whom to ask.
        now: The time (aware).
        symbols: Only of these; none: of every series, under the earlier tickers of their papers too.
        whole: The whole history; None: once a week, else the last 90 days and 30 ahead.
        tell: Told of progress in symbols.
        log: Takes one structured line (``stage=actions``) at the end.

    Returns:
        ``symbols`` asked for, ``found`` actions, ``changed`` ones (new, changed or withdrawn), and
        ``first`` and ``last`` process date.

    Raises:
        RefusedError, TransientError: As the source's; what was committed stays.
    """
    provider, today = provider_of(source.name), sessions.today(now)
    since = source.abilities.since or _FIRST
    if whole is None:
        read = known.newest_read(lake, provider, "actions", since)
        whole = read is None or read - AHEAD <= today - WHOLE
    first, last = since if whole else today - LATE, today + AHEAD
    asked = sorted(set(symbols)) or _every(lake, source.name)
    found, changed = _bring(lake, source, asked, (first, last), tell, log)
    if asked and not symbols:
        with lake.writing() as transaction:
            read_now = ("actions", first, last, found)
            run = transaction.connection
            known.note(run, provider, read_now, changed, transaction.recorded_at)
    facts = {"symbols": len(asked), "found": found, "changed": changed}
    log(stage="actions", first=first.isoformat(), last=last.isoformat(), **facts)
    return facts | {"first": first.isoformat(), "last": last.isoformat()}


def _bring(
    lake: Lake, source: Source, asked: Sequence[str], span: tuple[date, date], tell: Tell, log: Log
) -> tuple[int, int]:
    """Read the actions of some symbols; how many there are, and how many are news."""
    packs = [asked[begin : begin + _TOGETHER] for begin in range(0, len(asked), _TOGETHER)]
    found = changed = done = 0
    while packs:
        some = tuple(packs.pop(0))
        try:
            told = source.actions(some, *span)
        except ProviderRefusedError as error:
            if error.status not in _SPOILT:
                raise
            middle = len(some) // 2
            packs[:0] = [[*some[:middle]], [*some[middle:]]] if middle else []
            if not middle:
                done += 1
                log(stage="actions", level="warning", symbol=some[0], reason=str(error))
            continue
        changed += lake.commit_actions(Answered(source.name, told, some, *span))
        found, done = found + told.height, done + len(some)
        tell(done, len(asked), f"{found:,} corporate actions")
    return found, changed


def read_instruments(
    lake: Lake,
    source: Source,
    journal: Journal,
    *,
    now: datetime,
    tell: Tell = lambda *_: None,
    log: Log = lambda **_: None,
    job_id: str | None = None,
) -> dict[str, Any]:
    """Read the list of papers and the calendar, and bring the bars of renamed papers together.

    Args:
        lake: To read and to write.
        source: Whom to ask.
        journal: For alerts.
        now: The time (aware).
        tell: Told of progress.
        log: Takes structured lines (``stage=instruments``, ``calendar``, ``renames``).
        job_id: Kept with quarantined bars.

    Returns:
        ``papers`` listed, rows ``changed``, ``calendar`` differences, and what
        :meth:`agents.renaming.Renames.follow` tells.

    Raises:
        RefusedError, TransientError: As the source's; what was committed stays.
    """
    today = sessions.today(now)
    tell(0, 3, "reading the list of papers")
    listed = source.assets()
    changed = instruments.commit_assets(lake, source.name, listed, today)
    log(stage="instruments", papers=listed.height, changed=changed)
    _judge_list(journal, source.name, listed.height, believed=changed is not None)
    tell(1, 3, "comparing the calendar")
    differing = compare_calendar(lake, source, journal, today=today, log=log)
    tell(2, 3, "bringing renamed papers together")
    mine = instruments.fetched(lake, source.name)
    if earlier := [change.old for change in instruments.renames(lake, source.name, mine)]:
        read_actions(lake, source, now=now, symbols=earlier, whole=True, log=log)
    moved = Renames(lake, source, now, journal=journal, log=log, job_id=job_id).follow()
    tell(3, 3, f"{listed.height:,} papers, {changed or 0:,} news")
    facts = {"papers": listed.height, "changed": changed or 0, "calendar": differing}
    return facts | moved


def compare_calendar(
    lake: Lake,
    source: Source,
    journal: Journal,
    *,
    today: date,
    log: Log = lambda **_: None,
) -> int | None:
    """Compare the provider's sessions with ours from the first stored day to a month ahead.

    What differs is kept, logged, and an alert of the kind ``calendar`` until nothing does. Our
    calendar stays as it is.

    Returns:
        How many differences there are; None where there is nothing to compare.
    """
    span = calendars.stored_span(lake, source.name)
    first, last = span[0] if span else today, today + AHEAD
    try:
        theirs = source.calendar(first, last)
    except RefusedError as error:
        log(stage="calendar", level="warning", reason=str(error))
        return None
    if theirs.is_empty():
        log(stage="calendar", level="warning", reason="the provider lists no session")
        return None
    found = calendars.commit_calendar(lake, source.name, theirs, first, last)
    provider = provider_of(source.name)
    if found.is_empty():
        alerts.settle(journal, "calendar", provider)
        log(stage="calendar", first=first.isoformat(), last=last.isoformat(), differences=0)
        return 0
    rows = [{name: str(value) for name, value in row.items()} for row in found.to_dicts()]
    shown = ", ".join(f"{row['session_date']} {row['field']}" for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    message = (
        f"The calendar of {provider} is not ours ({shown}{more}). Nothing was changed; "
        "`barlake instruments calendar` shows both."
    )
    alerts.raise_alert(journal, "calendar", provider, message, {"differences": rows[:100]})
    log(stage="calendar", level="warning", differences=len(rows), message=message)
    return len(rows)


def _judge_list(journal: Journal, source: str, papers: int, *, believed: bool) -> None:
    provider = provider_of(source)
    if believed:
        alerts.settle(journal, "instruments", provider)
        return
    message = (
        f"The list of papers of {provider} has {papers:,} and lacks more than half of those it had; "
        "it was not believed, and nothing was changed. It is read again tomorrow."
    )
    alerts.raise_alert(journal, "instruments", provider, message, {"papers": papers})


def _every(lake: Lake, source: str) -> list[str]:
    """Every symbol that was fetched or asked for, and what their papers were called before."""
    symbols = instruments.fetched(lake, source)
    held = instruments.instruments(lake, source, symbols)
    return sorted({*symbols, *held["symbol"]})
