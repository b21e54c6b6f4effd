"""What risk rules promise: they bound what is added, never stand in the way of closing, and say why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_service.risk import (
    RISK_RULES,
    DailyLoss,
    MaximumExposure,
    MaximumPosition,
    MaximumShares,
    NoLateEntry,
    Verdict,
    judged,
)
from strategy_service.situation import Situation

NOW = Situation(
    "SPY",
    price=100.0,
    cash=10_000.0,
    minutes_to_close=200.0,
    session_equity=10_000.0,
    lowest_equity=10_000.0,
)
NAMES = list(RISK_RULES.all())
figures = st.none() | st.floats(-1e5, 1e5)
situations = st.builds(
    Situation,
    symbol=st.just("SPY"),
    price=st.floats(0.01, 1e4),
    cash=st.floats(-1e5, 1e6),
    shares=st.integers(-500, 500),
    others=st.floats(-1e5, 1e5),
    others_gross=st.floats(0, 1e5),
    minutes_to_close=st.none() | st.floats(-10, 400),
    session_equity=figures,
    lowest_equity=figures,
)
rules = st.lists(
    st.sampled_from(NAMES).map(RISK_RULES.make)
    | st.builds(DailyLoss, share=st.floats(0.005, 1), then=st.sampled_from(["keep", "sell"]))
    | st.builds(MaximumShares, shares=st.integers(1, 300)),
    max_size=4,
)


@given(now=situations, target=st.integers(-600, 600), some=rules)
def test_no_rule_adds_to_what_was_asked_or_turns_it_round(now, target, some):
    verdict = judged(target, now, some)

    assert verdict.target * target >= 0
    assert abs(verdict.target) <= abs(target)


@given(now=situations, some=rules, share=st.floats(0, 1))
def test_closing_some_or_all_always_passes(now, some, share):
    target = int(now.shares * share)
    some = [one for one in some if getattr(one, "then", "keep") == "keep"]

    assert judged(target, now, some) == Verdict(target, target, "passed")


@given(now=situations, target=st.integers(-600, 600), some=rules)
def test_what_was_changed_has_a_sentence_and_what_passed_has_none(now, target, some):
    verdict = judged(target, now, some)

    assert (verdict.outcome == "passed") == (verdict.target == target)
    assert bool(verdict.reasons) == (verdict.target != target)
    assert all(one.startswith("SPY: ") and one.endswith(".") for one in verdict.reasons)


@given(now=situations, target=st.integers(-600, 600), some=rules)
def test_judging_again_changes_nothing(now, target, some):
    once = judged(target, now, some).target

    assert judged(once, now, some).target == once


def test_without_rules_everything_passes():
    assert judged(70, NOW, []) == Verdict(70, 70, "passed")


def test_a_position_is_cut_to_its_share_of_the_equity():
    verdict = judged(70, NOW, [MaximumPosition(share=0.25)])

    assert (verdict.target, verdict.outcome) == (25, "cut")
    assert verdict.reasons == (
        "SPY: 25 instead of 70 shares, because a position is at most 0.25 of 10,000.00 USD.",
    )


def test_a_position_that_grew_beyond_its_bound_stays_and_gets_nothing_more():
    grown = replace(NOW, cash=0.0, shares=40)
    verdict = judged(60, grown, [MaximumPosition(share=0.25)])

    assert (verdict.target, verdict.outcome) == (40, "refused")


def test_shares_are_cut_to_the_most():
    assert judged(70, NOW, [MaximumShares(shares=50)]).target == 50
    assert judged(-70, NOW, [MaximumShares(shares=50)]).target == -50


def test_exposure_counts_the_other_positions():
    # 10,000 USD in cash and 5,000 in others; of 15,000 none but 10,000 are left for this one.
    now = replace(NOW, others=5_000.0, others_gross=5_000.0)

    assert judged(200, now, [MaximumExposure(share=1.0)]).target == 100
    # Long and short for 40,000 USD each are worth nothing together, and are 80,000 USD at stake.
    hedged = replace(NOW, others=0.0, others_gross=80_000.0)
    assert judged(10, hedged, [MaximumExposure(share=1.0)]).outcome == "refused"


def test_a_turn_from_long_to_short_is_closed_first_and_then_bounded():
    long = replace(NOW, shares=30)

    assert judged(-70, long, [MaximumShares(shares=50)]).target == -50
    assert judged(-70, long, [NoLateEntry(minutes=390)]) == Verdict(
        -70,
        0,
        "cut",
        ("SPY: 0 instead of -70 shares, because 200 minutes are left of the session and 390 are too few.",),
    )  # fmt: skip


def test_after_the_daily_loss_nothing_is_added_even_if_the_loss_is_made_up():
    limit = DailyLoss(share=0.02)
    before = replace(NOW, cash=9_801.0, lowest_equity=9_801.0)
    after = replace(NOW, cash=9_900.0, lowest_equity=9_800.0)

    assert judged(10, before, [limit]).outcome == "passed"
    verdict = judged(10, after, [limit])
    assert verdict.outcome == "refused"
    assert verdict.reasons == (
        "SPY: 0 instead of 10 shares, because the session has lost 2.00% and the limit is 2.00%.",
    )


def test_the_limit_itself_is_too_much():
    half = replace(NOW, cash=5_000.0, lowest_equity=5_000.0)

    assert judged(10, half, [DailyLoss(share=0.5)]).outcome == "refused"


def test_a_loss_of_this_bar_counts_before_anybody_noted_it():
    now = replace(NOW, cash=9_000.0)  # the lowest equity noted is 10,000

    assert judged(10, now, [DailyLoss(share=0.02)]).outcome == "refused"


def test_the_daily_loss_keeps_a_position_or_sells_it():
    lost = replace(NOW, cash=4_000.0, shares=50, lowest_equity=9_000.0)

    assert judged(50, lost, [DailyLoss(share=0.02)]).target == 50
    verdict = judged(50, lost, [DailyLoss(share=0.02, then="sell")])
    assert verdict.target == 0
    assert verdict.reasons == (
        "SPY: all is sold, because the session has lost 10.00% and the limit is 2.00%.",
    )


@pytest.mark.parametrize(("left", "target"), [(16.0, 10), (15.0, 0), (1.0, 0), (None, 0)])
def test_no_entry_in_the_last_minutes_or_when_they_are_not_known(left, target):
    now = replace(NOW, minutes_to_close=left)

    assert judged(10, now, [NoLateEntry(minutes=15)]).target == target


def test_a_session_whose_equity_is_not_known_gets_no_entry():
    verdict = judged(10, replace(NOW, session_equity=None), [DailyLoss()])

    assert verdict.reasons == (
        "SPY: 0 instead of 10 shares, because what the session has lost is not known.",
    )


def test_each_rule_sees_what_those_before_it_left():
    both = [MaximumShares(shares=60), MaximumPosition(share=0.25)]
    verdict = judged(70, NOW, both)

    assert verdict.target == 25
    assert [one.split(",")[0] for one in verdict.reasons] == [
        "SPY: 60 instead of 70 shares",
        "SPY: 25 instead of 60 shares",
    ]
