"""What the figures of trades promise: round trips, wins and losses, attribution, turnover."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation_service.returns import CurveError
from simulation_service.round_trips import ROUND_TRIPS, closed_rows, round_trips
from simulation_service.run import Run
from simulation_service.trade_statistics import (
    TradeStatistics,
    attribution,
    trade_statistics,
    turnover,
)
from tests.simulation_service.test_metrics import RUN, orders, trade

OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)


def trips(*rows):
    """Round trips of symbol, strategy, quantity, minutes, paid, received; minutes None is open."""
    return pl.DataFrame(
        [
            {
                "symbol": symbol,
                "strategy": strategy,
                "quantity": quantity,
                "entry_time": OPEN,
                "exit_time": None if minutes is None else OPEN + timedelta(minutes=minutes),
                "bars": minutes,
                "paid": paid,
                "received": received,
                "costs": 1.0,
                "open": minutes is None,
            }
            for symbol, strategy, quantity, minutes, paid, received in rows
        ],
        schema=ROUND_TRIPS,
    )


FOUR = trips(
    ("SPY", "cross", 10, 10, 100.0, 130.0),  # +30
    ("SPY", "pivot", -10, 20, 110.0, 100.0),  # short, -10
    ("QQQ", "cross", 10, 60, 100.0, 100.0),  # 0
    ("QQQ", "cross", 10, 30, 100.0, 110.0),  # +10
)


def test_the_figures_of_four_round_trips():
    assert trade_statistics(FOUR) == TradeStatistics(
        round_trips=4,
        win_rate=0.5,
        average_win=20.0,
        average_loss=-10.0,
        profit_factor=4.0,
        expectancy=7.5,
        holding_bars=30.0,
        holding_minutes=30.0,
    )


def test_open_positions_are_not_judged_yet():
    alone = trips(("SPY", "cross", 10, None, 100.0, 150.0))

    assert trade_statistics(alone) == TradeStatistics(0)
    assert trade_statistics(pl.concat([FOUR, alone])) == trade_statistics(FOUR)


def test_without_a_loss_there_is_no_profit_factor():
    found = trade_statistics(FOUR.filter(pl.col("received") >= pl.col("paid")))

    assert found.profit_factor is None
    assert found.average_loss is None


def test_profit_is_attributed_to_symbols_and_strategies():
    both = pl.concat([FOUR, trips(("SPY", "cross", 10, None, 100.0, 150.0))])

    by_symbol = attribution(both, "symbol", 1_000.0)
    assert by_symbol.to_dict(as_series=False) == {
        "symbol": ["QQQ", "SPY"],
        "round_trips": [2, 2],
        "win_rate": [0.5, 0.5],
        "profit": [10.0, 70.0],
        "costs": [2.0, 3.0],
        "contribution": [0.01, 0.07],
    }
    by_strategy = attribution(both, "strategy", 1_000.0)
    assert by_strategy["profit"].to_list() == [90.0, -10.0]


def test_a_position_never_closed_has_no_win_rate():
    found = attribution(trips(("SPY", "cross", 1, None, 100.0, 90.0)), "symbol", 1_000.0)

    assert found["win_rate"].to_list() == [None]


def test_what_profit_is_not_attributed_by_is_said():
    with pytest.raises(CurveError, match="Did you mean symbol"):
        attribution(FOUR, "symbols", 1_000.0)
    with pytest.raises(CurveError, match="above 0 USD"):
        attribution(FOUR, "symbol", 0.0)


def test_a_frame_that_is_not_of_round_trips_is_refused():
    with pytest.raises(CurveError, match="lack paid"):
        trade_statistics(FOUR.drop("paid"))
    odd = pl.when(pl.col("paid") == 110).then(math.nan).otherwise("paid")
    with pytest.raises(CurveError, match="Round trip 1 has an amount"):
        trade_statistics(FOUR.with_columns(paid=odd))


def test_a_run_becomes_round_trips():
    stamps = pl.Series([OPEN + timedelta(minutes=each) for each in range(4)]).cast(
        pl.Datetime("us", "UTC")
    )

    found = round_trips(RUN, symbol="SPY", strategy="cross", timestamps=stamps)

    assert found.schema == ROUND_TRIPS
    assert found["bars"].to_list() == [1, 2]
    assert found["open"].to_list() == [False, True]
    assert found["exit_time"].to_list() == [OPEN + timedelta(minutes=1), None]
    assert found["costs"].to_list() == [2.0, 1.0]
    assert (found["received"] - found["paid"]).sum() == pytest.approx(RUN.equity[-1] - RUN.cash)
    assert [rows.tolist() for rows in closed_rows(RUN)] == [[0], [1], [1]]


def test_a_run_without_trades_has_no_round_trips():
    found = round_trips(replace(RUN, orders=orders()), symbol="SPY")

    assert found.is_empty()
    assert found.schema == ROUND_TRIPS
    assert trade_statistics(found) == TradeStatistics(0)


@given(
    prices=st.lists(st.floats(1, 100), min_size=1, max_size=12),
    last=st.floats(1, 100),
)
def test_the_profits_add_up_to_what_the_purse_gained(prices, last):
    sides = ["buy" if at % 2 == 0 else "sell" for at in range(len(prices))]
    made = [
        trade(at, side, 10, price, 0.5)
        for at, (side, price) in enumerate(zip(sides, prices, strict=True))
    ]
    flows = sum(-one.amount if one.side == "buy" else one.amount for one in made)
    worth = 10 * last if sides[-1] == "buy" else 0.0
    equity = np.full(len(prices), 1e4 + flows + worth)
    run = Run(1e4, orders(*made), equity, np.zeros((1, len(prices))))

    found = attribution(round_trips(run, symbol="SPY"), "symbol", run.cash)

    assert found["contribution"][0] == pytest.approx(equity[-1] / 1e4 - 1, abs=1e-9)


def test_turnover_counts_what_was_bought_and_sold_in_a_year():
    # 400 USD in a quarter of a year, over a mean equity of 200.
    assert turnover(400.0, np.array([100.0, 300.0]), 63, 252) == pytest.approx(8)
    assert turnover(400.0, np.array([-100.0, 100.0]), 2, 252) is None
    assert turnover(400.0, np.array([]), 0, 252) is None
