"""Repairing what is lost, where that is safe: from a backup to the byte, else by saying it is not fetched."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lake.backup.manifest import Manifest, load_manifest
from lake.catalog import Transaction
from lake.datasets import DATASETS, Dataset
from lake.verify.files import check_file
from lake.verify.listing import METADATA, StoredFile
from lake.verify.report import Finding, Report

if TYPE_CHECKING:
    from lake.store import Lake

_BYTES = {"file missing", "file size", "file unreadable", "row count"}
_OF_FILE = (
    "ducklake_file_column_stats",
    "ducklake_file_variant_stats",
    "ducklake_file_partition_value",
    "ducklake_delete_file",
    "ducklake_data_file",
)


@dataclass(frozen=True)
class Repaired:
    """What a repair did.

    Attributes:
        restored: Files that were taken from the backup, by name.
        unfetched: A sentence for each file whose range must be ingested again.
        left: The sentences of the findings that nothing safe can be done about.
    """

    restored: tuple[str, ...] = ()
    unfetched: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Range:
    """What a file held, by the bounds in the catalog: both ends inside."""

    sources: tuple[str, str]
    symbols: tuple[str, str]
    times: tuple[datetime, datetime]


def repair(lake: "Lake", report: Report, backup: Path | None = None) -> Repaired:
    """Mend what a verification found, as far as that is safe.

    A lost or damaged file comes back from the backup if that has it: files never change, so it is the
    same to the byte. Without, the catalog lets go of a file of bars, and what the ledger says was
    fetched in its range becomes not fetched, so that the next ingest brings it again; what is left of a
    damaged file is kept in ``HOME/damaged``. Killed at any point, the next repair goes on.

    Args:
        lake: Open; writers and readers may go on.
        report: What :func:`lake.verify.verify` found.
        backup: The folder of a backup of this lake.

    Raises:
        BackupMissingError: There is no backup in that folder.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    manifest = load_manifest(backup) if backup else None
    restored, unfetched, left = [], [], []
    for finding in report.findings:
        file = finding.file
        if _from_backup(lake, finding, backup, manifest):
            restored.append(finding.place)
        elif file and finding.kind in _BYTES and (dataset := _dataset_of(file)) is not None:
            unfetched.append(_let_go(lake, file, dataset))
        else:
            left.append(finding.sentence)
    return Repaired(tuple(restored), tuple(told for told in unfetched if told), tuple(left))


def _from_backup(
    lake: "Lake", finding: Finding, backup: Path | None, manifest: Manifest | None
) -> bool:
    """Bring one file back if the backup has the one the catalog means."""
    if (
        backup is None
        or manifest is None
        or (finding.file is None and finding.kind != "model file")
    ):
        return False
    entry = manifest.entry(finding.place)
    if entry is None or (finding.file is not None and entry.size != finding.file.size):
        return False
    return entry.copy(backup, lake.home / finding.place) is None


def _let_go(lake: "Lake", file: StoredFile, dataset: Dataset) -> str:
    """Mark the range of a file as not fetched, then take the file out of the catalog."""
    with lake.reading() as connection:
        if not check_file(connection, lake.place, file):
            return ""  # it is whole again, or the catalog has let go of it
        lost = _range(connection, file)
    if lost is not None:
        with lake.writing() as transaction:
            _unfetch(transaction, dataset, lost)
    _keep_aside(lake, file)
    with lake.writing() as transaction:
        for table in _OF_FILE:
            transaction.connection.execute(
                f"DELETE FROM {METADATA}.{table} WHERE data_file_id = ?", [file.of_file]
            )
    return _told(lake, file, lost)


def _range(connection: duckdb.DuckDBPyConnection, file: StoredFile) -> _Range | None:
    rows = connection.execute(
        f"""SELECT * FROM sqlite_query('{METADATA}', $$
              SELECT DISTINCT c.column_name, s.min_value, s.max_value FROM ducklake_file_column_stats s
              JOIN ducklake_column c ON c.table_id = s.table_id AND c.column_id = s.column_id
              WHERE s.data_file_id = {file.of_file} AND c.parent_column IS NULL$$)"""
    ).fetchall()
    told = {name: (low, high) for name, low, high in rows}
    low, high = told.get("timestamp", (None, None))
    if low is None or high is None:
        return None
    return _Range(
        told["source"],
        told["symbol"],
        (datetime.fromisoformat(low), datetime.fromisoformat(high)),
    )


def _unfetch(transaction: Transaction, dataset: Dataset, lost: _Range) -> None:
    run, (begin, last) = transaction.connection, lost.times
    end = last + (timedelta(days=1) if dataset.timeframe == "1d" else timedelta(minutes=1))
    where = """dataset = $dataset AND source BETWEEN $low_source AND $high_source
               AND symbol BETWEEN $low_symbol AND $high_symbol AND "start" < $end AND "end" > $begin"""
    values = {
        "dataset": dataset.name,
        "low_source": lost.sources[0],
        "high_source": lost.sources[1],
        "low_symbol": lost.symbols[0],
        "high_symbol": lost.symbols[1],
        "begin": begin,
        "end": end,
    }
    touched = run.execute(f"SELECT * FROM coverage WHERE {where}", values).fetchall()
    run.execute(f"DELETE FROM coverage WHERE {where}", values)
    for name, source, symbol, start, finish, recorded in touched:
        for part in ((start, begin), (end, finish)):
            if part[0] < part[1]:
                run.execute(
                    "INSERT INTO coverage VALUES (?, ?, ?, ?, ?, ?)",
                    [name, source, symbol, *part, recorded],
                )
    for source, symbol in sorted({(row[1], row[2]) for row in touched}):
        run.execute(
            """INSERT INTO changes SELECT ?, ?, ?, session_date, 'retired', ? FROM sessions
               WHERE post_close > ? AND pre_open < ? ORDER BY session_date""",
            [transaction.commit_id, source, symbol, transaction.recorded_at, begin, end],
        )


def _keep_aside(lake: "Lake", file: StoredFile) -> None:
    """What is left of a damaged file must not be taken for an orphan and deleted."""
    full = file.under(lake.place)
    if file.kind == "data" and full.exists():
        aside = lake.home / "damaged"
        aside.mkdir(exist_ok=True)
        full.rename(aside / full.name)


def _told(lake: "Lake", file: StoredFile, lost: _Range | None) -> str:
    name = file.named(lake.place)
    if lost is None:
        return f"The catalog has let go of {name}, which said nothing about its range."
    low, high = lost.symbols
    which = low if low == high else f"the symbols from {low} to {high}"
    begin, end = (moment.date().isoformat() for moment in lost.times)
    ingest = f"barlake ingest {low if low == high else 'SYMBOL...'} --start {begin} --end {end}"
    return (
        f"The catalog has let go of {name} with {file.rows:,} bars of {which}; their range is marked as not "
        f"fetched: `{ingest}` brings it again."
    )


def _dataset_of(file: StoredFile) -> Dataset | None:
    return next((one for one in DATASETS.values() if file.table in one.tables), None)
