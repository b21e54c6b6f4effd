"""What the ledger promises: a gap is a session minute nobody has fetched, and nothing else."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lake import Covered
from lake.coverage import merge, subtract
from tests.market import OPEN, bar, fetched, session_covered

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
