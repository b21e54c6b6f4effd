"""What an answer of pages covers: never more than it proves, all of it at the end."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from agents.pages import LAG, answered, next_day
from agents.sources import Page
from lake import BAR_SCHEMA, sessions
from tests.market import OPEN, bar, frame

END = OPEN + timedelta(minutes=60)
SYMBOLS = ["AAA", "BBB", "CCC"]


def paged(rows, size):
    cuts = [rows[place : place + size] for place in range(0, len(rows), size)] or [[]]
    return [Page(frame(*cut), last=number == len(cuts) - 1) for number, cut in enumerate(cuts)]


def minutes(part):
    return {
        (piece.symbol, minute)
        for piece in part.covered
        for minute in range(60)
        if piece.start <= OPEN + timedelta(minutes=minute) < piece.end
    }


def replay(parts):
    """A lake in a dict: what is covered and not among the bars is withdrawn."""
    held, covered = {}, set()
    for part in parts:
        rows = {(row["symbol"], row["timestamp"]): row["close"] for row in part.bars.to_dicts()}
        for key in [
            key
            for key in held
            if (key[0], (key[1] - OPEN) // timedelta(minutes=1)) in minutes(part)
            and key not in rows
        ]:
            del held[key]
        held |= rows
        covered |= minutes(part)
    return held, covered


truth = st.sets(st.tuples(st.sampled_from(SYMBOLS), st.integers(0, 59)), max_size=40).map(sorted)


@given(keys=truth, size=st.integers(1, 12))
def test_orderly_pages_cover_everything_once_and_commit_one_by_one(keys, size):
    rows = [bar(minute, symbol=symbol) for symbol, minute in keys]
    pages = paged(rows, size)

    parts = list(answered(pages, SYMBOLS, OPEN, END))

    held, covered = replay(parts)
    assert len(held) == len(rows)
    assert covered == {(symbol, minute) for symbol in SYMBOLS for minute in range(60)}
    assert sum(len(minutes(part)) for part in parts) == len(covered), "a minute was covered twice"
    assert len(parts) == max(len(pages) - LAG, 1)  # the last ones come together


@given(keys=truth, size=st.integers(1, 12), order=st.randoms(), twice=st.booleans())
def test_pages_that_come_shuffled_or_twice_lose_nothing(keys, size, order, twice):
    rows = [bar(minute, symbol=symbol) for symbol, minute in keys]
    pages = [page.bars for page in paged(rows, size)]
    pages += pages[:1] if twice else []
    order.shuffle(pages)
    shuffled = [Page(bars, last=number == len(pages) - 1) for number, bars in enumerate(pages)]

    held, covered = replay(answered(shuffled, SYMBOLS, OPEN, END))

    assert set(held) == {(row["symbol"], row["timestamp"]) for row in rows}
    assert covered == {(symbol, minute) for symbol in SYMBOLS for minute in range(60)}


@given(keys=truth, size=st.integers(1, 4), order=st.randoms())
def test_pages_out_of_order_that_are_not_believed_give_bars_and_prove_no_minute_twice(
    keys, size, order
):
    rows = [bar(minute, symbol=symbol) for symbol, minute in keys]
    pages = [page.bars for page in paged(rows, size)]
    order.shuffle(pages)
    shuffled = [Page(bars, last=number == len(pages) - 1) for number, bars in enumerate(pages)]

    parts = list(answered(shuffled, SYMBOLS, OPEN, END, believe=False))

    held, covered = replay(parts)
    assert set(held) == {(row["symbol"], row["timestamp"]) for row in rows}
    everything = {(symbol, minute) for symbol in SYMBOLS for minute in range(60)}
    assert (covered == everything) == parts[-1].orderly


@given(keys=truth, size=st.integers(1, 12), cut=st.integers(0, 10))
def test_an_answer_that_breaks_off_covers_only_what_it_proved(keys, size, cut):
    rows = [bar(minute, symbol=symbol) for symbol, minute in keys]
    pages = [Page(page.bars, last=False) for page in paged(rows, size)][:cut]

    held, covered = replay(answered(pages, SYMBOLS, OPEN, END))

    known = {(row["symbol"], (row["timestamp"] - OPEN) // timedelta(minutes=1)) for row in rows}
    stored = {(symbol, (at - OPEN) // timedelta(minutes=1)) for symbol, at in held}
    assert known & covered == stored & covered, "a minute was called fetched whose bar never came"


@given(
    keys=truth,
    size=st.integers(1, 4),
    cut=st.integers(0, 30),
    late=st.integers(0, 20),
    by=st.integers(0, LAG),
)
def test_a_page_that_comes_late_is_not_taken_for_fetched_when_the_answer_breaks_off(
    keys, size, cut, late, by
):
    rows = [bar(minute, symbol=symbol) for symbol, minute in keys]
    pages = [Page(page.bars, last=False) for page in paged(rows, size)]
    if late < len(pages):
        pages.insert(late + by, pages.pop(late))

    held, covered = replay(answered(pages[:cut], SYMBOLS, OPEN, END))

    known = {(row["symbol"], (row["timestamp"] - OPEN) // timedelta(minutes=1)) for row in rows}
    stored = {(symbol, (at - OPEN) // timedelta(minutes=1)) for symbol, at in held}
    assert known & covered == stored & covered


def test_an_empty_last_page_ends_the_data():
    pages = [
        Page(frame(bar(3, symbol="AAA")), last=False),
        Page(pl.DataFrame(schema=BAR_SCHEMA), last=True),
    ]

    _, covered = replay(answered(pages, ["AAA"], OPEN, END))

    assert covered == {("AAA", minute) for minute in range(60)}


#: Days around both changes of the clocks of 2024.
WEEKS = [date(2024, month, 1) + timedelta(days=day) for month in (3, 11) for day in range(14)]


@given(
    days=st.sets(st.sampled_from(WEEKS[:14]) | st.sampled_from(WEEKS[14:])), size=st.integers(1, 5)
)
def test_pages_of_days_cover_whole_days_of_new_york_end_to_end(days, size):
    rows = [bar(sessions.midnight(day), symbol="AAA") for day in sorted(days)]
    start, end = sessions.midnight(WEEKS[0]), sessions.midnight(WEEKS[-1] + timedelta(days=1))

    parts = list(answered(paged(rows, size), ["AAA"], start, end, after=next_day))

    pieces = [piece for part in parts for piece in part.covered]
    edges = [start, *(piece.end for piece in pieces)]
    assert [piece.start for piece in pieces] == edges[:-1], "a moment was covered twice or not"
    assert edges[-1] == end
    assert {sessions.midnight(sessions.today(edge)) for edge in edges} == set(edges)
    for part in parts[:-1]:
        (piece,) = part.covered
        assert sessions.today(part.bars["timestamp"][-1]) == sessions.today(
            piece.end - timedelta(microseconds=1)
        )


def test_the_day_after_one_is_23_24_or_25_hours_away():
    before = {date(2024, 3, 10): 23, date(2024, 11, 3): 25, date(2024, 7, 4): 24}

    for day, hours in before.items():
        midnight = sessions.midnight(day)
        assert next_day(midnight) - midnight == timedelta(hours=hours)
    assert next_day(datetime(2024, 11, 4, 5, tzinfo=UTC)) == datetime(2024, 11, 5, 5, tzinfo=UTC)
