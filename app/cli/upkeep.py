"""``barlake upkeep`` and ``barlake delete``: fewer files, less disk, and a symbol that goes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import noted, opened_lake, settings
from app.cli.options import AsJson, Symbol
from app.cli.output import OutputError, counted, say, show_json, show_table
from app.cli.teaching import add

if TYPE_CHECKING:
    from lake.upkeep import Report

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count what would be done.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, upkeep)
    add(app, delete)


def upkeep(
    *,
    dry_run: DryRun = False,
    keep_days: Annotated[
        int | None,
        typer.Option(min=0, max=36500, help="Snapshots younger than this stay; default: settings."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP",
            help="retire, live, rewrite, merge, expire, cleanup or orphans; may be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Do a round of upkeep now, in this process.

    Moves live bars of past sessions, merges small files, forgets old snapshots but for pinned
    ones, deletes files nobody needs, and bars that BARLAKE_RETENTION no longer keeps; without --only
    it brings the mirror in BARLAKE_MIRROR up to date. Safe beside agents and readers, harmless to
    interrupt and to repeat. Workers do the same every night.

    Examples:
        barlake upkeep --dry-run
        barlake upkeep
        barlake upkeep --only merge --only expire --keep-days 1
    """
    from agents.upkeep import do_round, plan
    from lake.upkeep import run

    planned = plan(settings(), datetime.now(UTC))
    planned = replace(planned, only=tuple(only) if only else None)
    if keep_days is not None:
        planned = replace(planned, keep=timedelta(days=keep_days))
    with opened_lake() as lake, _telling() as tell:
        if dry_run:
            report, mirrored = run(lake, planned, dry_run=True, tell=tell), None
        else:
            with noted("upkeep") as facts:
                report, mirrored = do_round(lake, planned, settings().mirror, tell=tell)
                facts.update(report.did)
    if as_json:
        plain = asdict(mirrored) if mirrored else None
        show_json(report.facts | {"dry_run": dry_run, "mirror": plain})
    else:
        _show(report, dry_run=dry_run)
        if mirrored is not None:
            changed = counted(mirrored.written + mirrored.removed, "file")
            say(f"The mirror {settings().mirror} is up to date: {changed} changed.")


def delete(
    symbol: Symbol,
    *,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only what this source has; default: every source."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete a symbol from the lake.

    Its bars, live and daily ones too, with revisions, coverage and quarantine. Pinned snapshots,
    features and models stay as they are; upkeep frees the disk once the snapshots have expired.

    Examples:
        barlake delete TSLA --dry-run
        barlake delete TSLA --source sandbox:iex --yes
    """
    from lake.upkeep import delete_symbol

    with opened_lake() as lake:
        would = delete_symbol(lake, symbol, source, dry_run=True)
        if not (dry_run or yes):
            _ask(f"Delete {_words(would)} of {symbol.upper()}?")
        gone = would
        if not dry_run:
            with noted("delete", symbol.upper()) as facts:
                gone = delete_symbol(lake, symbol, source)
                facts.update(gone)
    if as_json:
        show_json(gone | {"dry_run": dry_run})
    else:
        say(f"{'Would delete' if dry_run else 'Deleted'} {_words(gone)} of {symbol.upper()}.")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        problem = "Nothing was deleted: add --yes to delete, or --dry-run to see what would go."
        raise OutputError(problem)
    typer.confirm(question, abort=True, err=True)


def _words(gone: dict[str, int]) -> str:
    nouns = {
        "bars": "bar",
        "revisions": "revision",
        "coverage": "fetched interval",
        "quarantine": "bar in quarantine",
        "series": "series",
        "scans": "scanned session",
        "corporate_actions": "corporate action",
    }
    told = [
        f"{count:,} series" if name == "series" else counted(count, nouns[name])
        for name, count in gone.items()
        if count
    ]
    return ", ".join(told).replace("bar in quarantines", "bars in quarantine") or "nothing"


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """How far it is, on a terminal's stderr."""
    from rich.console import Console

    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield lambda _: None
        return
    with screen.status("upkeep") as status:
        yield status.update


def _show(report: "Report", *, dry_run: bool) -> None:
    rows = [
        (
            step.name,
            ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in step.did.items()),
            step.transactions,
            step.gate_seconds,
            step.longest_gate_seconds,
        )
        for step in report.steps
    ]
    columns = ("step", "would do" if dry_run else "did", "transactions", "gate (s)", "longest (s)")
    show_table(columns, rows)
    if not dry_run:
        say(
            f"\nThe gate was held for {report.gate_seconds:.2f} s in "
            f"{counted(report.transactions, 'transaction')}, at most {report.longest_gate_seconds:.3f} s at once."
        )
