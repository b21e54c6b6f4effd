"""A round of upkeep: every step in its order, or some of them, and what they would do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lake import sessions, statistics
from lake.datasets import DATASETS
from lake.errors import InvalidError
from lake.schema import TABLES
from lake.upkeep import removal, steps
from lake.upkeep.gauge import Gauge, Report, Step
from lake.upkeep.rules import Rule

if TYPE_CHECKING:
    from lake.store import Lake

#: The steps in the order in which they run: each makes work for those after it.
STEPS = ("retire", "live", "rewrite", "merge", "expire", "cleanup", "orphans", "statistics")

KEEP = timedelta(days=7)
_REPLACED_KEPT = timedelta(hours=1)
_ORPHANS_KEPT = timedelta(days=1)


class StepError(InvalidError):
    """A step of upkeep that does not exist."""

    def __init__(self, step: str, known: Sequence[str]) -> None:
        super().__init__(step, list(known))
        self.step, self.known = step, list(known)

    def __str__(self) -> str:
        return f"{self.step[:40]!r} is not a step of upkeep. Use some of {', '.join(self.known)}."


@dataclass(frozen=True)
class Plan:
    """What a round is to do.

    Attributes:
        now: The moment it counts from (UTC): live bars of sessions before today's are moved.
        keep: Snapshots that were replaced by a newer one less than this ago stay, for slow readers; so
            do the newest and every pinned one.
        rules: Which bars are kept for how many years; none: all, for ever.
        only: Some of ``STEPS``; None for all.
        replaced_kept: Replaced files younger than this stay, for slow readers.
        orphans_kept: Files that no table knows and that are younger than this stay, for slow writers.
    """

    now: datetime
    keep: timedelta = KEEP
    rules: tuple[Rule, ...] = ()
    only: tuple[str, ...] | None = None
    replaced_kept: timedelta = _REPLACED_KEPT
    orphans_kept: timedelta = _ORPHANS_KEPT

    def __post_init__(self) -> None:
        for step in self.only or ():
            if step not in STEPS:
                raise StepError(step, STEPS)


def run(
    lake: "Lake",
    plan: Plan,
    *,
    dry_run: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Do a round of upkeep: retire, move live bars, rewrite, merge, expire, clean up.

    Each step is a row of short transactions behind the gate, safe beside readers and writers, and
    harmless to kill and to repeat. But for ``retire``, bars, revisions and what was known when
    stay as they are; so does every pinned snapshot.

    Args:
        dry_run: Only count what each step would do now. Later steps would also do what earlier ones
            leave them.
        tell: Hears in a few words how far it is.

    Raises:
        StepError: The plan names a step that does not exist.
        GateBusyError: Another process held the commit gate too long; what was done stays.
    """
    chosen = [name for name in STEPS if plan.only is None or name in plan.only]
    return Report(tuple(_step(lake, plan, name, tell, dry_run=dry_run) for name in chosen))


def _step(
    lake: "Lake", plan: Plan, name: str, tell: Callable[[str], None], *, dry_run: bool
) -> Step:
    tell(name)
    gauge = Gauge(lake)
    did = _foresee(gauge, plan, name) if dry_run else _do(gauge, plan, name, tell)
    return gauge.step(name, did)


def _do(gauge: Gauge, plan: Plan, name: str, tell: Callable[[str], None]) -> dict[str, int]:
    today = sessions.today(plan.now)
    work: dict[str, Callable[[], dict[str, int]]] = {
        "retire": lambda: removal.retire(gauge, plan.rules, today, dry_run=False),
        "live": lambda: steps.move_live(gauge, sessions.midnight(today), tell),
        "rewrite": lambda: steps.rewrite(gauge, tell),
        "merge": lambda: steps.merge(gauge, tell),
        "expire": lambda: steps.expire(gauge, plan.now - plan.keep, tell),
        "cleanup": lambda: steps.cleanup(gauge, plan.now - plan.replaced_kept, tell),
        "orphans": lambda: steps.orphans(gauge.lake, plan.now - plan.orphans_kept, dry_run=False),
        "statistics": lambda: {"bounds_widened": statistics.widen(gauge.lake.catalog)},
    }
    return work[name]()


def _foresee(gauge: Gauge, plan: Plan, name: str) -> dict[str, int]:
    lake, today = gauge.lake, sessions.today(plan.now)
    work: dict[str, Callable[[], dict[str, int]]] = {
        "retire": lambda: removal.retire(gauge, plan.rules, today, dry_run=True),
        "live": lambda: {"live_bars_moved": _live(lake, sessions.midnight(today))},
        "rewrite": lambda: {
            "files_rewritten": sum(len(steps.files_with_deletes(lake, table)) for table in TABLES)
        },
        "merge": lambda: {"files_before": sum(steps.count_files(lake).values())},
        "expire": lambda: {
            "snapshots_expired": len(steps.old_snapshots(lake, plan.now - plan.keep))
        },
        "cleanup": lambda: {
            "replaced_files_deleted": steps.old_files(lake, plan.now - plan.replaced_kept)
        },
        "orphans": lambda: steps.orphans(lake, plan.now - plan.orphans_kept, dry_run=True),
        "statistics": lambda: {"bounds_widened": _narrow(lake)},
    }
    return work[name]()


def _narrow(lake: "Lake") -> int:
    with lake.catalog.planning() as connection:
        return len(statistics.too_narrow(connection))


def _live(lake: "Lake", cutoff: datetime) -> int:
    return sum(
        count
        for dataset in DATASETS.values()
        if dataset.live
        for _, _, count in steps.live_series(lake, dataset, cutoff)
    )
