"""The steps of upkeep that change how bars lie on disk, never which bars there are.

Each is a row of short transactions behind the gate, harmless to repeat and to kill. A dry run
counts and writes nothing.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from lake.datasets import DATASETS, Dataset
from lake.schema import PARTITIONS, SORTED, TABLES
from lake.upkeep.gauge import Gauge, Pace

if TYPE_CHECKING:
    from lake.store import Lake

Tell = Callable[[str], None]

#: Larger files stay as they are: merging them again each night would write them again each night.
_LARGEST = 64 * 2**20
_SYMBOLS, _MOST_SYMBOLS = 8, 64
_MERGES, _MOST_MERGES = 4, 256
_SNAPSHOTS, _MOST_SNAPSHOTS = 50, 1_000
_FILES = 500
_INSTANT = timedelta(microseconds=1)
_METADATA = "__ducklake_metadata_lake"


def move_live(gauge: Gauge, cutoff: datetime, tell: Tell) -> dict[str, int]:
    """Move live bars that open before the cutoff to their dataset, some symbols at a time.

    A bar keeps when it was recorded. Between two transactions it is in one table or in the other,
    never in both and never in none.
    """
    moved = 0
    for dataset in _with_live():
        if waiting := live_series(gauge.lake, dataset, cutoff):
            _rewrite_all(gauge, dataset.live or "")
            _merge_all(gauge, dataset.live or "", tell)
            moved += _move(gauge, dataset, cutoff, [series[:2] for series in waiting], tell)
    return {"live_bars_moved": moved}


def gather_live(lake: "Lake", most: int) -> int:
    """Make one file of the live ones where there are many; for now and then in a session.

    A reader opens each of them, and a session of live bars comes in a thousand.

    Args:
        lake: Whose.
        most: So many may stay as they are.

    Returns:
        How many were merged.
    """
    gauge, counted, merged = Gauge(lake), count_files(lake), 0
    for table in (dataset.live or "" for dataset in _with_live()):
        if counted.get(table, 0) > most:
            _rewrite_all(gauge, table)
            merged += _merge_all(gauge, table, lambda _: None)
    return merged


def live_series(lake: "Lake", dataset: Dataset, cutoff: datetime) -> list[tuple[str, str, int]]:
    """Which series have live bars that open before the cutoff: source, symbol, how many."""
    with lake.reading() as connection:
        return connection.execute(
            f"""SELECT source, symbol, count(*) FROM {dataset.live} WHERE timestamp < ?
                GROUP BY source, symbol ORDER BY source, symbol""",
            [cutoff],
        ).fetchall()


def _with_live() -> Iterator[Dataset]:
    return (dataset for dataset in DATASETS.values() if dataset.live)


def _move(
    gauge: Gauge,
    dataset: Dataset,
    cutoff: datetime,
    waiting: list[tuple[str, str]],
    tell: Tell,
) -> int:
    moved, position, pace = 0, 0, Pace(_SYMBOLS, _MOST_SYMBOLS)
    while position < len(waiting):
        part = waiting[position : position + pace.amount]
        chosen = f"({', '.join('(?, ?)' for _ in part)})"
        where = f"WHERE timestamp < ? AND (source, symbol) IN {chosen}"
        values = [cutoff, *(name for series in part for name in series)]
        with gauge.writing() as transaction:
            run = transaction.connection
            run.execute(
                f"INSERT INTO {dataset.name} SELECT * FROM {dataset.live} {where} ORDER BY source, symbol, timestamp",
                values,
            )
            moved += _count(run.execute(f"DELETE FROM {dataset.live} {where}", values))
        pace.learn(gauge.holds[-1])
        position += len(part)
        tell(f"moving live bars: {position} of {len(waiting)} series")
    return moved


def rewrite(gauge: Gauge, tell: Tell) -> dict[str, int]:
    """Write files anew that have deleted rows, so that readers need not subtract them.

    Partitioned tables go partition by partition, for DuckLake's own rewrite takes a whole table
    at once; the others are small.
    """
    rewritten = 0
    for table in TABLES:
        for done, file in enumerate(files_with_deletes(gauge.lake, table), 1):
            if table not in PARTITIONS:
                rewritten += _rewrite_all(gauge, table)
                break
            rewritten += _repack(gauge, table, file)
            tell(f"rewriting {table}: {done} files")
    return {"files_rewritten": rewritten}


def files_with_deletes(lake: "Lake", table: str) -> list[str]:
    """The data files of a table of which some rows are deleted."""
    with lake.reading() as connection:
        rows = connection.execute(
            """SELECT data_file FROM ducklake_list_files('lake', ?)
               WHERE delete_file IS NOT NULL ORDER BY data_file""",
            [table],
        ).fetchall()
    return [str(file) for (file,) in rows]


def _rewrite_all(gauge: Gauge, table: str) -> int:
    # DuckLake cannot rewrite a table while DOUBLE values of it lie in the catalog; the tables whose
    # rows do (lake.schema.LEDGERS) have none.
    with gauge.writing() as transaction:
        rows = transaction.connection.execute(
            "CALL ducklake_rewrite_data_files('lake', ?, delete_threshold => 0)", [table]
        ).fetchall()
    return sum(int(row[2]) for row in rows)


def _repack(gauge: Gauge, table: str, file: str) -> int:
    """Write the partitions of one file anew: all their rows out, and in again, in one transaction."""
    with gauge.lake.reading() as connection:
        try:
            parts = connection.execute(
                f"SELECT DISTINCT {_partition(table)} FROM read_parquet(?) ORDER BY ALL", [file]
            ).fetchall()
        except duckdb.IOException:  # somebody has just rewritten it
            return 0
    for part in parts:
        with gauge.writing() as transaction:
            _repack_part(transaction.connection, table, part)
    return 1


def _repack_part(run: duckdb.DuckDBPyConnection, table: str, part: tuple[Any, ...]) -> None:
    *names, year = part
    keys = [f"{name} = ?" for name in _partition(table).split(", ")[:-1]]
    where = " AND ".join(
        [
            *keys,
            "timestamp >= make_timestamptz(?, 1, 1, 0, 0, 0)",
            "timestamp < make_timestamptz(?, 1, 1, 0, 0, 0)",
        ]
    )
    values = [*names, year, year + 1]
    run.register("repacked", run.execute(f"FROM {table} WHERE {where}", values).pl())
    run.execute(f"DELETE FROM {table} WHERE {where}", values)
    run.execute(f"INSERT INTO {table} FROM repacked ORDER BY {SORTED[table]}")
    run.unregister("repacked")


def _partition(table: str) -> str:
    return PARTITIONS[table].replace('"', "")


def merge(gauge: Gauge, tell: Tell) -> dict[str, int]:
    """Make few large files of many small ones, in every table."""
    before = count_files(gauge.lake)
    merged = sum(_merge_all(gauge, table, tell) for table in TABLES if before.get(table, 0) > 1)
    after = count_files(gauge.lake)
    return {
        "files_merged": merged,
        "files_before": sum(before.values()),
        "files_after": sum(after.values()),
    }


def count_files(lake: "Lake") -> dict[str, int]:
    """How many data files each table has now."""
    with lake.reading() as connection:
        return dict(
            connection.execute(
                "SELECT table_name, file_count FROM ducklake_table_info('lake') WHERE list_contains(?, table_name)",
                [list(TABLES)],
            ).fetchall()
        )


def _merge_all(gauge: Gauge, table: str, tell: Tell) -> int:
    merged, pace = 0, Pace(_MERGES, _MOST_MERGES)
    while True:
        with gauge.writing() as transaction:
            rows = transaction.connection.execute(
                "CALL ducklake_merge_adjacent_files('lake', ?, max_compacted_files => ?, max_file_size => ?)",
                [table, pace.amount, _LARGEST],
            ).fetchall()
        before, after = (sum(int(row[place]) for row in rows) for place in (2, 3))
        if after >= before:  # nothing to merge, or files that DuckLake writes anew for nothing
            return merged
        pace.learn(gauge.holds[-1])
        merged += before
        tell(f"merging {table}: {merged} files")


def expire(gauge: Gauge, before: datetime, tell: Tell) -> dict[str, int]:
    """Forget snapshots that were replaced before a moment, but for every pinned one."""
    waiting = old_snapshots(gauge.lake, before)
    expired, position, pace = 0, 0, Pace(_SNAPSHOTS, _MOST_SNAPSHOTS)
    while position < len(waiting):
        part = waiting[position : position + pace.amount]
        with gauge.writing() as transaction:
            # Asked again inside the gate: somebody may just have pinned one of them.
            still = set(_old_snapshots(transaction.connection, before))
            chosen = [snapshot for snapshot in part if snapshot in still]
            if chosen:
                transaction.connection.execute(
                    f"CALL ducklake_expire_snapshots('lake', versions => {chosen})"
                ).fetchall()
        pace.learn(gauge.holds[-1])
        position, expired = position + len(part), expired + len(chosen)
        tell(f"expiring snapshots: {position} of {len(waiting)}")
    return {"snapshots_expired": expired}


def old_snapshots(lake: "Lake", before: datetime) -> list[int]:
    """The snapshots that may expire, oldest first: those a newer one took the place of by then."""
    with lake.reading() as connection:
        return _old_snapshots(connection, before)


def _old_snapshots(connection: duckdb.DuckDBPyConnection, before: datetime) -> list[int]:
    # A snapshot's own age says nothing: in a quiet lake the newest is days old, and a reader may have
    # begun with it just before a commit. Expired under the reader, its replaced files would be missing
    # from the answer without an error.
    rows = connection.execute(
        """SELECT snapshot_id FROM (
             SELECT snapshot_id, lead(snapshot_time) OVER (ORDER BY snapshot_id) AS replaced
             FROM ducklake_snapshots('lake'))
           WHERE replaced < ? AND snapshot_id NOT IN (SELECT snapshot FROM pins) ORDER BY snapshot_id""",
        [before],
    ).fetchall()
    return [int(snapshot) for (snapshot,) in rows]


def cleanup(gauge: Gauge, before: datetime, tell: Tell) -> dict[str, int]:
    """Delete files that no snapshot knows any more and that were replaced before a moment.

    A slow reader may still have planned to read what was replaced just now.
    """
    deleted = 0
    while (bound := _next_cleanup(gauge.lake, before)) is not None:
        with gauge.writing() as transaction:
            files = transaction.connection.execute(
                "CALL ducklake_cleanup_old_files('lake', older_than => ?)", [bound]
            ).fetchall()
        deleted += len(files)
        tell(f"deleting replaced files: {deleted}")
        if not files:
            break
    return {"replaced_files_deleted": deleted}


def _next_cleanup(lake: "Lake", before: datetime) -> datetime | None:
    """A moment before which some, but not too many, files were replaced; None if none were."""
    with lake.reading() as connection:
        row = connection.execute(
            f"""SELECT max(replaced) FROM (
                  SELECT schedule_start::TIMESTAMPTZ AS replaced FROM sqlite_query('{_METADATA}',
                    'SELECT schedule_start FROM ducklake_files_scheduled_for_deletion')
                  WHERE replaced < ? ORDER BY replaced LIMIT {_FILES})""",
            [before],
        ).fetchone()
    return row[0] + _INSTANT if row and row[0] else None


def old_files(lake: "Lake", before: datetime) -> int:
    """How many files :func:`cleanup` would delete."""
    return _listed(lake, "ducklake_cleanup_old_files", before, dry_run=True)


def orphans(lake: "Lake", before: datetime, *, dry_run: bool) -> dict[str, int]:
    """Delete Parquet files that no table knows, written before a moment.

    A writer that was killed leaves them. They are in nobody's way, so the gate is not held; the
    moment keeps those alive that a writer has written and not yet committed.
    """
    return {
        "orphans_deleted": _listed(lake, "ducklake_delete_orphaned_files", before, dry_run=dry_run)
    }


def _listed(lake: "Lake", function: str, before: datetime, *, dry_run: bool) -> int:
    with lake.reading() as connection:
        return len(
            connection.execute(
                f"CALL {function}('lake', dry_run => ?, older_than => ?)", [dry_run, before]
            ).fetchall()
        )


def _count(result: duckdb.DuckDBPyConnection) -> int:
    row = result.fetchone()
    return int(row[0]) if row else 0
