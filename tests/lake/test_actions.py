"""What corporate actions promise: bars stay raw, splits are applied on read, old knowledge is kept."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from lake import sessions
from lake.actions import ACTION_SCHEMA, KNOWN_SCHEMA, AdjustmentError, Answered, known_actions
from lake.bars import commit_bars
from tests.market import OPEN, SOURCE, bar, fetched, session_covered


def told(*rows, source=SOURCE):
    """What a provider answers when it is asked about SPY in 2024."""
    frame = pl.DataFrame(list(rows), schema=ACTION_SCHEMA, orient="row")
    return Answered(source, frame, ("SPY",), date(2024, 1, 1), date(2024, 12, 31))


def split(ratio, day=date(2024, 11, 5), name="a"):
    return (
        name,
        "SPY",
        "forward_split" if ratio > 1 else "reverse_split",
        day,
        day,
        ratio,
        None,
        "{}",
    )


def test_a_split_divides_prices_before_its_day_and_multiplies_volume(store):
    # Apple's 7:1 split of 2014-06-09: 645.57 at the close before is 92.22 in new shares.
    store.commit_bars(fetched(bar(0, 645.57), bar(OPEN + timedelta(days=1), 92.44)))
    store.commit_actions(told(split(7.0)))

    adjusted = store.bars("SPY", adjust="split")

    assert adjusted["close"].round(2).to_list() == [92.22, 92.44]
    assert adjusted["volume"].to_list() == [700.0, 100.0]
    assert store.bars("SPY")["close"].to_list() == [645.57, 92.44]


def test_two_splits_multiply_and_a_reverse_split_raises_prices(store):
    store.commit_bars(
        fetched(
            bar(0, 10.0), bar(OPEN + timedelta(days=1), 5.0), bar(OPEN + timedelta(days=2), 50.0)
        )
    )
    store.commit_actions(told(split(2.0), split(0.1, date(2024, 11, 6), "b")))

    assert store.bars("SPY", adjust="split")["close"].to_list() == [50.0, 50.0, 50.0]


def test_a_split_adjusts_bars_of_every_timeframe(store):
    store.commit_bars(fetched(bar(0, 10.0), bar(OPEN + timedelta(days=1), 5.0)))
    store.commit_actions(told(split(2.0)))

    assert store.bars("SPY", adjust="split", timeframe="1d")["close"].to_list() == [5.0, 5.0]


def test_a_corrected_action_replaces_the_old_one_which_stays_in_the_table(store):
    store.commit_bars(fetched(bar(0, 10.0), bar(OPEN + timedelta(days=1), 5.0)))
    assert store.commit_actions(told(split(2.0))) == 1
    assert store.commit_actions(told(split(2.0))) == 0
    assert store.commit_actions(told(split(4.0))) == 1

    assert store.bars("SPY", adjust="split")["close"].to_list() == [2.5, 5.0]
    kept = store.sql(
        "SELECT ratio, superseded_at IS NULL AS now FROM corporate_actions ORDER BY ratio"
    )
    assert kept.rows() == [(2.0, False), (4.0, True)]


def test_a_split_that_is_only_announced_does_not_touch_todays_prices(store):
    store.commit_bars(fetched(bar(0, 10.0)))
    store.commit_actions(told(split(2.0)))
    assert store.bars("SPY", adjust="split")["close"].to_list() == [10.0]

    store.commit_bars(fetched(bar(OPEN + timedelta(days=1), 5.0)))

    assert store.bars("SPY", adjust="split")["close"].to_list() == [5.0, 5.0]


def test_a_split_issued_again_under_another_number_counts_once(store):
    store.commit_bars(fetched(bar(0, 10.0), bar(OPEN + timedelta(days=2), 1.0)))
    store.commit_actions(told(split(10.0)))
    assert store.commit_actions(told(split(10.0, date(2024, 11, 6), "b"))) == 2

    assert store.bars("SPY", adjust="split")["close"].to_list() == [1.0, 1.0]
    assert store.sql("SELECT count(*) AS n FROM corporate_actions")["n"].item() == 2


def test_an_answer_about_other_dates_withdraws_nothing(store):
    store.commit_bars(fetched(bar(0, 10.0), bar(OPEN + timedelta(days=1), 5.0)))
    store.commit_actions(told(split(2.0)))
    nothing = pl.DataFrame(schema=ACTION_SCHEMA)
    for symbols, start in ((("SPY",), date(2024, 11, 6)), (("QQQ",), date(2024, 1, 1))):
        store.commit_actions(Answered(SOURCE, nothing, symbols, start, date(2024, 12, 31)))

    assert store.bars("SPY", adjust="split")["close"].to_list() == [5.0, 5.0]


def test_another_providers_split_does_not_touch_these_bars(store):
    store.commit_bars(fetched(bar(0, 10.0)))
    store.commit_actions(told(split(2.0), source="alpaca:sip"))

    assert store.bars("SPY", adjust="split")["close"].to_list() == [10.0]


def test_an_adjustment_that_does_not_exist_is_answered_with_those_that_do(store):
    store.commit_bars(fetched(bar(datetime.fromisoformat("2024-11-04T14:30:00Z"))))
    with pytest.raises(AdjustmentError, match="Use one of raw, split"):
        store.bars("SPY", adjust="everything")


# The actions that count -------------------------------------------------------------------------

DAY = date(2024, 11, 5)  # the session after OPEN's
NEXT = OPEN + timedelta(days=1)


def dividend(amount=1.0, day=DAY, name="d", **details):
    return (name, "SPY", "cash_dividend", day, day, None, amount, json.dumps(details))


def known(store, *, symbols=("SPY",), **asked):
    with store.reading() as connection:
        return known_actions(connection, SOURCE, list(symbols), **asked)


def test_a_dividend_comes_with_the_last_regular_close_before_it(store):
    evening = bar(OPEN + timedelta(hours=8), 999.0)  # after hours: no close
    store.commit_bars(fetched(bar(0, 101.0), bar(389, 100.0), evening, bar(NEXT, 99.0)))
    store.commit_actions(told(dividend()))

    seen = known(store)

    assert seen.schema == KNOWN_SCHEMA
    assert seen.select("kind", "ex_date", "amount", "prior_close").rows() == [
        ("cash_dividend", DAY, 1.0, 100.0)
    ]
    assert known(store, adjust="split").is_empty()
    assert known(store, adjust="raw").is_empty()
    assert known(store, symbols=("QQQ",)).is_empty()


def test_the_providers_own_daily_close_goes_before_the_last_minute(store):
    store.commit_bars(fetched(bar(0, 100.0), bar(NEXT, 99.0)))
    official = bar(sessions.midnight(OPEN.date()), 100.25)
    commit_bars(store.catalog, fetched(official), dataset="bars_daily")
    store.commit_actions(told(dividend()))

    assert known(store)["prior_close"].item() == 100.25


def test_an_older_close_holds_only_where_it_is_known_that_nobody_traded(store):
    friday = bar(OPEN - timedelta(days=3, hours=1), 100.0)
    store.commit_bars(fetched(friday, bar(NEXT, 99.0)))
    store.commit_actions(told(dividend()))
    assert known(store)["prior_close"].item() is None  # Monday was never fetched

    store.commit_bars(fetched(covered=(session_covered(OPEN.date()),)))

    assert known(store)["prior_close"].item() == 100.0


def test_actions_of_one_worth_under_two_numbers_count_once_others_add_up(store):
    store.commit_bars(fetched(bar(0, 100.0), bar(NEXT, 99.0)))
    store.commit_actions(
        told(dividend(name="a"), dividend(name="b"), dividend(name="c", special=True), split(2.0))
    )

    assert known(store)["kind"].to_list() == ["cash_dividend", "cash_dividend", "forward_split"]


def test_what_the_provider_says_in_its_own_way_is_understood(store):
    # Alpaca: a stock dividend's rate is new shares for each old one; dividends may be in other money.
    store.commit_bars(fetched(bar(0, 100.0), bar(NEXT, 99.0)))
    stock = ("s", "SPY", "stock_dividend", DAY, DAY, None, None, json.dumps({"rate": 0.05}))
    store.commit_actions(told(stock, dividend(currency="CAD")))

    assert known(store).select("kind", "ratio", "amount").rows() == [
        ("cash_dividend", None, None),
        ("stock_dividend", 1.05, None),
    ]


def test_a_spin_off_is_worth_what_it_trades_at_on_its_day(store):
    # eBay's of PayPal, moved to this day: closes of 28.57 and 40.47 on it (2015-07-20).
    said = {"new_symbol": "QQQ", "new_rate": 1, "source_rate": 1}
    spun = ("o", "SPY", "spin_off", DAY, DAY, None, None, json.dumps(said))
    store.commit_bars(fetched(bar(0, 66.29), bar(NEXT, 28.57)))
    store.commit_actions(told(spun))
    assert known(store)["amount"].item() is None

    store.commit_bars(fetched(bar(NEXT, 40.47, symbol="QQQ")))

    assert known(store).select("amount", "ex_close").rows() == [(40.47, 28.57)]


def test_as_of_gives_the_actions_and_the_closes_known_then(store):
    store.commit_bars(fetched(bar(0, 100.0)))
    store.commit_actions(told(dividend()))
    announced = datetime.now(UTC)
    store.commit_bars(fetched(bar(NEXT, 99.0)))
    traded = datetime.now(UTC)
    store.commit_bars(fetched(bar(0, 90.0)))
    store.commit_actions(told(dividend(2.0)))

    seen = [
        known(store, as_of=moment).select("amount", "prior_close").rows()
        for moment in (OPEN, announced, traded, datetime.now(UTC), None)
    ]

    assert seen == [[], [], [(1.0, 100.0)], [(2.0, 90.0)], [(2.0, 90.0)]]
