"""What the calendar promises. The facts are the exchange's own: nyse.com, "Holidays and trading hours"."""

from datetime import UTC, date, datetime

import pytest

from lake import sessions
from lake.errors import RangeError


@pytest.mark.parametrize(
    ("day", "opens", "closes", "ends"),
    [
        (date(2024, 11, 1), "13:30", "20:00", "00:00"),  # summer time
        (date(2024, 11, 4), "14:30", "21:00", "01:00"),  # winter time
        (date(2024, 11, 29), "14:30", "18:00", "22:00"),  # the day after Thanksgiving
        (date(2024, 7, 3), "13:30", "17:00", "21:00"),  # before Independence Day
    ],
)
def test_hours_follow_the_clocks_and_half_days(day, opens, closes, ends):
    session = sessions.schedule(day, day).to_dicts()[0]

    assert [session[name].strftime("%H:%M") for name in ("open", "close", "post_close")] == [
        opens,
        closes,
        ends,
    ]
    assert session["half_day"] == (closes in {"18:00", "17:00"})


def test_closed_days_are_no_sessions():
    days = sessions.schedule(date(2024, 12, 20), date(2025, 1, 13))["session_date"].to_list()

    closed = {
        date(2024, 12, 25),
        date(2025, 1, 1),
        date(2025, 1, 9),
        date(2024, 12, 21),
    }  # Jan 9: mourning for a president
    assert not closed & set(days)
    assert len(days) == 14


def test_a_range_of_dates_covers_whole_days_in_new_york_across_the_change_of_clocks():
    start, end = sessions.window("2024-11-03", "2024-11-03")

    assert (start, end) == (
        datetime(2024, 11, 3, 4, tzinfo=UTC),
        datetime(2024, 11, 4, 5, tzinfo=UTC),
    )


def test_a_time_keeps_its_moment_and_both_ends_are_included():
    start, end = sessions.window("2024-11-04T09:30:00-05:00", "2024-11-04T09:31:00-05:00")

    assert start == datetime(2024, 11, 4, 14, 30, tzinfo=UTC)
    assert end > datetime(2024, 11, 4, 14, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("2024-11-05", "2024-11-04", "Swap the two"),
        ("2024-11-04T09:30:00", None, "has no zone"),
        ("yesterday", None, "neither a date"),
        ("2024-13-01", None, "neither a date"),
        (None, "2024-02-30", "neither a date"),
        (None, "9999-12-31", "out of range"),
        ("0001-01-01T00:00:00+14:00", None, "out of range"),
    ],
)
def test_a_range_that_cannot_be_is_answered_with_a_sentence(start, end, says):
    with pytest.raises(RangeError, match=says):
        sessions.window(start, end)
