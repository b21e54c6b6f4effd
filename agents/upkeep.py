"""Upkeep as a job: a round of the lake's own upkeep with progress, and old log lines go."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lake import Lake
from lake.export import Exported, refresh_mirror
from lake.journal import Job, Journal
from lake.settings import Settings
from lake.upkeep import STEPS, Plan, Report, parse_rules
from lake.upkeep import run as run_round

_LOGS_KEPT = timedelta(days=30)


def plan(settings: Settings, now: datetime) -> Plan:
    """What a round is to do by the settings: how long snapshots and raw bars are kept."""
    return Plan(
        now=now,
        keep=timedelta(days=settings.snapshots_kept),
        rules=parse_rules(settings.retention),
    )


def do_round(
    lake: Lake, planned: Plan, mirror: Path | None, *, tell: Callable[[str], None] = lambda _: None
) -> tuple[Report, Exported | None]:
    """Do a round of upkeep and bring the mirror up to date, whoever asks for it.

    Args:
        lake: Of the home.
        planned: What to do; the mirror stays as it is where only some steps are asked for.
        mirror: Its folder; None for none.
        tell: Hears in a few words how far it is.

    Raises:
        GateBusyError: Another process held the commit gate too long; what was done stays.
        ExportFolderError: The mirror cannot be written; all else is done.
    """
    report = run_round(lake, planned, tell=tell)
    if planned.only is not None or mirror is None:
        return report, None
    tell("bringing the mirror up to date")
    return report, refresh_mirror(lake, mirror)


def run(
    lake: Lake, journal: Journal, job: Job, planned: Plan, *, mirror: Path | None = None
) -> dict[str, Any]:
    """Do a round of upkeep and tell the job how far it is; forget old log lines; bring the mirror up to date.

    Each step is a row of short transactions behind the commit gate, so that writers wait for one
    of them at most. Killed or repeated, it goes on where it was.

    Returns:
        ``steps`` (what each did, how often and how long it held the gate), ``transactions``,
        ``gate_seconds``, ``longest_gate_seconds``, ``log_lines_forgotten``, and what the ``mirror`` took (None without).

    Raises:
        GateBusyError: Another process held the commit gate too long; what was done stays.
        ExportFolderError: The mirror cannot be written; all else is done.
    """
    begun: list[str] = []

    def tell(message: str) -> None:
        if message in STEPS:
            begun.append(message)
        journal.progress(job.id, len(begun), len(STEPS) + 1, message)

    forgotten = journal.prune(older_than=_LOGS_KEPT)
    report, mirrored = do_round(lake, planned, mirror, tell=tell)
    journal.progress(job.id, 1, 1, summary(report))
    return report.facts | {
        "log_lines_forgotten": forgotten,
        "mirror": asdict(mirrored) if mirrored else None,
    }


def summary(report: Report) -> str:
    """What a round did, in one line: only what it did something about.

    >>> summary(Report(()))
    'nothing to do'
    """
    told = (
        f"{count:,} {name.replace('_', ' ')}"
        for name, count in report.did.items()
        if count and name not in {"files_before", "files_after"}
    )
    return ", ".join(told) or "nothing to do"
