"""What a drawdown promises: worked by hand, and a slow, obvious way to find it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation_service.drawdowns import Drawdown, drawdown, max_drawdown

# Two values a session: a high of 120, a fall to 90, made good in the third; then a small one.
CURVE = np.array([100.0, 120, 110, 90, 100, 119, 120, 130, 129, 125])
SESSION = np.array([7, 7, 8, 8, 9, 9, 12, 12, 13, 13])


def slow(curve, session):
    """Falls from one high to the next, one after another."""
    falls, high, first = [], 0, None
    for place in range(1, len(curve) + 1):
        if place < len(curve) and curve[place] < curve[high]:
            first = place if first is None else first
            continue
        if first is not None:
            inside = curve[first:place]
            days = len(set(session[first:place].tolist()))
            recovery = place if place < len(curve) else None
            falls.append(
                (inside.min() / curve[high] - 1, high, first + int(inside.argmin()), recovery, days)
            )
            first = None
        high = place
    if not falls:
        return Drawdown(0.0, None, None, None, 0, 0)
    return Drawdown(*min(falls, key=lambda fall: fall[0]), max(fall[4] for fall in falls))


def test_the_worst_fall_by_hand():
    found = drawdown(CURVE, SESSION)

    assert found.depth == pytest.approx(-0.25)
    assert (found.start, found.trough, found.recovery) == (1, 3, 6)
    assert (found.sessions, found.longest_sessions) == (2, 2)


def test_a_fall_that_is_not_made_good_lasts_to_the_end():
    found = drawdown(np.array([100.0, 99, 80, 90]), np.array([1, 2, 3, 4]))

    assert (found.start, found.trough, found.recovery) == (0, 2, None)
    assert found.sessions == 3


def test_the_longest_fall_may_be_another_one():
    found = drawdown(np.array([100.0, 50, 100, 99, 98, 97]), np.arange(6))

    assert found.depth == -0.5
    assert (found.sessions, found.longest_sessions) == (1, 3)


def test_a_curve_without_a_fall_has_no_drawdown():
    for curve in ([5.0], [5.0, 5.0, 5.0], [1.0, 2.0, 3.0]):
        found = drawdown(np.array(curve), np.arange(len(curve)))
        assert found == Drawdown(0.0, None, None, None, 0, 0)


def test_more_than_everything_can_be_lost():
    assert drawdown(np.array([100.0, -20.0]), np.array([1, 1])).depth == pytest.approx(-1.2)


@given(
    steps=st.lists(st.integers(-3, 3), min_size=1, max_size=40),
    width=st.integers(1, 4),
)
def test_it_is_what_the_obvious_way_finds(steps, width):
    curve = 1000.0 + np.cumsum(steps)
    session = np.arange(len(curve)) // width * 5

    assert drawdown(curve, session) == slow(curve, session)
    assert max_drawdown(curve) == drawdown(curve, session).depth


@given(
    before=st.integers(990, 1010),
    steps=st.lists(st.integers(-3, 3), min_size=1, max_size=40),
    width=st.integers(1, 4),
)
def test_a_value_before_the_curve_counts_as_if_it_were_its_first(before, steps, width):
    curve = 1000.0 + np.cumsum(steps)
    session = np.arange(len(curve)) // width * 5
    whole = np.append(float(before), curve)

    found = drawdown(curve, session, before=before)

    assert found == slow(whole, np.append(session[:1], session))
    assert max_drawdown(curve, before=before) == found.depth


def test_the_depth_is_numpys_to_the_bit():
    draw = np.random.default_rng(3)
    for _ in range(200):
        curve = 100 * np.exp(np.cumsum(draw.normal(0, 0.01, 300)))
        shares = curve / np.maximum.accumulate(curve)

        found = drawdown(curve, np.arange(300))

        assert found.depth == float(shares.min() - 1)
        assert found.trough == int(shares.argmin())
