"""What the rule promises that tells a minute in which nobody traded from one the provider lacks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lake import absences
from lake.absences import (
    ABSENT,
    CLASSES,
    HALTED,
    MISSING,
    NO_TRADE,
    NOT_FETCHED,
    OUTSIDE,
    PRESENT,
    UNCONFIRMED,
    Grid,
    Peers,
)

SESSIONS, MINUTES = 30, 390
SEED = 20241104


def grid(present, fetched=2, halted=None, expected=None):
    shape = present.shape
    return Grid(
        np.ones(shape, bool) if expected is None else expected,
        present,
        np.full(shape, fetched) if np.isscalar(fetched) else fetched,
        np.zeros(shape, bool) if halted is None else halted,
    )


def full():
    return np.ones((SESSIONS, MINUTES), bool)


def traded(share, sessions=SESSIONS):
    """A symbol that trades in this share of all minutes, each by itself."""
    return np.random.default_rng(SEED).random((sessions, MINUTES)) < share


def lost(one, peers=None):
    return absences.missing(one, absences.usual(one), peers)


@st.composite
def grids(draw):
    shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 12)))
    flags = arrays.arrays(bool, shape)
    fetched = draw(arrays.arrays(np.int64, shape, elements=st.integers(0, 3)))
    expected = draw(flags)
    return Grid(expected, draw(flags) & expected, fetched, draw(flags))


@given(one=grids(), data=st.data())
def test_every_expected_minute_is_of_exactly_one_class_and_no_other_is_of_any(one, data):
    marked = data.draw(arrays.arrays(bool, one.expected.shape))

    codes = absences.classify(one, marked)

    known = {PRESENT, *range(ABSENT, ABSENT + len(CLASSES))}
    assert set(np.unique(codes[one.expected])) <= known
    assert (codes[~one.expected] == OUTSIDE).all()
    for code, holds in (
        (PRESENT, one.present),
        (NOT_FETCHED, ~one.present & (one.fetched == 0)),
        (HALTED, ~one.present & (one.fetched > 0) & one.halted),
        (UNCONFIRMED, ~one.present & (one.fetched == 1) & ~one.halted),
        (MISSING, ~one.present & (one.fetched > 1) & ~one.halted & marked),
        (NO_TRADE, ~one.present & (one.fetched > 1) & ~one.halted & ~marked),
    ):
        assert ((codes == code) == (holds & one.expected)).all(), code


@given(one=grids(), others=st.integers(0, 5))
def test_only_a_minute_that_was_answered_without_a_bar_and_without_a_halt_can_be_missing(
    one, others
):
    shape = one.expected.shape
    peers = Peers(np.full(shape, others), np.full(shape, others))

    assert not (lost(one, peers) & ~one.lacking).any()


def test_a_hole_of_one_liquid_symbol_is_missing_where_its_neighbours_all_have_bars():
    present = full()
    present[15, 100:115] = False

    found = lost(grid(present))

    assert found.sum() == 15
    assert found[15, 100:115].all()


def test_a_whole_session_that_a_liquid_symbol_lacks_is_missing():
    present = full()
    present[15:17] = False  # as Alpaca lacked 2 and 3 May 2018

    assert lost(grid(present)).sum() == 2 * MINUTES


def test_the_newest_session_is_judged_by_those_before_it_alone():
    present = full()
    present[-1, 200:230] = False

    assert lost(grid(present)).sum() == 30


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.95, 0.97, 0.99, 0.999])
def test_minutes_in_which_nobody_happened_to_trade_are_not_missing(share):
    assert not lost(grid(traded(share))).any()


def test_a_quiet_lunch_hour_is_not_missing():
    present = full()
    lunch = slice(150, 240)
    present[:, lunch] = traded(0.2)[:, lunch]

    assert not lost(grid(present)).any()


def test_a_quiet_day_is_its_own_measure():
    """Ten absent minutes are a hole on a usual day, and nothing strange where half the day is like that."""
    usual, quiet = full(), full()
    quiet[15] = np.arange(MINUTES) % 2 == 0
    usual[15, 100:110] = quiet[15, 100:110] = False

    assert lost(grid(usual)).sum() == 10
    assert not lost(grid(quiet)).any()


def test_a_single_minute_needs_other_symbols_to_lack_it_too():
    present = full()
    present[15, 100] = False
    one, shape = grid(present), present.shape
    liquid = np.full(shape, 3)

    assert not lost(one).any()
    assert not lost(one, Peers(liquid, np.ones(shape, int))).any()
    assert lost(one, Peers(liquid, np.full(shape, 2))).sum() == 1
    assert not lost(one, Peers(np.full(shape, 2), np.full(shape, 2))).any(), "two are too few"


def test_before_its_first_bar_and_long_after_its_last_a_symbol_lacks_nothing():
    present = np.zeros((90, MINUTES), bool)
    present[30:60] = True

    found = lost(grid(present))

    assert not found[:30].any()
    assert not found[80:].any()


def test_too_few_neighbours_are_no_judge():
    present = full()[:5]
    present[-1, 100:130] = False

    assert not lost(grid(present)).any()


def test_what_was_halted_or_never_fetched_judges_nothing():
    present, halted, fetched = (
        full(),
        np.zeros((SESSIONS, MINUTES), bool),
        np.full((SESSIONS, MINUTES), 2),
    )
    present[:15, 100:115] = False
    halted[:8, 100:115], fetched[8:15, 100:115] = True, 0
    present[20, 100:115] = False

    found = lost(grid(present, fetched, halted))

    assert found.sum() == 15
    assert found[20, 100:115].all()


def test_a_daily_bar_that_all_other_days_have_is_missing():
    days = np.ones((41, 1), bool)
    days[20] = False
    thin = np.arange(41).reshape(-1, 1) % 3 != 0

    assert lost(grid(days))[20]
    assert not lost(grid(thin)).any()


NOW = datetime(2024, 11, 8, 22, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


def asks_until_it_is_over(code, every, days=90):
    """When a hole of one class is asked for, if somebody looks again and again."""
    asked, at, found = 0, absences.micros(NOW), []
    moment = NOW
    while moment < NOW + timedelta(days=days):
        if absences.due(np.array([code]), np.array([asked]), np.array([at]), moment)[0]:
            asked, at = asked + 1, absences.micros(moment)
            found.append(moment - NOW)
        moment += every
    return found


@pytest.mark.parametrize("code", [NOT_FETCHED, MISSING, UNCONFIRMED])
def test_a_hole_is_asked_for_three_times_at_growing_distances_and_then_never_again(code):
    waits = asks_until_it_is_over(code, timedelta(minutes=5), days=15)

    assert waits == [
        timedelta(minutes=5),
        timedelta(minutes=5, days=1),
        timedelta(minutes=5, days=8),
    ]
    assert len(asks_until_it_is_over(code, timedelta(days=1))) == 3


@pytest.mark.parametrize("code", [OUTSIDE, PRESENT, HALTED, NO_TRADE])
def test_what_is_there_or_explained_is_never_asked_for(code):
    assert asks_until_it_is_over(code, timedelta(hours=1)) == []


@pytest.mark.parametrize(("lost", "wanted"), [(1, True), (20, True), (21, False), (500, False)])
def test_a_long_row_of_sessions_that_were_never_fetched_is_history_nobody_wanted(lost, wanted):
    codes = np.full((lost + 10, 390), PRESENT)
    codes[5 : 5 + lost] = NOT_FETCHED
    codes[:, 300] = OUTSIDE

    found = absences.unwanted(codes)

    assert found.sum() == (0 if wanted else lost)
    assert not found[:5].any()
    assert not found[5 + lost :].any()


def test_what_was_never_fetched_is_asked_for_at_once():
    assert absences.due(np.array([NOT_FETCHED]), np.array([0]), np.array([0]), NOW)[0]
