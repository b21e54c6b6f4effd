"""What seeded decisions promise: the same again, as often as told, and no more."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import ConfigError
from sandbox.faults import (
    BAR_FAULTS,
    FAULTS,
    MALFORMED,
    REQUEST_FAULTS,
    Fault,
    Faults,
    chance,
    describe_plan,
    merged,
    parse_plan,
)
from sandbox.generator import GeneratedMarket
from sandbox.revisions import Revisions
from sandbox.times import midnight

SEEDS = st.integers(0, 2**31)
NAMES = st.sampled_from(sorted(REQUEST_FAULTS))
RATES = st.floats(0, 1)
PLANS = st.dictionaries(NAMES, RATES, max_size=6)
DAY = 20031  # 2024-11-04
MARKET = GeneratedMarket(1, ("SPY", "THIN"))


def plan_of(**options):
    return merged((), options)


def decisions(seed, plan, requests=200):
    faults, found = Faults(seed, plan), []
    for number in range(1, requests + 1):
        fault = faults.request(number, "/v2/stocks/bars")
        found.append(fault and fault.name)
        if fault:
            faults.note(fault)
    return found


@given(seed=SEEDS, plan=PLANS)
def test_the_same_seed_and_plan_decide_the_same(seed, plan):
    assert decisions(seed, merged((), plan)) == decisions(seed, merged((), plan))


@given(seed=SEEDS, name=NAMES, count=st.integers(0, 10))
def test_a_count_is_never_exceeded_and_reached_at_full_rate(seed, name, count):
    found = decisions(seed, plan_of(**{name: {"rate": 1, "count": count}}))

    assert found == [name] * count + [None] * (200 - count)


@given(seed=SEEDS, name=NAMES, numbers=st.sets(st.integers(1, 200), min_size=1))
def test_numbers_name_the_requests_exactly(seed, name, numbers):
    found = decisions(seed, plan_of(**{name: {"numbers": sorted(numbers)}}))

    assert {number for number, fault in enumerate(found, 1) if fault} == numbers


@given(seed=SEEDS, rate=RATES)
def test_a_rate_is_about_kept(seed, rate):
    hit = sum(map(bool, decisions(seed, plan_of(http_500=rate), 1000)))

    assert abs(hit - 1000 * rate) < 6 * np.sqrt(1000 * rate * (1 - rate)) + 1


@given(SEEDS, st.text(string.ascii_letters), st.integers())
def test_a_chance_is_a_number_from_0_to_below_1_that_stays(seed, what, number):
    assert 0 <= chance(seed, what, number) == chance(seed, what, number) < 1


@given(PLANS)
def test_a_plan_that_is_told_can_be_given_back(plan):
    import json

    whole = merged((), plan)
    assert parse_plan(json.dumps(describe_plan(whole))) == whole


def test_faults_can_be_put_in_and_taken_out():
    plan = merged(plan_of(reset=0.5, stall=0.5), {"stall": None, "http_500": {"rate": 0.25}})

    assert {fault.name: fault.rate for fault in plan} == {"http_500": 0.25, "reset": 0.5}


def test_paths_and_skip_spare_requests():
    faults = Faults(1, plan_of(reset={"rate": 1, "paths": ["/v2/stocks"], "skip": 2}))

    assert faults.request(3, "/v2/clock") is None
    assert faults.request(2, "/v2/stocks/bars") is None
    assert faults.request(3, "/v2/stocks/bars").name == "reset"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[]", "must be an object"),
        ('{"gremlins": 1}', "no fault 'gremlins'"),
        ('{"reset": "often"}', "a rate or an object"),
        ('{"reset": {"speed": 1}}', "no option 'speed'"),
        ('{"reset": 1.5}', "0 to 1"),
        ('{"late_bar": {"at": "noon"}}', "at of late_bar"),
        ('{"late_bar": {"symbols": 3}}', "symbols of late_bar"),
        ('{"halt": {"rate": 1}}', "needs symbols, start and end"),
    ],
)
def test_a_plan_that_makes_no_sense_is_one_sentence(text, says):
    with pytest.raises(ConfigError, match=r"^[^\n]*$") as refused:
        parse_plan(text)

    assert says in str(refused.value)


def history(faults, symbol="SPY", feed="sip"):
    return Revisions(MARKET, faults, 0.2, 1).history(symbol, feed, DAY)


@given(
    seed=SEEDS,
    plan=st.dictionaries(
        st.sampled_from(sorted(set(BAR_FAULTS) - {"halt"})),
        st.fixed_dictionaries({"rate": st.floats(0, 0.2), "delay": st.floats(0, 1e6)}),
    ),
    first=st.integers(0, 26 * 3600),
    later=st.integers(0, 10**6),
)
def test_what_a_moment_saw_holds_as_long_as_it_says(seed, plan, first, later):
    past = history(Faults(seed, merged((), plan)))
    now = midnight(DAY) + first
    seen = past.at(now)
    again = past.at(min(now + later, seen.until - 0.001))

    assert seen.since <= now < seen.until
    assert seen.broken == again.broken
    for before, after in zip(seen.bars.columns(), again.bars.columns(), strict=True):
        assert np.array_equal(before, after)


@given(seed=SEEDS, rate=st.floats(0, 1))
def test_in_the_end_a_corrected_or_late_bar_is_the_markets(seed, rate):
    plan = plan_of(late_bar=rate, late_correction={"rate": rate, "delay": 86_400})
    seen = history(Faults(seed, plan)).at(midnight(DAY) + 10 * 86_400)

    for ours, market in zip(
        seen.bars.columns(), MARKET.minutes("SPY", "sip", DAY).columns(), strict=True
    ):
        assert np.array_equal(ours, market)


@given(SEEDS)
def test_bars_of_another_symbol_or_range_are_left_alone(seed):
    start = midnight(DAY) + 12 * 3600
    one = {"symbols": ["THIN"], "start": start, "end": start + 3600}
    faults = Faults(seed, plan_of(hole=one | {"rate": 1}))
    end = midnight(DAY + 2)

    thin = history(faults, "THIN").at(end).bars.time
    assert not ((thin >= start) & (thin <= start + 3600)).any()
    assert len(thin)
    assert len(history(faults).at(end).bars) == len(MARKET.minutes("SPY", "sip", DAY))


def test_each_malformed_bar_has_one_rule():
    plan = plan_of(**dict.fromkeys(MALFORMED, 0.3))
    seen = history(Faults(1, plan)).at(midnight(DAY + 2))

    assert set(seen.broken.values()) == set(MALFORMED)
    assert set(seen.broken) <= set(seen.bars.time.tolist())


def test_every_fault_says_what_it_does():
    assert all(FAULTS.values())
    assert Fault(name="reset").rate == 1
