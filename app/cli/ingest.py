"""``barlake ingest``: queue the bars of symbols, or bring them in this process."""

import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from app.cli.doors import log_quietly, opened_journal, settings
from app.cli.jobs import as_plain, raise_failures, show_jobs, watch, watching
from app.cli.options import AsJson, Dataset, End, Start, Symbols
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
    dataset: Dataset = "bars_1m",
    again: Annotated[
        bool,
        typer.Option("--again", help="Ask for what was fetched before too, for corrections."),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until the bars are in the lake.")
    ] = False,
    here: Annotated[
        bool, typer.Option("--here", help="Fetch in this process: no broker, no workers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring bars into the lake: 1-minute bars, or the provider's own daily ones.

    What is there already is not fetched again, unless --again asks for it: what the provider
    has corrected is then stored, and its old values kept as revisions. Without dates:
    whatever is missing of the last BARLAKE_HISTORY (two years). A day's bar is final after its
    extended hours. What is queued or running already is not queued twice.

    Examples:
        barlake ingest SPY QQQ                         (queues; workers of `barlake up` fetch)
        barlake ingest SPY --start 2024-05-01 --end 2024-05-31 --wait
        barlake ingest SPY --here                      (no workers needed)
        barlake ingest SPY --dataset bars_daily --start 2016-01-04
    """
    from lake.datasets import check_dataset
    from lake.schema import check_symbol

    asked = _Asked(start, end, check_dataset(dataset).name, again)
    tickers = list(dict.fromkeys(check_symbol(symbol) for symbol in symbols))
    with opened_journal() as journal:
        if here:
            found = _here(journal, tickers, asked)
        else:
            found = _queue(journal, tickers, asked)
            if wait:
                found = watch(journal, [job.id for job in found])
    _tell(found, as_json=as_json, over=here or wait)
    raise_failures(found)


class _Asked(NamedTuple):
    """What is wanted of every symbol."""

    start: str | None
    end: str | None
    dataset: str
    again: bool


def _queue(journal: "Journal", tickers: Sequence[str], asked: _Asked) -> "list[Job]":
    """Queue nothing unless all can be: what cannot be is refused before, and so is no broker."""
    from agents.queueing import span
    from agents.sources import require_keys
    from agents.tasks import check_broker, send

    span(settings().history, asked.start, asked.end, now=datetime.now(UTC))
    require_keys(settings())
    check_broker()
    return _made(journal, tickers, asked, send)


def _made(
    journal: "Journal",
    tickers: Sequence[str],
    asked: _Asked,
    send: "Callable[[Job], None]",
) -> "list[Job]":
    from agents.queueing import queue_ingest

    found = []
    for ticker in tickers:
        job, new = queue_ingest(
            journal,
            settings(),
            ticker,
            asked.start,
            asked.end,
            dataset=asked.dataset,
            again=asked.again,
            now=datetime.now(UTC),
            send=send,
        )
        found.append(job)
        if not new:
            remark(f"{ticker} is queued or running already, as job {job.id}.")
    return found


def _here(journal: "Journal", tickers: Sequence[str], asked: _Asked) -> "list[Job]":
    """Do the work in this thread, where an interrupt puts the job back, while another one draws."""
    found = _made(journal, tickers, asked, send=lambda _: None)
    names = [job.id for job in found]
    with watching(journal, names):
        _work(journal, names)
    ended = [journal.job(name) for name in names]
    if all(job.is_finished for job in ended):
        return ended
    return watch(journal, names)  # a live worker has one of them


def _work(journal: "Journal", names: Sequence[str]) -> None:
    """Do jobs one after another, as a worker would."""
    from agents.heartbeat import Pulse
    from agents.work import perform
    from agents.worker import Workshop

    agent = f"cli@{socket.gethostname()}"
    log_quietly(journal)
    shop = Workshop(agent)
    pulse = Pulse(journal, agent, "cli").start()
    try:
        for name in names:
            perform(journal, name, shop.run, pulse=pulse, last=True)
    finally:
        pulse.stop()


def _tell(found: "Sequence[Job]", *, as_json: bool, over: bool) -> None:
    if as_json:
        show_json([as_plain(job) for job in found])
        return
    if any(job.state != "failed" for job in found):
        show_jobs(found)
    if not over:
        say("`barlake jobs` shows how far they are; --wait would have waited.")
