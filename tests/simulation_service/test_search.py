"""What a search promises: every trial counted, the best one judged, nothing chosen by what came later."""

import shutil
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import lake
from lake import sessions
from lake.searches import search_trials, searches
from lake.simulations import equity, simulations
from simulation_service import trying
from simulation_service.honesty.overfitting import overfitting
from simulation_service.search import Search, SimulationError, search
from simulation_service.simulation import Terms, simulate_plan
from simulation_service.spaces import space_of
from strategy_service.costs import Costs
from strategy_service.parameters import whole
from strategy_service.plans import Plan
from strategy_service.rule import STRATEGIES, Rule
from strategy_service.rules.buy_and_hold import BuyAndHold
from strategy_service.rules.sma_cross import SmaCross
from strategy_service.sizing import Fraction
from tests.feature_service.walks import put, random_walk

CROSS = Plan(SmaCross())
AXES = ("fast=5,10", "slow=20,60")
YEAR = np.sqrt(sessions.schedule(date(2023, 7, 2), date(2024, 7, 1)).height)


def asked(*axes, plan=CROSS, symbols=("SPY",), **how):
    return Search(space_of(plan, Costs(), axes or AXES), symbols, **({"folds": 0} | how))


def ratio(returns):
    return returns.mean() / returns.std(ddof=1) * YEAR


def returns_of(lk, simulation_id):
    values = np.append(100_000.0, equity(lk, simulation_id)["equity"].to_numpy())
    return values[1:] / values[:-1] - 1


@pytest.fixture(scope="module")
def searched(barred_home, tmp_path_factory):
    """A lake with one search, and each of its trials simulated by itself."""
    home = tmp_path_factory.mktemp("searched") / "home"
    shutil.copytree(barred_home, home)
    with lake.open(home) as opened:
        found = search(opened, asked(folds=2))
        rows = search_trials(opened, found.stored.search_id)
        values = rows["params"].str.json_decode(pl.Struct({"fast": pl.Int64, "slow": pl.Int64}))
        alone = [
            simulate_plan(opened, Plan(SmaCross(**one)), ["SPY"], "realistic")[0] for one in values
        ]
        yield opened, found, rows, alone


# The trials


def test_each_trial_is_what_simulating_it_alone_says(searched):
    _, _, rows, alone = searched

    assert rows["number"].to_list() == [1, 2, 3, 4]
    assert rows["strategy"].to_list() == [one.stored.strategy for one in alone]
    for name in ("sharpe", "total_return", "max_drawdown"):
        assert rows[name].to_list() == pytest.approx([one.metrics[name] for one in alone])


def test_the_best_has_the_highest_sharpe_ratio_and_a_plan_to_run(searched):
    _, found, rows, alone = searched
    best = found.stored.metrics["best"]

    assert best["sharpe"] == rows["sharpe"].max()
    by_hand = alone[best["number"] - 1]
    assert best["sharpe"] == pytest.approx(by_hand.metrics["sharpe"])
    assert f"fast = {best['values']['fast']}" in best["plan"]


def test_the_best_is_judged_by_all_that_were_tried(searched):
    _, found, _, alone = searched
    honesty = found.stored.metrics["honesty"]

    assert honesty["trials"] == 4
    assert honesty["deflated"] < honesty["probabilistic"]
    assert honesty["low"] < honesty["sharpe"] < honesty["high"]
    # Simulated afterwards, each is still one of the same four.
    assert [one.trials for one in alone] == [4, 4, 4, 4]
    assert {one.honesty["trials"] for one in alone} == {4}


def test_the_probability_of_overfitting_is_that_of_the_trials_returns(searched):
    lk, found, _, alone = searched
    table = np.column_stack([returns_of(lk, one.simulation_id) for one in alone])
    expected = overfitting(table, 4)  # twenty sessions: four blocks of five
    told = found.stored.metrics["overfitting"]

    assert told["blocks"] == 4
    assert told["probability"] == pytest.approx(expected.probability)
    assert told["slope"] == pytest.approx(expected.slope)
    assert sum(told["logits"]["counts"]) == len(expected.logits) == 6


def test_walking_forward_is_choosing_by_the_past_and_trading_the_next_block(searched):
    """Again by hand: the trials' curves before each block, then the best plan on the block alone."""
    lk, found, _, alone = searched
    forward = found.stored.metrics["walk_forward"]
    days = sorted({moment.date() for moment in lk.bars("SPY")["timestamp"]})
    curves = [returns_of(lk, one.simulation_id) for one in alone]
    cash, parts = 100_000.0, []
    for fold, (cut, last) in zip(forward["folds"], [(7, 13), (13, 20)], strict=True):
        best = int(np.argmax([ratio(one[:cut]) for one in curves]))
        plan = Plan(SmaCross(**fold["values"]))
        assert plan.described == alone[best].stored.strategy
        assert fold["sharpe_before"] == pytest.approx(ratio(curves[best][:cut]))
        assert fold["chosen_on"] == [str(days[0]), str(days[cut - 1])]
        terms = Terms(days[cut], days[last - 1], cash=cash)
        (block,) = simulate_plan(lk, plan, ["SPY"], "realistic", terms=terms)
        parts.append(block.metrics["total_return"])
        assert fold["total_return"] == pytest.approx(parts[-1])
        cash = block.metrics["final_equity"]

    assert forward["sessions"] == 13
    assert forward["total_return"] == pytest.approx(cash / 100_000 - 1)


def test_the_same_search_is_found_and_another_counts_its_trials_once(searched):
    lk, found, _, _ = searched
    again = search(lk, asked(folds=2))
    other = search(lk, asked("fast=5,10,15", "slow=20,60", folds=2))

    assert not again.fresh
    assert again.stored == found.stored
    assert other.fresh
    assert other.stored.metrics["honesty"]["trials"] == 6  # four of them were tried before


# How they are made


@pytest.mark.parametrize("method", ["random", "optuna"])
def test_the_same_seed_makes_the_same_trials(barred, method):
    wide = ("fast=2:10:2", "slow=20:60:10")
    made = [
        search(barred, asked(*wide, method=method, trials=8, seed=seed, folds=folds)).stored
        for seed, folds in ((1, 0), (1, 2), (2, 0))
    ]
    tables = [search_trials(barred, one.search_id) for one in made]

    assert_frame_equal(tables[0], tables[1], check_exact=True)
    assert not tables[0]["params"].equals(tables[2]["params"])
    assert all(one.height == one["strategy"].n_unique() == 8 for one in tables)


def test_optuna_walks_by_the_past_and_its_probability_of_overfitting_comes_with_a_warning(barred):
    """Its trials of the whole range know what came later, so that each block has a search of its own."""
    wide = ("fast=2:10:2", "slow=20:60:10")
    how = {"method": "optuna", "trials": 6, "folds": 1}
    whole = search(barred, asked(*wide, **how)).stored.metrics
    (fold,) = whole["walk_forward"]["folds"]
    before = Terms(end=date.fromisoformat(fold["chosen_on"][1]))
    alone = search(barred, asked(*wide, **how | {"folds": 0}), before).stored.metrics

    assert 0 <= whole["overfitting"]["probability"] <= 1
    assert "is a rough hint and no evidence" in whole["warnings"][0]
    assert fold["values"] == alone["best"]["values"]
    # The year before another day may have a session more.
    assert fold["sharpe_before"] == pytest.approx(alone["best"]["sharpe"], rel=0.005)


def test_two_processes_say_what_one_says(barred, barred_home, tmp_path, monkeypatch):
    monkeypatch.setattr(trying, "_WORTHWHILE", 0)
    wide = asked("fast=2:7:1", "slow=20,60")
    shutil.copytree(barred_home, tmp_path / "other")
    alone = search(barred, wide)
    with lake.open(tmp_path / "other") as other:
        together = search(other, wide, processes=2)
        found = search_trials(other, together.stored.search_id)

    assert together.stored.search_id == alone.stored.search_id
    assert together.stored.metrics == alone.stored.metrics
    assert_frame_equal(found, search_trials(barred, alone.stored.search_id), check_exact=True)


def test_costs_are_searched_like_parameters(barred):
    found = search(barred, asked("costs.slippage_bps=0,5"))
    rows = search_trials(barred, found.stored.search_id)

    assert rows["total_return"][1] < rows["total_return"][0]
    assert found.stored.metrics["honesty"]["trials"] == 1  # one strategy, twice as dear


def test_a_bar_before_the_range_makes_another_search(barred):
    """What a plan says at the range's beginning is computed from it."""
    late = Terms("2024-06-24")
    first = search(barred, asked(), late)
    put(barred, random_walk("SPY", date(2024, 5, 30), date(2024, 5, 31), seed=5))
    second = search(barred, asked(), late)

    assert second.fresh
    assert second.stored.search_id != first.stored.search_id


def test_several_symbols_are_searched_and_one_that_was_listed_later_leaves_the_other(barred):
    put(barred, random_walk("NEW", date(2024, 6, 21), date(2024, 7, 1), seed=9))
    plan = Plan(SmaCross(), Fraction(most=0.5))
    found = search(barred, asked("fast=5,10", plan=plan, symbols=("SPY", "NEW"), folds=2)).stored
    first = found.metrics["walk_forward"]["folds"][0]

    assert found.symbol == "SPY+NEW"
    assert first["to"] < "2024-06-21"
    assert first["trades"] > 0


# What fails


@pytest.fixture
def breaking():
    """A strategy of the user's own that breaks where its parameter is 2 or more."""

    @STRATEGIES("breaking")
    @dataclass(frozen=True)
    class Breaking(Rule):
        title = "breaking"
        level: int = whole(1, low=1, high=3, unit="", about="Breaks from 2 on.")

        def says(self):
            return BuyAndHold().says() if self.level < 2 else 1 / 0

        def because(self, row, direction):
            return f"{row} {direction}"

    yield Plan(Breaking())
    del STRATEGIES._by_name["breaking"]


def test_a_trial_that_breaks_leaves_the_others(barred, breaking):
    found = search(barred, asked("level=1:2:1", plan=breaking)).stored
    rows = search_trials(barred, found.search_id)

    assert (found.metrics["tried"], found.metrics["failed"]) == (2, 1)
    assert rows["sharpe"].is_null().to_list() == [False, True]
    assert found.metrics["best"]["number"] == 1
    assert any("ZeroDivisionError" in warning for warning in found.metrics["warnings"])


def test_a_search_of_which_nothing_runs_is_in_the_ledger_with_its_sentence(barred, breaking):
    with pytest.raises(SimulationError, match=r"All 2 trials failed; the first said: breaking"):
        search(barred, asked("level=2:3:1", plan=breaking))
    with pytest.raises(SimulationError, match="No combination of these values goes together"):
        search(barred, asked("fast=60", "slow=20"))
    noted = searches(barred)

    assert noted["state"].to_list() == ["failed", "failed"]
    assert noted["error"].str.contains("nothing to try|trials failed").all()
    assert simulations(barred).is_empty()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"method": "magic"}, "There is no method 'magic'. Use one of grid, random, optuna"),
        ({"window": "sliding"}, "There is no window 'sliding'"),
        ({"folds": 51}, "0 to 50 folds, not 51"),
    ],
)
def test_a_search_that_cannot_be_is_a_sentence(how, words):
    with pytest.raises(SimulationError, match=words):
        asked(**how)


def test_a_block_in_which_nothing_can_be_chosen_is_held_in_cash(barred):
    """The means are not known in the first five sessions, so nothing has traded when the next begin."""
    found = search(barred, asked("slow=2100,2400", folds=3)).stored.metrics["walk_forward"]
    days = barred.bars("SPY", columns=["session_date"])["session_date"].unique().sort()

    assert 1 <= len(found["folds"]) < 3
    assert found["folds"][0]["from"] > str(days[9])
    assert found["sessions"] == len(days) - 5
    grown = np.prod([1 + one["total_return"] for one in found["folds"]])
    assert found["total_return"] == pytest.approx(grown - 1)


def test_costs_that_contradict_those_of_the_space_are_refused_before_anything_is_noted(barred):
    with pytest.raises(SimulationError, match="other costs than the space"):
        search(barred, asked(), Terms(costs=Costs(slippage_bps=9)))
    assert searches(barred).is_empty()
