"""How requests to a provider went, by series and day (UTC): the error rate of a source."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from lake.journal.tables import request_tallies

if TYPE_CHECKING:
    from datetime import date

    from lake.journal.journal import Journal

#: How long tallies are kept; the quality of a day keeps what it took from them.
KEPT = timedelta(days=90)


def count(
    journal: "Journal", source: str, symbols: Collection[str], requests: int, failures: int = 0
) -> None:
    """Add requests that were made today (UTC) for symbols.

    Args:
        symbols: Whom they asked about: each is counted with all of them.
        requests: How many attempts were made, whatever became of them.
        failures: How many of these gave no usable answer: no connection, a timeout, 429, 5xx, cut
            JSON, or a refusal.

    Raises:
        JournalBusyError: The journal cannot be used. Nothing was counted.
    """
    day = journal.now.astimezone(UTC).date()
    told = {"requests": requests, "failures": failures}
    rows = [{"source": source, "symbol": one, "day": day, **told} for one in sorted(set(symbols))]
    if not rows:
        return
    with journal.database.writing() as connection:
        connection.execute(_adding(connection), rows)


def read(journal: "Journal", source: str, symbol: str) -> "dict[date, tuple[int, int]]":
    """Requests and failures of a series by day (UTC)."""
    c = request_tallies.c
    wanted = select(c.day, c.requests, c.failures).where(c.source == source, c.symbol == symbol)
    with journal.database.reading() as connection:
        return {row.day: (row.requests, row.failures) for row in connection.execute(wanted)}


def every(journal: "Journal") -> "dict[tuple[str, str], dict[date, tuple[int, int]]]":
    """Requests and failures by series (source, symbol) and day (UTC)."""
    found: dict[tuple[str, str], dict[date, tuple[int, int]]] = {}
    with journal.database.reading() as connection:
        for row in connection.execute(select(request_tallies)):
            days = found.setdefault((row.source, row.symbol), {})
            days[row.day] = row.requests, row.failures
    return found


def forget(connection: Connection, before: datetime) -> None:
    """Drop tallies of earlier days."""
    connection.execute(delete(request_tallies).where(request_tallies.c.day < before.date()))


def _adding(connection: Connection) -> Any:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    adding = insert(request_tallies)
    table, given = request_tallies.c, adding.excluded
    return adding.on_conflict_do_update(
        index_elements=["source", "symbol", "day"],
        set_={
            "requests": table.requests + given.requests,
            "failures": table.failures + given.failures,
        },
    )
