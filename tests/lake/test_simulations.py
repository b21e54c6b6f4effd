"""What the trial ledger promises: every run once, failed ones too, with curve and orders."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.simulations import (
    EQUITY,
    ORDERS,
    SimulationMissingError,
    StoredSimulation,
    equity,
    orders,
    simulation,
    simulations,
    store_simulation,
    trials,
)

START, END = datetime(2024, 7, 1, 13, 30, tzinfo=UTC), datetime(2024, 7, 3, 16, 59, tzinfo=UTC)
RUN = StoredSimulation(
    simulation_id="0123456789ab",
    strategy="model abc",
    model_id="abc",
    symbol="SPY",
    mode="realistic",
    start=START,
    end=END,
    snapshot=7,
    params={"cash": 1000.0},
    metrics={"strategy": {"sharpe": None}},
    orders_hash="f" * 64,
    state="done",
)
FAILED = replace(RUN, state="failed", error="no bars", metrics={}, orders_hash="")
CURVE = pl.DataFrame([(START, 1000.0, 1000.0), (END, 1010.0, 990.0)], schema=EQUITY, orient="row")
FILLED = pl.DataFrame(
    [
        (1, START, END, "buy", 9.0, 100.0, 0.5, "SPY", "entry"),
        (2, END, END, "sell", 9.0, 101.0, 0.5, "SPY", "exit"),
    ],
    schema=ORDERS,
    orient="row",
)
NOTHING = (pl.DataFrame(schema=EQUITY), pl.DataFrame(schema=ORDERS))


def test_what_is_entered_is_read_back(store):
    stored = store_simulation(store, RUN, CURVE, FILLED)

    assert stored.created_at is not None
    assert replace(stored, created_at=None) == RUN
    assert_frame_equal(equity(store, RUN.simulation_id), CURVE)
    assert_frame_equal(orders(store, RUN.simulation_id), FILLED)


def test_a_run_is_entered_once(store):
    first = store_simulation(store, RUN, CURVE, FILLED)
    again = store_simulation(store, RUN, CURVE, FILLED)

    assert again == first
    assert simulations(store).height == 1
    assert equity(store, RUN.simulation_id).height == 2


def test_a_failed_run_gives_way_to_one_that_is_done_and_not_the_other_way(store):
    store_simulation(store, FAILED, *NOTHING)
    assert simulation(store, RUN.simulation_id).error == "no bars"

    assert store_simulation(store, RUN, CURVE, FILLED).state == "done"
    assert store_simulation(store, FAILED, *NOTHING).state == "done"


def test_trials_are_the_strategies_that_are_done_on_bars_of_the_range(store):
    later = datetime(2024, 8, 1, tzinfo=UTC)
    others = [
        replace(RUN, simulation_id="1", mode="as_specified"),
        replace(RUN, simulation_id="2", strategy="model def"),
        replace(RUN, simulation_id="3", strategy="model ghi", symbol="QQQ"),
        replace(RUN, simulation_id="4", strategy="model jkl", start=later, end=later),
        replace(FAILED, simulation_id="5", strategy="model mno"),
    ]
    for one in (RUN, *others):
        store_simulation(store, one, *NOTHING)

    assert trials(store, "SPY", START, END).count == 2
    assert trials(store, "SPY", END, datetime(2024, 9, 1, tzinfo=UTC)).count == 3


def test_trials_tell_the_sharpe_ratio_of_each_strategys_newest_run(store):
    told = [
        replace(RUN, simulation_id="1", metrics={"strategy": {"sharpe": 1.0}}),
        replace(RUN, simulation_id="2", metrics={"strategy": {"sharpe": 2.0}}),
        replace(RUN, simulation_id="3", mode="as_specified", metrics={"strategy": {"sharpe": 9.0}}),
        replace(
            RUN,
            simulation_id="4",
            strategy="rule",
            symbol="QQQ+SPY",
            metrics={"strategy": {"sharpe": -0.5}},
        ),
        replace(RUN, simulation_id="5", strategy="flat"),
    ]
    for one in told:
        store_simulation(store, one, *NOTHING)

    found = trials(store, "SPY", START, END)
    assert (found.count, sorted(found.sharpes)) == (3, [-0.5, 2.0])
    assert trials(store, "SPY+IWM", START, END) == found
    assert trials(store, "QQQ", START, END).sharpes == (-0.5,)
    assert trials(store, "SPY", START, END, beside="rule").sharpes == (2.0,)


def test_an_unknown_run_is_a_sentence(store):
    with pytest.raises(SimulationMissingError, match="There is no simulation 'nope'"):
        simulation(store, "nope")
    assert equity(store, "nope").is_empty()
    assert orders(store, "nope").is_empty()
