"""``barlake verify``: whether the lake keeps its promises, and mending what does not."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.doors import noted, opened_lake
from app.cli.options import AnySymbols, AsJson
from app.cli.output import OutputError, counted, say, show_json, size
from app.cli.teaching import add

if TYPE_CHECKING:
    from lake.verify import Repaired, Report

WRONG = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, verify)


def verify(
    symbols: AnySymbols = None,
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended safely, and check again.")
    ] = False,
    backup: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --repair: a backup to take files from.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check every promise of the lake, at rest or in use.

    Files against the catalog, row counts, bounds and sort order, keys, rules and flags of bars,
    revisions, coverage, models. Exit code 0: all is right; 1: each finding is a line.

    Examples:
        barlake verify
        barlake verify SPY QQQ --json
        barlake verify --repair --backup /mnt/backup
    """
    from lake import verify as verification

    if backup is not None and not repair:
        problem = "--backup says where --repair takes files from. Add --repair."
        raise OutputError(problem)
    with opened_lake() as lake:
        report, repaired = verification.verify(lake, symbols), None
        if repair and not report.right:
            with noted("repair") as facts:
                repaired = verification.repair(lake, report, backup)
                facts.update(asdict(repaired))
            report = verification.verify(lake, symbols)
    if as_json:
        show_json(_plain(report, repaired))
    else:
        _show(report, repaired)
    return 0 if report.right else WRONG


def _plain(report: "Report", repaired: "Repaired | None") -> dict[str, object]:
    findings = [
        {"kind": one.kind, "place": one.place, "sentence": one.sentence} for one in report.findings
    ]
    facts = {name: value for name, value in vars(report).items() if name != "findings"}
    return {
        "right": report.right,
        "findings": findings,
        **facts,
        "repaired": asdict(repaired) if repaired else None,
    }


def _show(report: "Report", repaired: "Repaired | None") -> None:
    if repaired is not None:
        for name in repaired.restored:
            say(f"{name} is back from the backup.")
        for sentence in repaired.unfetched:
            say(sentence)
    for finding in report.findings:
        say(finding.sentence)
    looked = (
        f"{counted(report.files, 'file')} ({size(report.bytes)}) and {counted(report.bars, 'bar')} "
        f"of {report.series:,} series in {report.seconds:.1f} s"
    )
    verdict = "All is right" if report.right else counted(len(report.findings), "finding")
    say(f"{verdict}: {looked}.")
