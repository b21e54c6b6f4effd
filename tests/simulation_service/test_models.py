"""What simulating models of every kind promises, as they are and trained anew along the time."""

from datetime import date

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from lake.models import models
from lake.simulations import orders, simulations
from simulation_service import reference
from simulation_service.asking import check_simulation, run_simulation
from simulation_service.market import Market, realistic
from simulation_service.simulation import SimulationError, Terms, simulate, simulate_walk
from simulation_service.trading import Said, Trading, shared_alike
from tests.feature_service.walks import put, random_walk
from training_service import training
from training_service.dataset import assemble
from training_service.recipe import Recipe
from training_service.training import train_recipe
from training_service.walking import WalkError


@pytest.fixture
def model_id(store) -> str:
    return models(store)["model_id"].item()


def told(directions, times, bars):
    """A signal a bar: what was said in the row of its minute, otherwise to hold."""
    known = dict(zip(times, directions, strict=True))
    return Said.plainly([int(known.get(moment, 0)) for moment in bars["timestamp"]])


def slowly(markets, said, trading):
    return reference.run(markets, said, trading, 100_000.0, realistic())


def test_a_model_of_a_number_with_an_as_of_join_buys_above_zero(store):
    """Rebuilt from the lake alone: bars, features with old context, the model's numbers, bar by bar."""
    recipe = Recipe(["SPY", "QQQ"], label="return_5", model="ridge", join="asof:5")
    made = train_recipe(store, recipe)
    (found,) = simulate(store, made.model_id, "realistic")
    start = made.stored.params["test_start"]
    bars = store.bars("SPY", start, regular_only=True)
    rows = assemble(store, ["SPY", "QQQ"], "core", start=start, join="asof:5").frame
    numbers = made.predict(rows)
    said = told(np.where(numbers > 0, 1, -1), rows["timestamp"], bars)
    by_hand = slowly([Market.of("SPY", bars)], [said], Trading())

    assert made.stored.params["recipe"]["join"] == "asof:5"
    assert len(by_hand.trades) > 2
    assert found.stored.orders_hash == by_hand.orders_hash
    assert found.metrics["final_equity"] == pytest.approx(by_hand.equity[-1], abs=0.005)


def test_a_panel_of_three_classes_trades_each_symbol_from_one_purse(store):
    recipe = Recipe(["SPY", "QQQ"], label="triple_barrier_1x1_10", panel=True)
    made = train_recipe(store, recipe)
    (found,) = simulate(store, made.model_id, "realistic")
    start = made.stored.params["test_start"]
    markets, said = [], []
    for symbol in ("SPY", "QQQ"):
        bars = store.bars(symbol, start, regular_only=True)
        rows = assemble(store, [symbol], "core", start=start).frame
        markets.append(Market.of(symbol, bars))
        said.append(told(made.predict(rows), rows["timestamp"], bars))
    by_hand = slowly(markets, said, Trading(sizing=shared_alike(2)))

    assert made.classes == (-1, 0, 1)
    assert found.stored.symbol == "SPY+QQQ"
    assert set(orders(store, found.simulation_id)["symbol"]) == {"SPY", "QQQ"}
    assert found.stored.orders_hash == by_hand.orders_hash
    (alone,) = simulate(store, made.model_id, "realistic", symbols=["qqq"])
    assert alone.stored.symbol == "QQQ"
    with pytest.raises(SimulationError, match="foresees SPY, QQQ and not IWM"):
        simulate(store, made.model_id, symbols=["IWM"])
    with pytest.raises(SimulationError, match="A model of a panel is not trained anew"):
        check_simulation(store, {"model_id": made.model_id, "retrain": 3})


# Trained anew


def test_no_later_bar_changes_what_a_model_trained_anew_did_before(store, model_id):
    """A walk to the newest bar, and one when there were more: what it did before stays to the cent."""
    (before,) = simulate_walk(store, model_id, "realistic", retrain=3)
    for seed, symbol in enumerate(("SPY", "QQQ")):
        put(store, random_walk(symbol, date(2024, 7, 9), date(2024, 7, 10), seed=seed, drift=2e-4))
    (after,) = simulate_walk(store, model_id, "realistic", retrain=3)

    old, new = (orders(store, one.simulation_id) for one in (before, after))
    assert old.height > 2
    assert new["filled_at"].max() > old["filled_at"].max()
    assert_frame_equal(new.head(old.height), old, check_exact=True)
    steps = after.stored.params["steps"]
    assert all(one["trained_to"][:10] <= one["first_session"] for one in steps)
    assert after.stored.start == before.stored.start


def test_walks_of_two_recipes_are_two_trials_and_of_one_recipe_one(store, model_id):
    other = training.train(store, ["SPY", "QQQ"], label="direction_1", seed=5).model_id
    terms = Terms("2024-07-05")
    (first,) = simulate_walk(store, model_id, "realistic", retrain=5, terms=terms)
    (second,) = simulate_walk(store, other, "realistic", retrain=5, terms=terms)
    (again,) = simulate_walk(store, model_id, "realistic", retrain=5, terms=terms)

    assert (first.trials, second.trials, again.trials) == (1, 2, 2)
    assert not again.fresh
    assert "trained anew every 5 sessions, expanding" in first.stored.strategy


def test_a_walk_begins_to_learn_where_its_model_did(store):
    recipe = Recipe(["SPY"], label="direction_1", start="2024-06-27")
    made = train_recipe(store, recipe)
    (found,) = simulate_walk(store, made.model_id, "realistic", retrain=2)

    learnt = min(one["trained_from"] for one in found.stored.params["steps"])
    assert made.stored.params["learns_from"] == "2024-06-27"
    assert learnt >= "2024-06-27"
    assert found.stored.start.date() == date(2024, 7, 1)


def test_a_walk_with_nothing_to_learn_from_is_in_the_ledger_with_its_sentence(store, model_id):
    with pytest.raises(WalkError, match="There is nothing to predict"):
        simulate_walk(store, model_id, "realistic", retrain=500)

    assert simulations(store)["state"].to_list() == ["failed"]
    assert simulations(store)["error"].str.contains("There is nothing to predict").all()


# What is asked for


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sources": {"SPY": "alpaca:iex"}}, "A model reads the sources it was trained on"),
        ({"window": "rolling"}, "A window is that of a model trained anew"),
        ({"symbols": ["QQQ"]}, "foresees SPY and not QQQ"),
        ({"symbols": ["QQQ"], "retrain": 3}, "foresees SPY and not QQQ"),
        ({"retrian": 3}, "Did you mean retrain"),
    ],
)
def test_what_has_no_meaning_for_a_model_is_refused_before_anything_is_noted(store, more, words):
    for door in (run_simulation, check_simulation):
        with pytest.raises(SimulationError, match=words):
            door(store, more)
    assert simulations(store).is_empty()
