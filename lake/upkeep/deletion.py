"""Deleting a symbol: everything the lake holds of it, and nothing else."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb

from lake.actions import provider_of
from lake.datasets import DATASETS
from lake.errors import BarsMissingError
from lake.schema import check_symbol
from lake.upkeep.removal import note_retired

if TYPE_CHECKING:
    from lake.store import Lake

_WHERE = "symbol = ? AND source = ?"
#: What is counted under which name; tables of bars come from the list of datasets.
_LEDGERS = {
    "bar_revisions": "revisions",
    "coverage": "coverage",
    "gap_scans": "scans",
    "quarantine": "quarantine",
    "series": "series",
}


def delete_symbol(
    lake: "Lake", symbol: str, source: str | None = None, *, dry_run: bool = False
) -> dict[str, int]:
    """Delete all that the lake holds of a symbol: from one source, or from each that has it.

    Bars of every dataset, live ones too, with revisions, coverage, quarantine and series; its
    corporate actions only with the last source of their provider. ``changes`` says ``retired`` for
    each session that loses bars. Features, models and pinned snapshots stay as they are. One
    transaction a source: killed between two, it is repeated.

    Returns:
        How many rows went, or would go: ``bars``, ``revisions``, ``coverage``, ``quarantine``,
        ``series``, ``scans``, ``corporate_actions``.

    Raises:
        BarsMissingError: The lake holds nothing of it, from that source where one is named.
        SymbolError: No ticker looks like that.
        GateBusyError: Another process held the commit gate too long; ask again.
    """
    ticker = check_symbol(symbol)
    with lake.reading() as connection:
        found = _sources(connection, ticker)
    chosen = [name for name in found if source in {None, name}]
    if not chosen:
        raise BarsMissingError(ticker, source)
    gone = dict.fromkeys(["bars", *_LEDGERS.values(), "corporate_actions"], 0)
    for name in chosen:
        if dry_run:
            with lake.reading() as connection:
                _go_through(connection, "SELECT count(*) FROM", ticker, name, found, gone)
        else:
            with lake.writing() as transaction:
                found = _sources(transaction.connection, ticker)
                for dataset in DATASETS.values():
                    note_retired(transaction, dataset, name, ticker, None)
                _go_through(transaction.connection, "DELETE FROM", ticker, name, found, gone)
        found = [other for other in found if other != name]
    return gone


def _go_through(
    connection: duckdb.DuckDBPyConnection,
    verb: str,
    symbol: str,
    source: str,
    found: list[str],
    gone: dict[str, int],
) -> None:
    """Count or delete what one source has of a symbol; both answer with the number of rows."""
    for name, table, owner in _lots(source, found):
        row = connection.execute(f"{verb} {table} WHERE {_WHERE}", [symbol, owner]).fetchone()
        gone[name] += int(row[0]) if row else 0


def _lots(source: str, found: list[str]) -> Iterator[tuple[str, str, str]]:
    """What goes with a source: the name it is counted under, the table, whose rows."""
    for dataset in DATASETS.values():
        for table in dataset.tables:
            yield "bars", table, source
    for table, name in _LEDGERS.items():
        yield name, table, source
    provider = provider_of(source)
    if all(provider_of(other) != provider for other in found if other != source):
        yield "corporate_actions", "corporate_actions", provider


def _sources(connection: duckdb.DuckDBPyConnection, symbol: str) -> list[str]:
    """Every source that has anything of a symbol."""
    tables = [*_LEDGERS, *(table for dataset in DATASETS.values() for table in dataset.tables)]
    union = " UNION ".join(f"SELECT source FROM {table} WHERE symbol = $symbol" for table in tables)
    rows = connection.execute(f"{union} ORDER BY source", {"symbol": symbol}).fetchall()
    return [str(source) for (source,) in rows]
