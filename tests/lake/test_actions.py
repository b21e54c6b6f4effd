"""What corporate actions promise: bars stay raw, splits are applied on read, old knowledge is kept."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from lake.actions import ACTION_SCHEMA, AdjustmentError, Answered
from tests.market import OPEN, SOURCE, bar, fetched


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
