"""What the live path gives is the last row of the file that a build stores, to the bit."""

from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_service import build
from feature_service.online import Online
from lake import Fetched
from lake.features import read_features

from .walks import SOURCE, put, random_walk

MONDAY = random_walk("SPY", date(2024, 7, 8), date(2024, 7, 8), seed=3)
TUESDAY = random_walk("SPY", date(2024, 7, 9), date(2024, 7, 9), seed=4)


def same_as_a_build(store, online, name):
    row = online.latest("SPY")
    build.build(store, "SPY", name, full=True)
    assert_frame_equal(row, read_features(store, "SPY", name).tail(1), check_exact=True)


def live(store, bars):
    store.commit_bars(Fetched(SOURCE, bars, live=True))


@pytest.mark.parametrize("name", ["core", "wide", "core_15min", "core_all"])
def test_bar_by_bar_and_over_a_night(store, name):
    build.build(store, "SPY", name)
    online = Online(store, name)
    for part in (
        MONDAY.head(1),
        MONDAY.slice(1, 40),
        MONDAY.slice(41),
        TUESDAY.head(2),
        TUESDAY.slice(2, 1),
    ):
        live(store, part)
        online.latest("SPY")
    same_as_a_build(store, online, name)


def test_after_sessions_that_no_build_has_seen_it_goes_on_from_memory(store, monkeypatch):
    build.build(store, "SPY")
    live(store, MONDAY)
    live(store, TUESDAY.head(30))
    online = Online(store)
    online.latest("SPY")
    live(store, TUESDAY.slice(30, 1))
    monkeypatch.setattr(online, "_begun", None)  # to begin anew would take several times as long

    assert online.latest("SPY")["timestamp"].item() == TUESDAY["timestamp"][30]
    same_as_a_build(store, online, "core")


def test_without_any_build(store):
    online = Online(store)
    same_as_a_build(store, online, "core")
    live(store, MONDAY.head(3))
    same_as_a_build(store, online, "core")


def test_a_bar_corrected_earlier_in_the_session_counts(store):
    build.build(store, "SPY")
    online = Online(store)
    live(store, MONDAY.head(30))
    before = online.latest("SPY")
    live(store, MONDAY.slice(20, 1).with_columns(pl.col("high", "close") + 1))

    assert online.latest("SPY")["sma_20"].item() != before["sma_20"].item()
    same_as_a_build(store, online, "core")


def test_a_correction_of_an_earlier_session_counts(store):
    build.build(store, "SPY")
    online = Online(store)
    live(store, MONDAY.head(30))
    before = online.latest("SPY")
    friday = random_walk("SPY", date(2024, 7, 5), date(2024, 7, 5), seed=9)
    put(store, friday)

    assert online.latest("SPY")["sma_200"].item() != before["sma_200"].item()
    same_as_a_build(store, online, "core")


def test_nothing_new_gives_the_same_row(store):
    online = Online(store)

    assert_frame_equal(online.latest("SPY"), online.latest("spy"), check_exact=True)


def test_a_symbol_with_a_few_bars_has_a_row_too(store):
    few = random_walk("IWM", date(2024, 7, 8), date(2024, 7, 8)).head(3)
    store.commit_bars(Fetched(SOURCE, few))
    online = Online(store)
    first = online.latest("IWM")
    more = few.with_columns(pl.col("timestamp") + timedelta(hours=1))
    store.commit_bars(Fetched(SOURCE, more))

    assert online.latest("IWM")["timestamp"].item() > first["timestamp"].item()
    assert first["sma_200"].item() is None
