"""``barlake quality``: how complete, fresh and sound the bars of each series are."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import check_past, noted, opened_journal, opened_lake
from app.cli.options import AsJson, End, Source, Start
from app.cli.output import say, show_json, show_table
from app.cli.teaching import add

if TYPE_CHECKING:
    from lake import Lake
    from lake.journal import Journal
    from lake.journal.quality import Quality

#: Sessions shown of a symbol when no range is asked for.
_SHOWN = 20

_COLUMNS = (
    "symbol", "source", "session", "fetched", "completeness", "hours behind", "requests",
    "errors", "passed", "not good enough",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, quality)


def quality(
    symbol: Annotated[
        str | None, typer.Argument(metavar="[SYMBOL]", help="One symbol by session.")
    ] = None,
    *,
    start: Start = None,
    end: End = None,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Compute and show how good the minutes are; what is not good enough raises alerts.

    Completeness: regular minutes that were fetched, at least 95 %. Hours behind: since when the
    next minute could be here, at most 24. Errors: failed requests, at most 1 %. Passed: bars that
    broke no rule, at least 99 %. Without a symbol: the newest session of each series.

    Examples:
        barlake quality
        barlake quality SPY
        barlake quality SPY --start 2024-05-01 --end 2024-05-31 --json
    """
    from lake.schema import check_symbol

    check_past(start)
    with opened_lake() as lake, opened_journal() as journal, noted("quality", symbol):
        ticker = check_symbol(symbol) if symbol else None
        span = (start, end)
        found = _one(lake, journal, ticker, source, span) if ticker else _all(lake, journal)
    if as_json:
        show_json([as_plain(one) for one in found])
    elif found:
        show_table(_COLUMNS, [_row(one) for one in found])
    else:
        say("No session of any series is over yet. `barlake ingest SYMBOL` fetches some.")


def as_plain(one: "Quality") -> dict[str, Any]:
    """One day as JSON shows it: counts, and the shares that follow."""
    shares = {name: getattr(one, name) for name in ("completeness", "error_rate", "passed")}
    return {**asdict(one), **shares, "breaches": list(one.breaches)}


def _all(lake: "Lake", journal: "Journal") -> "list[Quality]":
    from agents.quality import refresh
    from lake.journal import quality as kept

    refresh(lake, journal)
    return kept.newest(journal)


def _one(
    lake: "Lake",
    journal: "Journal",
    symbol: str,
    source: str | None,
    span: tuple[str | None, str | None],
) -> "list[Quality]":
    from agents.quality import compute
    from lake.sessions import today

    chosen = lake.source_of(symbol, source)
    first, last = (_day(moment) for moment in span)
    if first is None:
        first, last = _newest(lake, symbol, chosen, last)
    return compute(lake, journal, symbol, chosen, first, last or today(datetime.now(UTC)))


def _newest(lake: "Lake", symbol: str, source: str, last: date | None) -> tuple[date, date]:
    """The last sessions of what was fetched of a series."""
    from lake.quality import fetched
    from lake.sessions import schedule

    answers = fetched(lake).get((source, symbol), [])
    end = last or max((one.last for one in answers), default=date.max)
    begin = min((one.first for one in answers), default=end)
    days: Sequence[date] = schedule(begin, end)["session_date"].to_list()
    return (days[-_SHOWN:] or [begin])[0], end


def _day(moment: str | None) -> date | None:
    from lake.sessions import moment as parsed
    from lake.sessions import today

    found = parsed(moment)
    return today(found) if isinstance(found, datetime) else found


def _row(one: "Quality") -> list[object]:
    return [
        one.symbol,
        one.source,
        one.day.isoformat(),
        f"{one.fetched}/{one.expected}",
        _share(one.completeness),
        one.hours_behind,
        one.requests,
        _share(one.error_rate),
        _share(one.passed),
        ", ".join(one.breaches) or None,
    ]


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value * 100:.1f}%"
