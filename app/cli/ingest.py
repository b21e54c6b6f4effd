"""``barlake ingest``: queue the bars of symbols, or bring them in this process."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import opened_journal, opened_lake, settings
from app.cli.jobs import as_plain, raise_failures, show_jobs, watch
from app.cli.options import AsJson, End, Start, Symbols
from app.cli.output import remark, say, show_json
from app.cli.teaching import add

if TYPE_CHECKING:
    from collections.abc import Callable

    from lake.journal import Job, Journal


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, ingest)


def ingest(
    symbols: Symbols,
    *,
    start: Start = None,
    end: End = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until the bars are in the lake.")
    ] = False,
    here: Annotated[
        bool, typer.Option("--here", help="Fetch in this process: no broker, no workers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring 1-minute bars into the lake.

    What is there already is not fetched again. Without dates:
    whatever is missing of the last BARLAKE_HISTORY (two years). What is queued or
    running already is not queued twice.

    Examples:
        barlake ingest SPY QQQ                         (queues; workers of `barlake up` fetch)
        barlake ingest SPY --start 2024-05-01 --end 2024-05-31 --wait
        barlake ingest SPY --here                      (no workers needed)
    """
    from lake.schema import check_symbol

    tickers = list(dict.fromkeys(check_symbol(symbol) for symbol in symbols))
    journal = opened_journal()
    if here:
        found = _here(journal, tickers, start, end)
    else:
        found = _queue(journal, tickers, start, end)
        if wait:
            found = watch(journal, [job.id for job in found])
    _tell(found, as_json=as_json, over=here or wait)
    raise_failures(found)


def _queue(
    journal: "Journal", tickers: Sequence[str], start: str | None, end: str | None
) -> "list[Job]":
    from agents.tasks import send

    return _made(journal, tickers, start, end, send)


def _made(
    journal: "Journal",
    tickers: Sequence[str],
    start: str | None,
    end: str | None,
    send: "Callable[[Job], None]",
) -> "list[Job]":
    from agents.queueing import queue_ingest

    now = datetime.now(UTC)
    found = []
    for ticker in tickers:
        job, new = queue_ingest(journal, settings(), ticker, start, end, now=now, send=send)
        found.append(job)
        if not new:
            remark(f"{ticker} is queued or running already, as job {job.id}.")
    return found


def _here(
    journal: "Journal", tickers: Sequence[str], start: str | None, end: str | None
) -> "list[Job]":
    """Work in a thread, so that this one can draw; an interrupt leaves whole commits only."""
    found = _made(journal, tickers, start, end, send=lambda _: None)
    names = [job.id for job in found]
    failures: list[BaseException] = []
    worker = threading.Thread(
        target=_fetch_all, args=(journal, names, failures), daemon=True, name="ingest"
    )
    worker.start()
    ended = watch(journal, names, alive=worker.is_alive)
    worker.join()
    if failures:
        raise failures[0]
    return ended


def _fetch_all(journal: "Journal", names: Sequence[str], failures: list[BaseException]) -> None:
    from agents.sources import open_source

    try:
        with opened_lake(create=True) as lake:
            source = open_source(settings())
            for name in names:
                _fetch(lake, source, journal, name)
    except BaseException as error:
        failures.append(error)


def _tell(found: "Sequence[Job]", *, as_json: bool, over: bool) -> None:
    if as_json:
        show_json([as_plain(job) for job in found])
        return
    show_jobs(found)
    if not over:
        say("`barlake jobs` shows how far they are; --wait would have waited.")
