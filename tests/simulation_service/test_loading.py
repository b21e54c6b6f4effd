"""What loading a market promises: raw bars of regular hours with splits, dividends and halts."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

import lake
from lake.actions import ACTION_SCHEMA, Answered
from lake.halts import HALT_SCHEMA, commit_halts
from simulation_service.loading import MarketMissingError, halted_bars, load_market
from simulation_service.market import Event
from tests.feature_service.walks import SOURCE, put, random_walk

FIRST, LAST = date(2024, 7, 1), date(2024, 7, 5)


@pytest.fixture
def store(tmp_path):
    with lake.open(tmp_path / "home", create=True) as opened:
        put(opened, random_walk("SPY", FIRST, LAST, absent=0.1))
        yield opened


def act(store, *actions):
    rows = [
        {
            "action_id": str(number),
            "symbol": "SPY",
            "kind": kind,
            "ex_date": day,
            "process_date": day,
            "ratio": ratio,
            "amount": amount,
            "details": details,
        }
        for number, (kind, day, ratio, amount, details) in enumerate(actions)
    ]
    told = pl.DataFrame(rows, schema=ACTION_SCHEMA)
    store.commit_actions(Answered(SOURCE, told, ("SPY",), FIRST, LAST))


def test_a_market_is_raw_and_has_its_actions_at_the_first_bar_of_the_ex_session(store):
    act(
        store,
        ("forward_split", date(2024, 7, 2), 2.0, None, "{}"),
        ("cash_dividend", date(2024, 7, 3), None, 0.5, "{}"),
        ("cash_dividend", date(2024, 7, 8), None, 9.0, "{}"),  # not yet
    )
    found = load_market(store, "SPY")
    raw = store.bars("SPY", adjust="raw", regular_only=True)
    days = raw["session_date"]

    assert found.market.close.tolist() == raw["close"].to_list()
    assert found.market.splits == (Event(days.index_of(date(2024, 7, 2)), 2.0),)
    assert found.market.dividends == (Event(days.index_of(date(2024, 7, 3)), 0.5),)
    assert not found.market.halted.any()
    assert found.warnings == ()


def test_actions_of_the_first_day_are_not_for_who_comes_that_day(store):
    act(store, ("forward_split", date(2024, 7, 2), 2.0, None, "{}"))

    assert load_market(store, "SPY", start="2024-07-02").market.splits == ()
    assert len(load_market(store, "SPY", start="2024-07-01").market.splits) == 1


def test_what_is_not_known_in_dollars_is_said_and_not_credited(store):
    act(
        store,
        ("cash_dividend", date(2024, 7, 2), None, 1.0, '{"currency": "CAD"}'),
        ("spin_off", date(2024, 7, 3), None, None, '{"new_symbol": "NEW", "new_rate": "1", "source_rate": "4"}'),
    )  # fmt: skip
    found = load_market(store, "SPY")

    assert found.market.dividends == ()
    assert len(found.warnings) == 2
    assert any("spin off of 2024-07-03 was worth is not known" in one for one in found.warnings)


def test_a_spin_off_is_credited_at_the_close_of_its_ex_day(store):
    put(store, random_walk("NEW", date(2024, 7, 3), LAST, seed=7))
    details = '{"new_symbol": "NEW", "new_rate": "1", "source_rate": "4"}'
    act(store, ("spin_off", date(2024, 7, 3), None, None, details))
    (credited,) = load_market(store, "SPY").market.dividends
    closes = store.bars("NEW", "2024-07-03", "2024-07-03", regular_only=True)["close"]

    assert credited.value == pytest.approx(closes[-1] / 4)


def test_halts_of_the_symbol_close_their_minutes(store):
    times = store.bars("SPY", regular_only=True)["timestamp"]
    halt = (times[50] + timedelta(seconds=30), times[60])
    row = {"source": SOURCE, "symbol": "SPY", "start": halt[0], "end": halt[1], "reason": "LUDP"}
    commit_halts(store, pl.DataFrame([row], schema=HALT_SCHEMA))
    halted = load_market(store, "SPY").market.halted

    assert halted.nonzero()[0].tolist() == list(range(50, 60))


def test_a_minute_that_a_halt_touches_is_halted():
    opened = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
    times = pl.Series([opened + timedelta(minutes=one) for one in range(6)])
    minute = timedelta(minutes=1)

    def rows(start, end):
        return halted_bars(times, [(start, end)]).nonzero()[0].tolist()

    assert rows(opened + minute, opened + 2 * minute) == [1]
    assert rows(opened + 1.5 * minute, opened + 2.01 * minute) == [1, 2]
    assert rows(opened + 4 * minute, None) == [4, 5]


def test_a_range_without_bars_is_a_sentence(store):
    with pytest.raises(MarketMissingError, match="SPY has no bars of regular hours in that range"):
        load_market(store, "SPY", start="2025-01-02")
