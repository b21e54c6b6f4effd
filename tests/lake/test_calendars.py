"""What comparing calendars promises: each difference is told, and ours stays as it is."""

from datetime import date

import polars as pl

from lake import calendars
from lake.calendars import CALENDAR_SCHEMA, differences, ours

FIRST, LAST = date(2024, 11, 25), date(2024, 12, 2)


def sessions(*rows):
    return pl.DataFrame(list(rows), schema=CALENDAR_SCHEMA, orient="row")


#: Thanksgiving is on the 28th, and the day after it is a half day.
WEEK = sessions(
    (date(2024, 11, 25), "09:30", "16:00"),
    (date(2024, 11, 26), "09:30", "16:00"),
    (date(2024, 11, 27), "09:30", "16:00"),
    (date(2024, 11, 29), "09:30", "13:00"),
    (date(2024, 12, 2), "09:30", "16:00"),
)


def test_our_sessions_are_those_of_the_exchange():
    assert ours(FIRST, LAST).equals(WEEK)
    assert differences(ours(FIRST, LAST), WEEK).is_empty()


def test_a_session_more_or_less_and_other_hours_are_differences():
    theirs = sessions(
        (date(2024, 11, 25), "09:30", "16:00"),
        (date(2024, 11, 26), "10:00", "16:00"),
        (date(2024, 11, 27), "09:30", "16:00"),
        (date(2024, 11, 28), "09:30", "16:00"),
        (date(2024, 11, 29), "09:30", "16:00"),
    )

    assert differences(WEEK, theirs).rows() == [
        (date(2024, 11, 26), "open", "09:30", "10:00"),
        (date(2024, 11, 28), "session", None, "09:30-16:00"),
        (date(2024, 11, 29), "close", "13:00", "16:00"),
        (date(2024, 12, 2), "session", "09:30-16:00", None),
    ]


def test_what_differs_is_kept_with_when_it_was_known_and_our_table_is_not_touched(store):
    table = store.sql("FROM sessions")
    theirs = WEEK.filter(pl.col("session_date") != LAST)

    assert calendars.commit_calendar(store, "sandbox:iex", theirs, FIRST, LAST).height == 1
    assert calendars.told_differences(store, "sandbox:sip").rows() == [
        (LAST, "session", "09:30-16:00", None)
    ]
    assert calendars.commit_calendar(store, "sandbox:iex", WEEK, FIRST, LAST).is_empty()
    assert calendars.told_differences(store, "sandbox:iex").is_empty()
    held = store.sql("SELECT field, superseded_at IS NULL FROM calendar_differences")
    assert held.rows() == [("session", False)]
    assert store.sql("FROM sessions").equals(table)
