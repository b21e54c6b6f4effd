"""``barlake jobs``: what is queued, running, done and failed; and watching it happen."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.doors import opened_journal
from app.cli.options import AsJson
from app.cli.output import console, rfc3339, say, show_json, show_table
from app.cli.teaching import add
from lake.errors import InvalidError, LakeError
from lake.kinds import KINDS, STATES

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from lake.journal import Job, Journal

_LOOK_EVERY = 0.3
_COLUMNS = (
    "job", "kind", "symbol", "range", "state", "progress", "speed", "left", "message",
    "since (UTC)",
)  # fmt: skip
_MINUTE, _HOUR = 60, 3600


class StateError(InvalidError):
    """A state that no job can be in."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state

    def __str__(self) -> str:
        return f"{self.state!r} is not a state of a job. Use one of {', '.join(STATES)}."


class KindError(InvalidError):
    """A kind that no job is of."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.kind!r} is not a kind of job. Use one of {', '.join(KINDS)}."


class JobsFailedError(LakeError):
    """Jobs that were waited for and failed."""

    def __init__(self, failures: Sequence[tuple[str, str]]) -> None:
        super().__init__(list(failures))
        self.failures = list(failures)

    def __str__(self) -> str:
        words = list(dict.fromkeys(error for _, error in self.failures))
        names = ", ".join(name for name, _ in self.failures)
        return f"{names} failed: {' '.join(words)}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, jobs)


def jobs(
    job_id: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="One job, with all that is known.")
    ] = None,
    *,
    state: Annotated[
        str | None, typer.Option(help=f"Only jobs that are {', '.join(STATES)}.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Only jobs of this symbol.")] = None,
    kind: Annotated[
        str | None, typer.Option(help=f"Only jobs of the kind {', '.join(KINDS)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest N jobs.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show jobs, newest first, or all about one.

    Examples:
        barlake jobs
        barlake jobs --state failed
        barlake jobs --symbol SPY --json
    """
    if state is not None and state not in STATES:
        raise StateError(state)
    if kind is not None and kind not in KINDS:
        raise KindError(kind)
    ticker = _ticker(symbol) if symbol else None
    with opened_journal() as journal:
        if job_id is not None:
            _show_one(journal.job(job_id), as_json=as_json)
            return
        found = journal.jobs(state=state, kind=kind, symbol=ticker, limit=limit)
    if as_json:
        show_json([as_plain(job) for job in found])
    elif found:
        show_jobs(found)
    else:
        say("No such jobs. `barlake ingest SYMBOL` queues one.")


def _ticker(symbol: str) -> str:
    from lake.schema import check_symbol

    return check_symbol(symbol)


def show_jobs(found: "Sequence[Job]") -> None:
    """A table with one line for each job."""
    show_table(_COLUMNS, [_row(job) for job in found])


def as_plain(job: "Job") -> dict[str, Any]:
    """A job as JSON shows it, with its outlook; absent values are null."""
    from lake.journal.outlook import outlook

    facts = asdict(job)
    del facts["rates"]
    return facts | {"outlook": asdict(outlook(job, datetime.now(UTC)))}


def watch(
    journal: "Journal", names: "Sequence[str]", *, alive: Callable[[], bool] = lambda: True
) -> "list[Job]":
    """Show a progress bar for jobs until all are over, or until ``alive`` says no.

    Returns:
        The jobs as they ended, in the given order.
    """
    with _bars() as progress:
        lines: dict[str, TaskID] = {}
        while True:
            going = alive()  # asked before looking, so that the last look sees the end
            found = [journal.job(name) for name in names]
            for job in found:
                _advance(progress, lines, job)
            if all(job.is_finished for job in found) or not going:
                return found
            time.sleep(_LOOK_EVERY)


@contextmanager
def watching(journal: "Journal", names: "Sequence[str]") -> Iterator[None]:
    """Show the progress bar of jobs from another thread, for as long as the block works on them."""
    over = threading.Event()

    def draw() -> None:
        with suppress(LakeError):  # a journal that is busy costs a picture, not the work
            watch(journal, names, alive=lambda: not over.is_set())

    thread = threading.Thread(target=draw, name="progress")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def raise_failures(found: "Sequence[Job]") -> None:
    """Say what failed, if anything did.

    Raises:
        JobsFailedError: At least one job failed.
    """
    failures = [
        (f"{job.kind} {job.label}".strip(), job.error or "no reason was kept")
        for job in found
        if job.state == "failed"
    ]
    if failures:
        raise JobsFailedError(failures)


def _bars() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[percent]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}"),
        TextColumn("{task.fields[message]}"),
        console=Console(stderr=True),
    )


def _advance(progress: "Progress", lines: "dict[str, TaskID]", job: "Job") -> None:
    if job.id not in lines:
        lines[job.id] = progress.add_task(
            f"{job.label} {job.kind}", total=None, message="", percent="", pace=""
        )
    done, total = job.done or 0, job.total or None
    if job.state == "done":
        done = total = total or done or 1
    words = job.state if job.state in {"queued", "failed"} else (job.message or job.state)
    percent, speed, left, budget = _pace(job)
    pace = ", ".join(filter(None, (speed, left and f"{left} left", budget)))
    progress.update(
        lines[job.id], completed=done, total=total, message=words, percent=percent, pace=pace
    )


def _pace(job: "Job") -> tuple[str, str, str, str]:
    """How a job goes, in words, each empty where it is not known: percent, speed, time left, budget."""
    from lake.journal.outlook import outlook

    found = outlook(job, datetime.now(UTC))
    return (
        "" if found.percent is None else f"{found.percent:.0f}%",
        "" if found.bars_per_second is None else f"{found.bars_per_second:,.0f} bars/s",
        "" if found.seconds_left is None else _length(found.seconds_left),
        "" if found.budget_left is None else f"{found.budget_left:,} requests allowed now",
    )


def _length(seconds: float) -> str:
    """A length of time in one unit.

    >>> _length(3.2), _length(240), _length(7300)
    ('3 s', '4 min', '2.0 h')
    """
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < _HOUR else f"{seconds / _HOUR:.1f} h"


def _row(job: "Job") -> list[object]:
    percent, speed, left, _ = _pace(job)
    steps = f"{job.done or 0}/{job.total}" if job.total else "-"
    steps += f" {percent}" if job.total and not job.is_finished else ""
    words = job.error if job.state == "failed" else job.message
    moment = job.finished_at or job.started_at or job.created_at
    span = f"{job.first} to {job.last}" if job.first else "-"
    return [
        job.id,
        _what(job),
        job.label,
        span,
        job.state,
        steps,
        speed or None,
        left or None,
        words,
        _ago(moment),
    ]


def _what(job: "Job") -> str:
    """The kind of a job, with its dataset where that is not the usual one."""
    return " ".join(filter(None, (job.kind, job.params.get("dataset"))))


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return "-"
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return rfc3339(moment.replace(microsecond=0))


def _show_one(job: "Job", *, as_json: bool) -> None:
    if as_json:
        show_json(as_plain(job))
        return
    from rich.markup import escape

    from app.cli.output import text

    facts = as_plain(job)
    facts |= {name.replace("_", " "): value for name, value in facts.pop("outlook").items()}
    facts["symbol"] = job.symbol or facts["symbol"]
    for name, value in facts.items():
        console().print(f"[bold]{name:15}[/bold] {escape(text(value))}")
