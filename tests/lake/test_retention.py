"""What rules of retention promise: old bars go in whole sessions, with all that is known of them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lake import Covered
from lake.errors import BarsMissingError
from lake.sessions import midnight
from lake.upkeep import Plan, Rule, RuleError, parse_rules, run
from lake.verify import verify
from tests.lake.rounds import CURRENT, LATER, live
from tests.market import OPEN, SOURCE, bar, fetched, session_covered

DAY = date(2024, 11, 4)


def test_bars_older_than_their_rule_go_with_coverage_and_revisions_in_whole_sessions(store):
    next_day = DAY + timedelta(days=1)
    both = (
        Covered("SPY", midnight(DAY), midnight(next_day + timedelta(days=1))),
        session_covered(DAY, "QQQ"),
    )
    tomorrow = OPEN + timedelta(days=1)
    store.commit_bars(fetched(bar(0), bar(1), bar(tomorrow), bar(0, symbol="QQQ"), covered=both))
    store.commit_bars(fetched(bar(0, 101.0), bar(tomorrow, 101.0)))
    live(store, 2)
    plan = Plan(
        datetime(2026, 11, 5, 18, tzinfo=UTC),
        rules=(Rule("bars_1m", 2, ("SPY",)),),
        only=("retire",),
    )

    would = run(store, plan, dry_run=True).did
    assert run(store, plan).did == would == {"bars_retired": 3, "series_retired": 1}

    current = store.sql(f"SELECT symbol, timestamp FROM {CURRENT} ORDER BY symbol, timestamp")
    assert current.rows() == [("QQQ", OPEN), ("SPY", tomorrow)]
    assert store.covered("SPY", SOURCE) == [
        (midnight(next_day), midnight(next_day + timedelta(days=1)))
    ]
    assert store.sql("SELECT timestamp FROM bar_revisions")["timestamp"].to_list() == [tomorrow]
    told = store.sql("SELECT symbol, session FROM changes WHERE kind = 'retired'")
    assert told.rows() == [("SPY", DAY)]
    assert run(store, plan).did == {"bars_retired": 0, "series_retired": 0}


def test_a_series_without_bars_left_is_no_series(store):
    store.commit_bars(fetched(bar(0), covered=(session_covered(DAY),)))

    run(store, Plan(LATER, rules=parse_rules("bars_1m:1y"), only=("retire",)))

    assert store.symbols().is_empty()
    assert store.covered("SPY", SOURCE) == []
    with pytest.raises(BarsMissingError):
        store.bars("SPY")


def test_a_rule_that_names_a_symbol_stands_above_the_rule_for_all(store):
    store.commit_bars(fetched(bar(0), bar(0, symbol="QQQ")))

    run(store, Plan(LATER, rules=parse_rules("bars_1m:1y; bars_1m:SPY:50y"), only=("retire",)))

    assert store.symbols()["symbol"].to_list() == ["SPY"]


@pytest.mark.parametrize("text", ["bars_1m", "bars_9m:1y", "bars_1m:0y", "bars_1m:../x:1y", "1y"])
def test_a_rule_that_cannot_be_read_is_refused_with_an_example(text):
    with pytest.raises(RuleError, match="Write it like bars_1m:10y"):
        parse_rules(text)


def test_a_session_of_withdrawn_bars_whose_history_goes_is_not_missed_later(store):
    store.commit_bars(fetched(bar(0), covered=(session_covered(DAY),)))
    store.commit_bars(fetched(covered=(session_covered(DAY),)))  # the provider has it no longer

    run(store, Plan(LATER, rules=parse_rules("bars_1m:1y"), only=("retire",)))

    assert store.sql("SELECT count(*) FROM bar_revisions").item() == 0
    assert verify(store).findings == ()
