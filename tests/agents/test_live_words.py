"""Which word on a minute counts: in a live agent's memory, and in the lake."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from agents.live.words import Word, Words
from lake import BAR_SCHEMA, Covered, Fetched
from lake.upkeep import gather_live

BEGIN = datetime(2024, 11, 4, 15, 0, tzinfo=UTC)
SOURCE = "sandbox:iex"


def said(minute, volume, symbol="SPY"):
    row = {"symbol": symbol, "timestamp": BEGIN + timedelta(minutes=minute), "volume": volume}
    prices = dict.fromkeys(("open", "high", "low", "close", "vwap"), 10.0)
    return pl.DataFrame([{**row, **prices, "trade_count": 3}], schema=BAR_SCHEMA)


def volumes(store):
    return store.bars("SPY", BEGIN, source=SOURCE)["volume"].to_list()


def tell(store, frame, *, provisional=True):
    return store.commit_bars(Fetched(SOURCE, frame, live=True, provisional=provisional))


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(Word)), max_size=30))
def test_a_minute_ends_with_the_last_of_the_best_words_on_it(told):
    words, held = Words(), {}
    for number, (minute, word) in enumerate(told):
        if not words.admit(said(minute, number), word).is_empty():
            held[minute] = number

    for minute in {minute for minute, _ in told}:
        mine = [(word, number) for number, (one, word) in enumerate(told) if one == minute]
        assert held[minute] == max(mine)[1]


def test_an_update_goes_over_the_first_value_and_leaves_a_revision(store):
    tell(store, said(0, 100.0))
    tell(store, said(0, 120.0))

    assert volumes(store) == [120.0]
    assert store.revisions("SPY", source=SOURCE)["volume"].to_list() == [100.0]


def test_a_complete_answer_goes_over_a_stream_and_no_stream_over_it(store):
    tell(store, said(0, 100.0))
    covered = (Covered("SPY", BEGIN, BEGIN + timedelta(minutes=3)),)
    store.commit_bars(Fetched(SOURCE, pl.concat([said(0, 130.0), said(1, 50.0)]), covered))

    late = tell(store, pl.concat([said(0, 100.0), said(1, 40.0), said(5, 60.0)]))

    assert volumes(store) == [130.0, 50.0, 60.0]
    assert (late.new, late.corrected, late.unchanged) == (1, 0, 2)


def test_a_bar_that_no_answer_had_is_told_by_a_stream_all_the_same(store):
    covered = (Covered("SPY", BEGIN, BEGIN + timedelta(minutes=3)),)
    store.commit_bars(Fetched(SOURCE, said(0, 130.0), covered))

    tell(store, said(1, 40.0))
    tell(store, said(1, 45.0))

    assert volumes(store) == [130.0, 45.0]


def test_only_a_first_word_is_that_modest(store):
    covered = (Covered("SPY", BEGIN, BEGIN + timedelta(minutes=3)),)
    store.commit_bars(Fetched(SOURCE, said(0, 130.0), covered))

    tell(store, said(0, 140.0), provisional=False)

    assert volumes(store) == [140.0]


def test_one_commit_corrects_bars_wherever_they_are_held(store):
    store.commit_bars(Fetched(SOURCE, pl.concat([said(0, 1.0), said(0, 2.0, "AAPL")])))
    tell(store, pl.concat([said(1, 3.0), said(1, 4.0, "AAPL"), said(1, 5.0, "QQQ")]))
    newer = [said(minute, 9.0, name) for minute in (0, 1) for name in ("SPY", "AAPL")]

    assert tell(store, pl.concat([*newer, said(1, 9.0, "QQQ")])).corrected == 5
    held = store.bars(["SPY", "AAPL", "QQQ"], BEGIN, source=SOURCE)
    assert held["volume"].to_list() == [9.0] * 5
    before = store.revisions("AAPL", source=SOURCE)
    assert sorted(before["volume"].to_list()) == [2.0, 4.0]


def test_a_session_of_small_files_becomes_one_and_every_bar_and_revision_stays(store):
    for minute in range(6):
        tell(store, pl.concat([said(minute, 1.0), said(minute, 2.0, "AAPL")]))
        tell(store, said(minute, 3.0))
    before = store.bars(["AAPL", "SPY"], source=SOURCE)
    revisions = store.revisions("SPY", source=SOURCE)

    assert gather_live(store, 60) == 0
    assert gather_live(store, 3) > 3

    assert store.bars(["AAPL", "SPY"], source=SOURCE).equals(before)
    assert store.revisions("SPY", source=SOURCE).equals(revisions)
    assert gather_live(store, 1) == 0
    tell(store, said(2, 4.0))
    assert volumes(store)[2] == 4.0
