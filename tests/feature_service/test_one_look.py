"""What a block that plans ahead promises: one snapshot for all, and the same rows as ever."""

from datetime import date
from threading import Thread

from polars.testing import assert_frame_equal

import lake
from feature_service import sets
from feature_service.reading import Reading
from lake import BAR_SCHEMA, Fetched

from .walks import SOURCE, put, random_walk

_DAY = date(2024, 7, 8)


def test_a_block_sees_one_snapshot_whatever_is_committed_meanwhile(store):
    read = Reading(store, "SPY", SOURCE, sets.feature_set("core"))
    with read.at_once() as snapshot:
        before = read.bars()
        writer = Thread(target=put, args=(store, random_walk("SPY", _DAY, _DAY)))
        writer.start()
        writer.join()
        assert_frame_equal(read.bars(), before)
        assert read.changed(snapshot) == (None, set(), snapshot)

    assert read.bars()["session_date"].max() == _DAY
    assert read.changed(snapshot)[0] == _DAY


def test_live_bars_that_were_read_before_are_those_of_somebody_who_never_read(store):
    more = random_walk("SPY", _DAY, _DAY).select(BAR_SCHEMA.names())
    for minute in range(60, 66):
        live = more.slice(minute, 1)
        store.commit_bars(Fetched(SOURCE, live, live=True))
        with lake.open(store.place.root) as other:
            for asked in (
                {"start": _DAY},
                {"start": _DAY, "limit": 2},
                {"start": live["timestamp"][0]},
            ):
                assert_frame_equal(store.bars("SPY", **asked), other.bars("SPY", **asked))
    corrected = more.slice(60, 2).with_columns(high=more["high"][60] + 1)
    store.commit_bars(Fetched(SOURCE, corrected, live=True))
    with lake.open(store.place.root) as other:
        assert_frame_equal(store.bars("SPY", _DAY), other.bars("SPY", _DAY))
    assert store.bars("SPY", _DAY)["high"][0] == corrected["high"][0]
