"""Searches over the parameters of a strategy, with every trial of each.

A search is part of the trial ledger: each of its trials counts as a strategy that was tried. How one
is run is the simulation service's affair.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from lake.errors import MissingError

if TYPE_CHECKING:
    from lake.store import Lake

#: A row a trial, in the order in which they were made.
TRIALS = pl.Schema(
    {
        "number": pl.Int32(),
        "strategy": pl.String(),  # its name with its parameters
        "params": pl.String(),  # JSON
        "sharpe": pl.Float64(),  # annual; null where there is none
        "total_return": pl.Float64(),
        "max_drawdown": pl.Float64(),
        "trades": pl.Int32(),
    }
)
_COLUMNS = (
    "search_id",
    "strategy",
    "symbol",
    "mode",
    "start",
    "end",
    "snapshot",
    "params",
    "metrics",
    "state",
    "error",
)
_NAMES = ", ".join(f'"{name}"' for name in (*_COLUMNS, "created_at"))


class SearchMissingError(MissingError):
    """No search of an id is in the ledger."""

    def __init__(self, search_id: str) -> None:
        super().__init__(search_id)
        self.search_id = search_id

    def __str__(self) -> str:
        return (
            f"There is no search {self.search_id[:64]!r}. "
            "`barlake searches` lists those there are, `barlake search` runs one."
        )


@dataclass(frozen=True)
class StoredSearch:
    """One row of the ledger of searches.

    Attributes:
        search_id: The hash of everything the search was made from, shortened.
        strategy: Name of the rule whose parameters were searched.
        start: First bar (UTC); of a search that failed, what was asked for.
        end: Last bar.
        params: Space, method, seed, costs and what else decides the trials.
        metrics: What came out: the best, its honesty, walk-forward, the probability of overfitting.
        state: ``done`` or ``failed``, with ``error``.
        created_at: When it was noted (UTC); None before.
    """

    search_id: str
    strategy: str
    symbol: str
    mode: str
    start: datetime
    end: datetime
    snapshot: int
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    state: Literal["done", "failed"]
    error: str | None = None
    created_at: datetime | None = None


def store_search(lk: "Lake", new: StoredSearch, tried: pl.DataFrame) -> StoredSearch:
    """Enter a search into the ledger with its trials, in one transaction.

    The same id again replaces a search that failed, and leaves one that is done.

    Args:
        tried: As ``TRIALS``.

    Raises:
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    with lk.writing() as transaction:
        run = transaction.connection
        standing = run.execute(
            "SELECT state FROM searches WHERE search_id = ?", [new.search_id]
        ).fetchone()
        if standing is None or standing[0] == "failed":
            run.execute("DELETE FROM searches WHERE search_id = ?", [new.search_id])
            values = [
                json.dumps(value, sort_keys=True) if name in ("params", "metrics") else value
                for name, value in ((name, getattr(new, name)) for name in _COLUMNS)
            ]
            marks = ", ".join("?" for _ in (*values, "created_at"))
            run.execute(
                f"INSERT INTO searches ({_NAMES}) VALUES ({marks})",
                [*values, transaction.recorded_at],
            )
            run.register("rows", tried)
            names = ", ".join(TRIALS.names())
            run.execute(
                f"INSERT INTO search_trials (search_id, {names}) SELECT ?, {names} FROM rows",
                [new.search_id],
            )
            run.unregister("rows")
    return search(lk, new.search_id)


def searches(lk: "Lake") -> pl.DataFrame:
    """Every search, newest first: the table ``searches``."""
    with lk.reading() as connection:
        return connection.execute("FROM searches ORDER BY created_at DESC, search_id").pl()


def search(lk: "Lake", search_id: str) -> StoredSearch:
    """One search.

    Raises:
        SearchMissingError: There is none of that id.
    """
    found = find_search(lk, search_id)
    if found is None:
        raise SearchMissingError(search_id)
    return found


def find_search(lk: "Lake", search_id: str) -> StoredSearch | None:
    """One search, or None."""
    with lk.reading() as connection:
        row = connection.execute(
            f"SELECT {_NAMES} FROM searches WHERE search_id = ?", [search_id]
        ).fetchone()
    if row is None:
        return None
    facts = dict(zip((*_COLUMNS, "created_at"), row, strict=True))
    facts["params"], facts["metrics"] = json.loads(facts["params"]), json.loads(facts["metrics"])
    return StoredSearch(**facts)


def search_trials(lk: "Lake", search_id: str) -> pl.DataFrame:
    """The trials of a search, as ``TRIALS``; empty if there is none."""
    names = ", ".join(TRIALS.names())
    with lk.reading() as connection:
        return connection.execute(
            f"SELECT {names} FROM search_trials WHERE search_id = ? ORDER BY number", [search_id]
        ).pl()
