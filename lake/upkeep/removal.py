"""Rules of retention at work: bars that are kept no longer go, whole sessions at a time.

Each series goes in one transaction with its revisions and its coverage, so that nothing ever says
"fetched" of bars that are gone, and ``changes`` says ``retired`` for each session that lost bars.
A pinned snapshot keeps what it had.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb

from lake import sessions
from lake.catalog import Transaction
from lake.datasets import DATASETS, Dataset
from lake.upkeep.gauge import Gauge
from lake.upkeep.rules import Rule, years_of

if TYPE_CHECKING:
    from lake.store import Lake

_SERIES = "source = ? AND symbol = ?"


def retire(gauge: Gauge, rules: Sequence[Rule], today: date, *, dry_run: bool) -> dict[str, int]:
    """Delete the bars that the rules no longer keep, whole sessions, series by series."""
    did = {"bars_retired": 0, "series_retired": 0}
    for dataset in DATASETS.values():
        for source, symbol, cutoff in _due(gauge.lake, dataset, tuple(rules), today):
            did["series_retired"] += 1
            if dry_run:
                with gauge.lake.reading() as connection:
                    did["bars_retired"] += _bars(connection, dataset, source, symbol, cutoff)
            else:
                with gauge.writing() as transaction:
                    did["bars_retired"] += _retire(transaction, dataset, source, symbol, cutoff)
    return did


def _due(
    lake: "Lake", dataset: Dataset, rules: tuple[Rule, ...], today: date
) -> list[tuple[str, str, datetime]]:
    """Which series hold bars, revisions or coverage from before their first kept session."""
    if not any(rule.dataset == dataset.name for rule in rules):
        return []
    oldest = " UNION ALL ".join(
        f"SELECT source, symbol, min(timestamp) AS first FROM {table} GROUP BY ALL"
        for table in dataset.tables
    )
    with lake.reading() as connection:
        rows = connection.execute(
            f"""SELECT source, symbol, min(first) FROM (
                  {oldest}
                  UNION ALL SELECT source, symbol, min(timestamp) FROM bar_revisions WHERE dataset = ? GROUP BY ALL
                  UNION ALL SELECT source, symbol, min("start") FROM coverage WHERE dataset = ? GROUP BY ALL)
                GROUP BY source, symbol ORDER BY source, symbol""",
            [dataset.name, dataset.name],
        ).fetchall()
    due = []
    for source, symbol, first in rows:
        rule = years_of(rules, dataset.name, symbol)
        if rule and first < (cutoff := sessions.midnight(rule.first_kept(today))):
            due.append((source, symbol, cutoff))
    return due


def _retire(
    transaction: Transaction, dataset: Dataset, source: str, symbol: str, cutoff: datetime
) -> int:
    run = transaction.connection
    note_retired(transaction, dataset, source, symbol, cutoff)
    gone = _bars(run, dataset, source, symbol, cutoff)
    for table in dataset.tables:
        run.execute(
            f"DELETE FROM {table} WHERE {_SERIES} AND timestamp < ?", [source, symbol, cutoff]
        )
    series = [dataset.name, source, symbol]
    run.execute(
        f"DELETE FROM bar_revisions WHERE dataset = ? AND {_SERIES} AND timestamp < ?",
        [*series, cutoff],
    )
    _cut_coverage(run, series, cutoff)
    # Its moment is the midnight of a session: whole sessions go.
    run.execute(
        f"DELETE FROM gap_scans WHERE dataset = ? AND {_SERIES} AND session_date < ?",
        [*series, sessions.today(cutoff)],
    )
    if not _bars(run, dataset, source, symbol, None):
        run.execute(f"DELETE FROM series WHERE dataset = ? AND {_SERIES}", series)
    return gone


def _cut_coverage(run: duckdb.DuckDBPyConnection, series: list[str], cutoff: datetime) -> None:
    where = f'WHERE dataset = ? AND {_SERIES} AND "start" < ?'
    kept = run.execute(
        f'SELECT "end", recorded_at FROM coverage {where} AND "end" > ?', [*series, cutoff, cutoff]
    ).fetchall()
    run.execute(f"DELETE FROM coverage {where}", [*series, cutoff])
    for end, recorded_at in kept:
        run.execute(
            "INSERT INTO coverage VALUES (?, ?, ?, ?, ?, ?)", [*series, cutoff, end, recorded_at]
        )


def note_retired(
    transaction: Transaction, dataset: Dataset, source: str, symbol: str, cutoff: datetime | None
) -> None:
    """Note in ``changes`` each session that loses bars, or what was known of withdrawn ones.

    Without a cutoff all sessions do.
    """
    rows = [f"FROM {table}" for table in dataset.tables]
    rows.append("FROM (FROM bar_revisions WHERE dataset = $dataset)")
    days = " UNION ".join(
        f"""SELECT (timestamp AT TIME ZONE 'America/New_York')::DATE AS session {table}
            WHERE source = $source AND symbol = $symbol
              AND timestamp < coalesce($cutoff::TIMESTAMPTZ, 'infinity')"""
        for table in rows
    )
    transaction.connection.execute(
        f"""INSERT INTO changes ("commit", source, symbol, session, kind, recorded_at)
            SELECT $commit, $source, $symbol, session, 'retired', $at FROM ({days}) ORDER BY session""",
        {
            "commit": transaction.commit_id,
            "dataset": dataset.name,
            "source": source,
            "symbol": symbol,
            "cutoff": cutoff,
            "at": transaction.recorded_at,
        },
    )


def _bars(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    source: str,
    symbol: str,
    before: datetime | None,
) -> int:
    counted = [
        connection.execute(
            f"SELECT count(*) FROM {table} WHERE {_SERIES} AND timestamp < coalesce(?::TIMESTAMPTZ, 'infinity')",
            [source, symbol, before],
        ).fetchone()
        for table in dataset.tables
    ]
    return sum(int(row[0]) for row in counted if row)
