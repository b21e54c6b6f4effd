"""What the ledger promises: a gap is a session minute nobody has fetched, and nothing else."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lake
from lake import BarsMissingError, Covered, sessions
from lake.coverage import merge, subtract, uncovered_days
from lake.datasets import DatasetError
from tests.market import OPEN, SOURCE, bar, fetched, session_covered

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


def minutes(intervals):
    return {minute for start, end in intervals for minute in range(start, end)}


@given(intervals=spans)
def test_merging_keeps_the_same_minutes_apart_and_in_order(intervals):
    merged = merge(intervals)

    assert minutes(merged) == minutes(intervals)
    assert all(before[1] < after[0] for before, after in pairwise(merged))


@given(wanted=st.tuples(st.integers(0, 60), st.integers(0, 60)), intervals=spans)
def test_what_is_missing_is_what_is_wanted_and_not_covered(wanted, intervals):
    missing = subtract(wanted, intervals)

    assert minutes(missing) == minutes([wanted]) - minutes(intervals)
    assert missing == merge(missing)


def test_a_minute_without_a_bar_is_absent_and_no_gap_once_it_was_fetched(store):
    store.commit_bars(fetched(bar(0), bar(5), covered=(session_covered(date(2024, 11, 4)),)))

    assert store.gaps("SPY").is_empty()
    assert store.absent("SPY").rows() == [(date(2024, 11, 4), 390, 2, 388)]


def test_minutes_nobody_fetched_are_gaps_and_not_absent(store):
    part = Covered("SPY", OPEN, OPEN + timedelta(minutes=100))
    store.commit_bars(fetched(bar(0), covered=(part,)))

    gaps = store.gaps("SPY", "2024-11-04", "2024-11-05")

    assert gaps.rows() == [
        (
            date(2024, 11, 4),
            OPEN + timedelta(minutes=100),
            datetime(2024, 11, 4, 21, tzinfo=UTC),
            290,
        ),
        (
            date(2024, 11, 5),
            datetime(2024, 11, 5, 14, 30, tzinfo=UTC),
            datetime(2024, 11, 5, 21, tzinfo=UTC),
            390,
        ),
    ]
    assert store.absent("SPY", "2024-11-04", "2024-11-05").rows() == [
        (date(2024, 11, 4), 100, 1, 99)
    ]


def test_a_range_that_begins_within_a_session_counts_the_rest_of_it(store):
    part = Covered("SPY", OPEN, OPEN + timedelta(minutes=100))
    store.commit_bars(fetched(bar(0), bar(60), covered=(part,)))
    start = OPEN + timedelta(minutes=40)

    assert store.gaps("SPY", start, "2024-11-04")["minutes"].to_list() == [290]
    assert store.absent("SPY", start, "2024-11-04").rows() == [(date(2024, 11, 4), 60, 1, 59)]


def test_a_half_day_expects_its_own_minutes(store):
    store.commit_bars(fetched(bar(0), covered=(session_covered(date(2024, 11, 29)),)))

    assert store.absent("SPY")["expected"].to_list() == [210]


def test_coverage_is_told_merged(store):
    for day in (date(2024, 11, 4), date(2024, 11, 5)):
        store.commit_bars(fetched(bar(0), covered=(session_covered(day),)))

    assert store.coverage("SPY").rows() == [
        (datetime(2024, 11, 4, 5, tzinfo=UTC), datetime(2024, 11, 6, 5, tzinfo=UTC))
    ]


def midnight(month, day):
    return sessions.midnight(date(2024, month, day))


def test_a_daily_gap_is_a_session_whose_midnight_nobody_fetched(store):
    parts = (
        Covered("SPY", midnight(10, 31), midnight(10, 31) + timedelta(minutes=1)),
        Covered("SPY", midnight(11, 4) + timedelta(minutes=1), midnight(11, 6)),
    )
    days = fetched(bar(midnight(10, 31)), bar(midnight(11, 5)), covered=parts)
    store.commit_bars(days, dataset="bars_daily")

    gaps = store.gaps("SPY", dataset="bars_daily")

    assert gaps.rows() == [
        (date(2024, 11, 1), midnight(11, 1), midnight(11, 2), None),
        (date(2024, 11, 4), midnight(11, 4), midnight(11, 5), None),
    ]
    assert store.gaps("SPY", "2024-11-05", "2024-11-06", dataset="bars_daily")[
        "session_date"
    ].to_list() == [date(2024, 11, 6)]
    assert store.absent("SPY", dataset="bars_daily").rows() == [
        (date(2024, 10, 31), 1, 1, 0),
        (date(2024, 11, 5), 1, 1, 0),
    ]


def test_a_fetched_day_without_a_bar_is_absent(store):
    parts = tuple(session_covered(date(2024, 11, day)) for day in (4, 5))
    store.commit_bars(fetched(bar(midnight(11, 4)), covered=parts), dataset="bars_daily")

    assert store.gaps("SPY", dataset="bars_daily").is_empty()
    assert store.absent("SPY", dataset="bars_daily")["absent"].to_list() == [0, 1]


def test_a_day_that_is_not_over_is_no_gap(store):
    part = Covered("SPY", midnight(11, 7), midnight(11, 8))
    store.commit_bars(fetched(bar(midnight(11, 7)), covered=(part,)), dataset="bars_daily")
    eight = datetime(2024, 11, 8, 20, tzinfo=ZoneInfo("America/New_York"))

    for now, missing in ((eight - timedelta(minutes=1), []), (eight, [date(2024, 11, 8)])):
        with lake.open(store.home, now=lambda now=now: now) as then:
            gaps = then.gaps("SPY", "2024-11-07", "2024-11-11", dataset="bars_daily")
        assert gaps["session_date"].to_list() == missing


def test_each_dataset_has_intervals_of_its_own(store):
    day = session_covered(date(2024, 11, 4))
    store.commit_bars(fetched(bar(0), covered=(day,)))

    assert store.coverage("SPY").height == 1
    assert store.covered("SPY", SOURCE, dataset="bars_daily") == []
    with pytest.raises(BarsMissingError, match="barlake ingest SPY --dataset bars_daily"):
        store.gaps("SPY", dataset="bars_daily")
    with pytest.raises(DatasetError):
        store.coverage("SPY", SOURCE, dataset="bars_1w")


@given(
    days=st.sets(st.sampled_from([date(2024, 10, 28) + timedelta(days=n) for n in range(14)])),
    intervals=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=5),
)
def test_every_day_is_a_gap_or_fetched_by_whether_its_midnight_is(days, intervals):
    start = sessions.midnight(date(2024, 10, 28))
    spans = [
        (start + timedelta(hours=first), start + timedelta(hours=last)) for first, last in intervals
    ]

    gaps = set(uncovered_days(sorted(days), merge(spans))["session_date"])

    held = {
        day for day in days if any(first <= sessions.midnight(day) < last for first, last in spans)
    }
    assert gaps == days - held
