"""What the ledger of searches promises: every trial of every search, once, failed ones too."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.searches import (
    TRIALS,
    SearchMissingError,
    StoredSearch,
    search,
    search_trials,
    searches,
    store_search,
)
from lake.simulations import trials

START, END = datetime(2024, 7, 1, 13, 30, tzinfo=UTC), datetime(2024, 7, 3, 16, 59, tzinfo=UTC)
SEARCH = StoredSearch(
    search_id="0123456789ab",
    strategy="sma_cross",
    symbol="SPY",
    mode="realistic",
    start=START,
    end=END,
    snapshot=7,
    params={"method": "grid"},
    metrics={"best": 1},
    state="done",
)
TRIED = pl.DataFrame(
    [
        (1, "SMA cross 10/20", '{"fast": 10}', 1.5, 0.1, -0.2, 12),
        (2, "SMA cross 10/30", '{"fast": 10}', None, 0.0, 0.0, 0),
    ],
    schema=TRIALS,
    orient="row",
)


def test_what_is_entered_is_read_back_and_entered_once(store):
    stored = store_search(store, SEARCH, TRIED)

    assert replace(stored, created_at=None) == SEARCH
    assert store_search(store, replace(SEARCH, metrics={}), TRIED) == stored
    assert_frame_equal(search_trials(store, SEARCH.search_id), TRIED)
    assert searches(store)["search_id"].to_list() == [SEARCH.search_id]


def test_a_search_that_failed_is_replaced_by_one_that_is_done(store):
    store_search(store, replace(SEARCH, state="failed", error="no bars"), TRIED.clear())
    assert search(store, SEARCH.search_id).error == "no bars"

    assert store_search(store, SEARCH, TRIED).state == "done"


def test_each_trial_of_a_search_counts_as_a_strategy_that_was_tried(store):
    store_search(store, SEARCH, TRIED)

    found = trials(store, "SPY", START, END)
    assert (found.count, found.sharpes) == (2, (1.5,))
    assert trials(store, "QQQ", START, END).count == 0


def test_an_unknown_search_is_a_sentence(store):
    with pytest.raises(SearchMissingError, match="There is no search 'nope'"):
        search(store, "nope")
    assert search_trials(store, "nope").is_empty()
