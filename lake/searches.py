"""Searches over the parameters of a strategy, with every trial of each.

A search is part of the trial ledger: each of its trials counts as a strategy that was tried. How one
is run is the simulation service's affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from lake.entries import enter, entries, find, rows_of
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
    enter(lk, "searches", _COLUMNS, new, {"search_trials": tried})
    return search(lk, new.search_id)


def searches(lk: "Lake") -> pl.DataFrame:
    """Every search, newest first: the table ``searches``."""
    return entries(lk, "searches", "search_id")


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
    facts = find(lk, "searches", _COLUMNS, search_id)
    return None if facts is None else StoredSearch(**facts)


def search_trials(lk: "Lake", search_id: str) -> pl.DataFrame:
    """The trials of a search, as ``TRIALS``; empty if there is none."""
    return rows_of(lk, "search_trials", TRIALS, "search_id", search_id, "number")
