"""Upkeep: many small files become few large ones, and old log lines go.

Replaced files stay on disk as long as a snapshot knows them: expiring snapshots is not done yet.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from lake import Lake
from lake.journal import Job, Journal

#: Tables that grow by small commits.
_TABLES = ("bars_1m", "bar_revisions")

#: Partitions merged in one transaction: the gate is held for one symbol's year, and no longer.
_PARTITIONS = 1
_MOST_STEPS = 5_000

_LOGS_KEPT = timedelta(days=30)


def run(lake: Lake, journal: Journal, job: Job) -> dict[str, Any]:
    """Merge small files of neighbouring commits, partition by partition; forget old log lines.

    Each step is one short transaction behind the commit gate, so that writers wait for one step
    at most; bars, revisions and snapshots stay as they are. Killed or repeated, it goes on where
    it was; with nothing to merge it is one look a table.

    Returns:
        ``files_before``, ``files_after`` (of these tables), ``steps`` and the longest time the
        gate was held, ``longest_gate_seconds``; and ``log_lines_forgotten``.

    Raises:
        GateBusyError: Another process held the commit gate too long; what was merged stays.
    """
    before = _files(lake)
    journal.progress(job.id, 0, before, "merging small files")
    holds: list[float] = []
    for held in _merge(lake):
        holds.append(held)
        journal.progress(job.id, len(holds), max(before, len(holds)), "merging small files")
    after = _files(lake)
    forgotten = journal.prune(older_than=_LOGS_KEPT)
    journal.progress(job.id, 1, 1, f"{before} files became {after}")
    return {
        "files_before": before,
        "files_after": after,
        "steps": len(holds),
        "longest_gate_seconds": round(max(holds, default=0.0), 4),
        "log_lines_forgotten": forgotten,
    }


def _merge(lake: Lake) -> Iterator[float]:
    """Merge until nothing is left to merge; yields the seconds each step held the gate."""
    for table in _TABLES:
        for _ in range(_MOST_STEPS):
            with lake.writing() as transaction:
                begun = time.perf_counter()
                merged = transaction.connection.execute(
                    "CALL ducklake_merge_adjacent_files('lake', ?, max_compacted_files => ?)",
                    [table, _PARTITIONS],
                ).fetchall()
            if not merged:
                break
            yield time.perf_counter() - begun


def _files(lake: Lake) -> int:
    names = ", ".join(f"'{table}'" for table in _TABLES)
    query = f"SELECT sum(file_count) FROM ducklake_table_info('lake') WHERE table_name IN ({names})"
    with lake.reading() as connection:
        row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0
