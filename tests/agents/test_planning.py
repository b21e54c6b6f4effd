"""What packing requests promises: all that is missing and nothing else, in full pages."""

from datetime import UTC, date, datetime, timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planning import PAGES, Part, estimate, pack
from bench import planner
from lake import sessions
from lake.coverage import merge
from lake.journal import Journal
from lake.journal.budget import OwnBudget, RateWindow, SharedBudget

PAGE = 10_000
LONG = (date(2024, 11, 21), date(2026, 11, 20))


def hole(first: date, last: date) -> tuple[datetime, datetime]:
    return sessions.midnight(first), sessions.midnight(last + timedelta(days=1))


def replayed(part: Part, bars_a_session: int) -> int:
    """How many pages a provider answers a request with that has so many bars a symbol and session."""
    return max(ceil(part.sessions * bars_a_session * len(part.symbols) / PAGE), 1)


@pytest.mark.parametrize("bars_a_session", [390, 960])
def test_two_years_of_500_symbols_take_hardly_more_requests_than_full_pages(bars_a_session):
    symbols = [f"S{number:03}" for number in range(500)]
    parts = pack({symbol: [hole(*LONG)] for symbol in symbols})

    bars = sum(part.sessions * bars_a_session * len(part.symbols) for part in parts)
    requests = sum(replayed(part, bars_a_session) for part in parts)
    full = sum(part.sessions * bars_a_session * len(part.symbols) // PAGE for part in parts)

    assert bars == 500 * sessions.schedule(*LONG).height * bars_a_session
    assert requests <= 1.1 * bars / PAGE
    assert full >= 0.95 * requests
    assert len(parts) < 1000


@pytest.mark.parametrize("bars_a_session", [390, 960])
def test_the_same_takes_hardly_longer_than_full_pages_at_the_providers_rate(bars_a_session):
    parts, clock = planner.parts_of(500), planner.Clock()
    budget = OwnBudget([RateWindow(200)], clock.time)
    played = planner.play(parts, bars_a_session, budget, clock)

    assert played.bars == 500 * sessions.schedule(*LONG).height * bars_a_session
    assert played.minutes <= 1.1 * played.bars / PAGE / 200
    assert played.minutes <= planner.told(parts).minutes
    assert played.refused == 0  # no request was early


def test_the_budget_in_the_journal_takes_as_long(tmp_path):
    parts, clocks = planner.parts_of(30), (planner.Clock(), planner.Clock())
    own = planner.play(parts, 390, OwnBudget([RateWindow(200)], clocks[0].time), clocks[0])
    with Journal.open(tmp_path, now=clocks[1].now) as journal:
        shared = SharedBudget(journal, "alpaca", [RateWindow(200)])
        played = planner.play(parts, 390, shared, clocks[1])

    assert played.requests == own.requests > 2 * 200
    assert played.minutes == pytest.approx(own.minutes, abs=0.01)
    assert played.refused == 0


def test_what_it_comes_to_is_told_before():
    parts = pack({f"S{number:03}": [hole(*LONG)] for number in range(500)})
    told = estimate(parts, page_bars=PAGE, rate=200, minutes=True, bar_bytes=32)

    days = sessions.schedule(*LONG).height
    assert told.bars == 500 * days * 960
    assert told.regular_bars == 500 * days * 390
    assert told.requests <= 1.1 * told.bars / PAGE
    assert told.minutes == pytest.approx(told.requests / 200)
    assert told.bytes == told.bars * 32


def test_the_newest_years_come_first_or_the_oldest():
    holes = {"SPY": [hole(date(2022, 1, 3), date(2024, 12, 31))]}

    newest = [part.start.year for part in pack(holes)]
    oldest = [part.start.year for part in pack(holes, order="oldest")]

    assert newest == [2024, 2023, 2022]
    assert oldest == [2022, 2023, 2024]


def test_a_day_of_all_symbols_is_one_request():
    day = hole(date(2024, 11, 4), date(2024, 11, 4))
    (part,) = pack({f"S{number:03}": [day] for number in range(150)})

    assert len(part.symbols) == 150
    assert part.most == 150 * 960


def test_daily_bars_are_not_cut_by_years():
    (part,) = pack({"SPY": [hole(date(2016, 1, 4), date(2024, 12, 31))]}, minutes=False)

    assert (
        part.bars == part.sessions == sessions.schedule(date(2016, 1, 4), date(2024, 12, 31)).height
    )


minutes = st.integers(0, 60 * 24 * 800).map(
    lambda number: datetime(2023, 6, 1, tzinfo=UTC) + timedelta(minutes=number)
)
intervals = st.tuples(minutes, minutes).filter(lambda pair: pair[0] < pair[1])
lacking = st.dictionaries(
    st.sampled_from(["AAA", "BBB", "CCC", "DDD"]), st.lists(intervals, max_size=3).map(merge)
)


@given(holes=lacking, most_symbols=st.integers(1, 5), order=st.sampled_from(["newest", "oldest"]))
def test_every_missing_minute_is_asked_for_once_and_no_other(holes, most_symbols, order):
    parts = pack(holes, most_symbols=most_symbols, order=order)

    asked: dict[str, list] = {}
    for part in parts:
        assert 1 <= len(part.symbols) <= most_symbols
        assert part.pages(PAGE) <= PAGES + ceil(part.bars / PAGE)
        for symbol in part.symbols:
            asked.setdefault(symbol, []).append((part.start, part.end))
    for symbol, found in asked.items():
        assert sum((end - start for start, end in found), timedelta()) == sum(
            (end - start for start, end in holes[symbol]), timedelta()
        )
        assert merge(found) == merge(holes[symbol])
    assert {*asked} == {symbol for symbol, found in holes.items() if found}
