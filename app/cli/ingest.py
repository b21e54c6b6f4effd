"""``barlake ingest``: queue the bars of symbols, or bring them in this process."""

import socket
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

import typer

from app.cli.doors import log_quietly, opened_journal, opened_lake, settings
from app.cli.jobs import as_plain, raise_failures, show_jobs, watch, watching
from app.cli.options import AsJson, Dataset, End, Start
from app.cli.output import remark, say, show_json
from app.cli.teaching import add
from lake.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.planning import Order
    from lake.journal import Job, Journal


_SEVERAL = 1.5


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, ingest)


def ingest(
    symbols: Annotated[
        list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="Tickers, like SPY QQQ.")
    ] = None,
    *,
    start: Start = None,
    end: End = None,
    dataset: Dataset = "bars_1m",
    again: Annotated[
        bool,
        typer.Option("--again", help="Ask for what was fetched before too, for corrections."),
    ] = False,
    order: Annotated[
        str, typer.Option(help="Which years come first: newest or oldest.")
    ] = "newest",
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="More tickers: one a line, # comments."),
    ] = None,
    list_name: Annotated[
        str | None,
        typer.Option("--list", metavar="NAME", help="Who is on a list on any day of the range."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only tell how many requests, minutes, bars and bytes."),
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
    extended hours. Several symbols are one job, done in parts by all workers. What is queued or
    running already is not queued twice.

    Examples:
        barlake ingest SPY QQQ                         (queues; workers of `barlake up` fetch)
        barlake ingest SPY --start 2024-05-01 --end 2024-05-31 --wait
        barlake ingest SPY --here                      (no workers needed)
        barlake ingest --file sp500.txt --dry-run      (requests, minutes, bars, disk)
        barlake ingest --list sp500 --start 2020-01-02 (`barlake lists set` makes the list)
        barlake ingest SPY --dataset bars_daily --start 2016-01-04
    """
    from agents.queueing import check_symbols, ingest_params

    named = [*(symbols or []), *(listed_in(file) if file else [])]
    named += _members(list_name, start, end) if list_name else []
    tickers = check_symbols(named)
    ingest_params(dataset, again=again, order=order)  # refuses what there is not
    asked = _Asked(tickers, start, end, dataset, again, order)
    if dry_run:
        _foretell(asked, as_json=as_json)
        return
    with opened_journal() as journal:
        if here:
            found = _here(journal, asked)
        else:
            found = _queue(journal, asked)
            if wait:
                found = watch(journal, [job.id for job in found])
    _tell(found, as_json=as_json, over=here or wait)
    raise_failures(found)


class _Asked(NamedTuple):
    """What is wanted."""

    symbols: list[str]
    start: str | None
    end: str | None
    dataset: str
    again: bool
    order: str


def listed_in(file: Path) -> list[str]:
    """The tickers of a file: one or more a line, after ``#`` a comment.

    Raises:
        SymbolFileError: It cannot be read.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SymbolFileError(file, str(error)) from error
    return [word for line in lines for word in line.partition("#")[0].replace(",", " ").split()]


def _members(name: str, start: str | None, end: str | None) -> list[str]:
    from agents.listed import symbols_of
    from lake.errors import LakeMissingError
    from lake.lists import ListMissingError, check_list

    wanted = check_list(name)
    try:
        with opened_lake() as lake:
            return symbols_of(lake, settings(), wanted, start, end, now=datetime.now(UTC))
    except LakeMissingError:
        raise ListMissingError(wanted) from None


class SymbolFileError(InvalidError):
    """A file of symbols that cannot be read."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(file, reason)
        self.file, self.reason = file, reason

    def __str__(self) -> str:
        return f"The symbols in {self.file} cannot be read ({self.reason}). Write one a line."


def _foretell(asked: _Asked, *, as_json: bool) -> None:
    """Say what a job would ask and bring; nothing is asked, queued or made."""
    from agents import backfill
    from agents.queueing import asked_span
    from agents.sources import open_source, require_keys
    from lake.errors import LakeMissingError
    from lake.opening import open_by

    told, now = settings(), datetime.now(UTC)
    require_keys(told)
    first, last = asked_span(told, asked.start, asked.end, now=now)
    task = backfill.Task(
        tuple(asked.symbols), first, last, asked.dataset, asked.again, cast("Order", asked.order)
    )
    source = open_source(told)
    try:
        lake = open_by(told)
    except LakeMissingError:
        lake = None
    parts = backfill.look(lake, source, task, now)
    facts = asdict(backfill.foretell(source, parts, asked.dataset))
    facts = {"symbols": len(asked.symbols), "first": first, "last": last, **facts}
    if as_json:
        show_json(facts)
        return
    say(_said(facts, one_a_minute=asked.dataset == "bars_1m"))


def _said(facts: dict[str, Any], *, one_a_minute: bool) -> str:
    if not facts["parts"]:
        return "Nothing is missing: no request would be sent."
    pace = f", {_length(facts['minutes'])} at the provider's rate" if facts["minutes"] else ""
    regular = f" ({facts['regular_bars']:,} in regular hours alone)" if one_a_minute else ""
    return (
        f"{facts['symbols']:,} symbols, {facts['first']} to {facts['last']}: at most {facts['requests']:,} requests"
        f"{pace}, {facts['bars']:,} bars{regular}, {facts['bytes'] / 1e9:.2f} GB."
    )


def _length(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes >= _SEVERAL else "about a minute"


def _queue(journal: "Journal", asked: _Asked) -> "list[Job]":
    """Queue nothing unless all can be: what cannot be is refused before, and so is no broker."""
    from agents.queueing import asked_span
    from agents.sources import require_keys
    from agents.tasks import check_broker, send

    asked_span(settings(), asked.start, asked.end, now=datetime.now(UTC))
    require_keys(settings())
    check_broker()
    return [_made(journal, asked, send)]


def _made(journal: "Journal", asked: _Asked, send: "Callable[[Job], None]") -> "Job":
    from agents.queueing import queue_ingest

    job, new = queue_ingest(
        journal,
        settings(),
        asked.symbols,
        asked.start,
        asked.end,
        dataset=asked.dataset,
        again=asked.again,
        order=asked.order,
        now=datetime.now(UTC),
        send=send,
    )
    if not new:
        remark(f"{job.label} is queued or running already, as job {job.id}.")
    return job


def _here(journal: "Journal", asked: _Asked) -> "list[Job]":
    """Do the work in this thread, where an interrupt puts the job back, while another one draws."""
    name = _made(journal, asked, send=lambda _: None).id
    with watching(journal, [name]):
        _work(journal, name)
    ended = journal.job(name)
    return [ended] if ended.is_finished else watch(journal, [name])  # a live worker has it


def _work(journal: "Journal", name: str) -> None:
    """Do a job as a worker would, and its parts one after another."""
    from agents.after_ingest import name_here
    from agents.heartbeat import Pulse
    from agents.work import perform
    from agents.worker import Workshop

    agent = f"cli@{socket.gethostname()}"
    log_quietly(journal)
    shop = Workshop(agent)
    pulse = Pulse(journal, agent, "cli").start()
    try:
        perform(journal, name, shop.run, pulse=pulse, last=True)
        parts = journal.parts_of(name)
        for part in parts:
            perform(journal, part.id, shop.run, pulse=pulse, last=True)
        if parts:
            perform(journal, name, shop.run, pulse=pulse, last=True)
        name_here(journal, name, shop)
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
