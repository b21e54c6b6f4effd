"""``barlake gaps``: every regular minute that has no bar, and which of five reasons it has."""

import socket
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import check_past, log_quietly, opened_journal, opened_lake, settings
from app.cli.options import AnySymbols, AsJson, Dataset, End, Source, Start
from app.cli.output import counted, remark, say, show_frame, show_json, show_table
from app.cli.teaching import add

if TYPE_CHECKING:
    from lake import Lake
    from lake.gap_scan import Scan

SHOWN = 20
_MEANING = {
    "not_fetched": "no fetch has brought it: `barlake ingest` does",
    "halted": "trading was halted",
    "missing_at_provider": "the provider lacks it: too liquid a symbol for nobody to have traded",
    "no_trade": "asked for twice and still absent: nobody made an eligible trade",
    "unconfirmed": "absent in one answer so far; `barlake gaps --refetch` asks again",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, gaps)


def gaps(
    symbols: AnySymbols = None,
    *,
    start: Start = None,
    end: End = None,
    source: Source = None,
    dataset: Dataset = "bars_1m",
    scan: Annotated[
        bool, typer.Option("--scan", help="Keep what is found, for SQL: `FROM absences`.")
    ] = False,
    refetch: Annotated[
        bool, typer.Option("--refetch", help="Scan, and ask the provider for what may still come.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Name every regular minute without a bar: why it is absent; of bars_daily whole sessions.

    Each minute of a session is present, or absent in one of five classes: not_fetched, halted,
    missing_at_provider, no_trade (asked for twice, minutes apart), or unconfirmed (asked for once).
    The nightly job scans every series and asks again for what may still come: after minutes, a
    day and a week, then never more. --refetch does a round of it now, in this process.

    Examples:
        barlake gaps SPY
        barlake gaps SPY --start 2024-05-01 --end 2024-05-31 --json
        barlake gaps --scan
        barlake gaps SPY QQQ --refetch
    """
    check_past(start)
    tickers = [symbol.upper() for symbol in symbols or []]
    if refetch:
        _refetch(tickers, dataset, as_json=as_json)
        return
    with opened_lake() as lake:
        found = _look(lake, tickers, source, dataset, (start, end))
        kept = _keep(lake, found) if scan else None
    if as_json:
        told = [_facts(one) for one in found]
        show_json(told[0] if len(tickers) == 1 else told)
    elif len(tickers) == 1:
        _show_one(found[0])
    elif found:
        _show_many(found)
    else:
        say("Nothing was fetched yet: `barlake ingest SYMBOL` does.")
    if kept is not None:
        remark(f"{counted(kept, 'session')} with news kept; `FROM absences` shows them.")


def _look(
    lake: "Lake",
    tickers: list[str],
    source: str | None,
    dataset: str,
    ends: tuple[str | None, str | None],
) -> "list[Scan]":
    from agents.gaps import series
    from lake.errors import BarsMissingError
    from lake.gap_scan import scan

    if tickers:
        wanted: dict[str, list[str]] = {}
        for ticker in tickers:
            wanted.setdefault(lake.source_of(ticker, source, dataset=dataset), []).append(ticker)
    else:
        wanted = series(lake, dataset, source)
    found = [
        one
        for name, names in wanted.items()
        for one in scan(lake, names, name, dataset=dataset, start=ends[0], end=ends[1])
    ]
    for ticker in tickers:  # bars without a fetch, like a live agent's, and no range to ask about
        if all(one.symbol != ticker for one in found):
            raise BarsMissingError(ticker, source, dataset)
    return found


def _keep(lake: "Lake", found: "list[Scan]") -> int:
    from agents.missing import judge
    from lake.gap_memory import store

    kept = store(lake, [one.fresh(lake.now) for one in found])
    if found:
        with opened_journal() as journal:
            judge(lake, journal, {one.symbol for one in found})
    return kept


def _refetch(tickers: list[str], dataset: str, *, as_json: bool) -> None:
    """A job of its own, done in this process: it takes part in the rate budget and in `barlake jobs`."""
    from agents.heartbeat import Pulse
    from agents.sources import require_keys
    from agents.work import perform
    from agents.worker import Workshop
    from app.cli.jobs import raise_failures

    require_keys(settings())
    agent = f"cli@{socket.gethostname()}"
    with opened_journal() as journal:
        log_quietly(journal)
        params = {"symbols": sorted(set(tickers)), "datasets": [dataset]}
        job, _ = journal.queue("gaps", settings().source, "", params=params)
        pulse = Pulse(journal, agent, "cli").start()
        try:
            perform(journal, job.id, Workshop(agent).run, pulse=pulse, last=True)
        finally:
            pulse.stop()
        job = journal.job(job.id)
        raise_failures([job])
    told = job.result or {}
    if not told:
        remark(f"A worker has job {job.id} in hand; `barlake jobs {job.id}` shows how it goes.")
        return
    if as_json:
        show_json(told)
        return
    say(
        f"Scanned {told['series']:,} series; asked again for {counted(told['asked'], 'session')}: "
        f"{counted(told['new'], 'new bar')}, {told['corrected']:,} corrected, {told['refused']:,} refused."
    )


def _facts(one: "Scan") -> dict[str, Any]:
    dataset, source, symbol = one.key
    return {
        "symbol": symbol,
        "source": source,
        "dataset": dataset,
        "minutes": one.minutes,
        "sessions": one.counts.to_dicts(),
        "holes": one.holes_told.to_dicts(),
    }


def _show_one(one: "Scan") -> None:
    from lake.absences import CLASSES

    dataset, source, symbol = one.key
    noun = "session" if dataset == "bars_daily" else "minute"
    told = one.minutes
    say(
        f"\n{symbol} from {source}: {counted(told['expected'], noun)} expected in "
        f"{counted(one.counts.height, 'session')}, {told['present']:,} present."
    )
    absent = told["expected"] - told["present"]
    if not absent:
        say("None is absent.")
        return
    show_table(
        ("class", f"{noun}s", "meaning"),
        [(name, told[name], _MEANING[name]) for name in CLASSES if told[name]],
        title=f"Absent: {counted(absent, noun)}",
    )
    show_frame(one.holes_told.drop("session_date"), title="Holes (UTC, end outside)", most=SHOWN)


def _show_many(found: "list[Scan]") -> None:
    from lake.absences import CLASSES

    names = ("expected", "present", *CLASSES)
    show_table(
        ("symbol", "source", *names),
        [(one.symbol, one.key[1], *(one.minutes[name] for name in names)) for one in found],
        title="Regular minutes by what they are",
    )
