"""What ranges and timeframes promise: whole sessions, and never more candles than fit."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lake import TIMEFRAMES as KNOWN
from ui.ranges import MAX_CANDLES, RANGES, TIMEFRAMES, Span, fitting, span_of

DAYS = st.dates(date(2000, 1, 1), date(2030, 1, 1))


def test_the_pages_know_every_timeframe_of_the_lake():
    assert tuple(TIMEFRAMES) == KNOWN


@given(first=DAYS, days=st.integers(0, 4000), regular=st.booleans())
def test_the_chosen_timeframe_fits_unless_not_even_weeks_do(first, days, regular):
    span = Span(first, first + timedelta(days=days))
    bars = span.sessions * TIMEFRAMES[fitting(span, regular_only=regular)][0 if regular else 1]

    assert bars <= MAX_CANDLES or fitting(span, regular_only=regular) == "1week"


def test_one_session_is_shown_minute_by_minute():
    day = date(2024, 11, 4)

    assert fitting(Span(day, day), regular_only=True) == "1min"


def test_a_range_ends_with_the_last_bar_in_new_york():
    first = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    last = datetime(2024, 11, 5, 0, 59, tzinfo=UTC)  # 19:59 of the day before in New York

    assert span_of("1D", first, last) == Span(date(2024, 11, 4), date(2024, 11, 4))
    assert span_of("All", first, last) == Span(date(2024, 1, 2), date(2024, 11, 4))


@given(name=st.sampled_from(list(RANGES)), length=st.integers(0, 3000))
def test_no_range_begins_before_the_first_bar(name, length):
    last = datetime(2024, 11, 4, 15, tzinfo=UTC)
    span = span_of(name, last - timedelta(days=length), last)

    assert (
        date(2024, 11, 4) - timedelta(days=length) <= span.first <= span.last == date(2024, 11, 4)
    )
