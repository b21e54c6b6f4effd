"""What simulating a model promises: unseen bars, both modes, buy and hold beside it, in the ledger."""

from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

from lake import Fetched, MissingError
from lake.models import models
from lake.simulations import equity, orders, simulations
from simulation_service import main, reference
from simulation_service.loading import MarketMissingError
from simulation_service.market import Market, realistic
from simulation_service.simulation import SimulationError, Terms, simulate
from simulation_service.trading import Said, Trading
from strategy_service.costs import Costs
from strategy_service.strategies import ModelStrategy, PredictionError
from tests.feature_service.walks import SOURCE, put, random_walk
from training_service import training
from training_service.dataset import assemble
from training_service.training import train


@pytest.fixture
def model_id(store) -> str:
    return models(store)["model_id"].item()


def test_both_modes_run_side_by_side_on_bars_the_model_has_not_seen(store, model_id):
    results = simulate(store, model_id)

    assert [one.mode for one in results] == ["as_specified", "realistic"]
    born = training.load(store, model_id).stored.params
    for one in results:
        assert one.stored.start == datetime.fromisoformat(born["test_start"])
        assert one.stored.start > datetime.fromisoformat(born["train_end"])
        assert one.metrics["bars"] == one.benchmark["bars"]
        assert one.benchmark["trades"] == 1
        assert not [warning for warning in one.warnings if "flatter" in warning]


def test_costs_are_paid_in_the_realistic_mode_only(store, model_id):
    specified, real = simulate(store, model_id)

    assert specified.metrics["costs"] == 0
    assert real.metrics["costs"] > 0
    assert real.metrics["total_return"] < specified.metrics["total_return"]


def test_higher_costs_leave_less(store, model_id):
    (cheap,) = simulate(store, model_id, "realistic", terms=Terms(costs=Costs(slippage_bps=0)))
    (dear,) = simulate(store, model_id, "realistic", terms=Terms(costs=Costs(slippage_bps=20)))

    assert dear.metrics["final_equity"] < cheap.metrics["final_equity"]


def test_the_stored_orders_are_those_of_the_slow_reference(store, model_id):
    """Rebuilt from the lake alone: bars, features, the model's chances, then bar by bar."""
    (real,) = simulate(store, model_id, "realistic")
    model = training.load(store, model_id)
    start = model.stored.params["test_start"]
    bars = store.bars("SPY", start, regular_only=True, adjust="split")
    rows = assemble(store, ["SPY", "QQQ"], "core", start=start).frame
    said = dict(
        zip(rows["timestamp"], ModelStrategy(model).signals(rows)["direction"], strict=True)
    )
    wanted = [said.get(moment, 0) for moment in bars["timestamp"]]
    said = [Said.plainly(wanted)]
    slow = reference.run([Market.of("SPY", bars)], said, Trading(), 100_000.0, realistic())

    found = orders(store, real.simulation_id)
    assert real.stored.orders_hash == slow.orders_hash
    assert found["side"].to_list() == [one.side for one in slow.trades]
    assert found["shares"].to_list() == [one.shares for one in slow.trades]
    times = bars["timestamp"]
    assert found["decided_at"].to_list() == [times[one.decided] for one in slow.trades]
    assert found["filled_at"].to_list() == [times[one.filled] for one in slow.trades]
    assert (found["filled_at"] > found["decided_at"]).all()
    assert real.metrics["final_equity"] == pytest.approx(slow.equity[-1], abs=0.005)


def test_a_sharpe_ratio_is_told_with_what_it_is_worth(store, model_id):
    (first,) = simulate(store, model_id, "realistic")
    other = train(store, ["SPY"], seed=5).model_id
    (second,) = simulate(store, other, "realistic", terms=Terms(start=first.stored.start))

    assert (first.honesty["trials"], second.honesty["trials"]) == (1, 2)
    assert first.honesty["low"] < first.honesty["sharpe"] < first.honesty["high"]
    assert first.honesty["sharpe"] == pytest.approx(first.metrics["sharpe"])
    assert first.honesty["deflated"] == pytest.approx(first.honesty["probabilistic"])
    assert second.honesty["deflated"] < second.honesty["probabilistic"]
    assert first.benchmark["alpha"] is None
    assert first.metrics["beta"] is not None


def test_the_curve_has_a_value_a_session_beside_buy_and_hold(store, model_id):
    (real,) = simulate(store, model_id, "realistic")

    curve = equity(store, real.simulation_id)
    assert curve.height == real.metrics["sessions"] == 3
    assert curve["equity"][-1] == real.metrics["final_equity"]
    assert curve["benchmark"][-1] == real.benchmark["final_equity"]


def test_buy_and_hold_returns_what_the_symbol_did(store, model_id):
    (specified,) = simulate(store, model_id, "as_specified", terms=Terms(cash=1e9))

    bars = store.bars("SPY", specified.stored.start, regular_only=True)["close"]
    expected = bars[-1] / bars[0] - 1
    assert specified.benchmark["total_return"] == pytest.approx(expected, abs=1e-6)


def test_the_same_inputs_again_find_the_run(store, model_id):
    first, again = simulate(store, model_id), simulate(store, model_id)

    assert [one.fresh for one in first] == [True, True]
    assert [one.fresh for one in again] == [False, False]
    assert [one.simulation_id for one in again] == [one.simulation_id for one in first]
    assert simulations(store).height == 2


@pytest.mark.parametrize(
    "other",
    [{"cash": 50_000.0}, {"costs": Costs(slippage_bps=3)}, {"end": "2024-07-05"}],
    ids=str,
)
def test_other_inputs_are_another_run(store, model_id, other):
    (first,) = simulate(store, model_id, "realistic")
    (second,) = simulate(store, model_id, "realistic", terms=Terms(**other))

    assert second.fresh
    assert second.simulation_id != first.simulation_id


def test_every_strategy_tried_on_the_same_bars_is_counted_once(store, model_id):
    (first,) = simulate(store, model_id, "realistic")
    simulate(store, model_id, "both", terms=Terms(cash=5_000.0))
    another = train(store, ["SPY", "QQQ"], label="direction_5").model_id
    (second,) = simulate(store, another, "realistic")

    assert first.trials == 1
    assert second.trials == 2


def test_bars_the_model_was_trained_on_run_with_a_loud_warning(store, model_id):
    (flattered,) = simulate(store, model_id, "realistic", terms=Terms(start="2024-06-25"))

    assert any("it had seen them" in warning for warning in flattered.warnings)
    stored = store.sql("SELECT metrics FROM simulations")["metrics"].item()
    assert "it had seen them" in stored


def test_minutes_without_a_context_bar_hold_the_position_and_are_counted(store, model_id):
    (one,) = simulate(store, model_id, "realistic")

    start = one.stored.start
    spy, qqq = (set(store.bars(x, start, regular_only=True)["timestamp"]) for x in ("SPY", "QQQ"))
    assert any(f"At {len(spy - qqq):,} of" in warning for warning in one.warnings)


def test_behind_the_last_session_of_a_context_symbol_nothing_is_simulated(store, model_id):
    (before,) = simulate(store, model_id, "realistic")
    put(store, random_walk("SPY", date(2024, 8, 1), date(2024, 8, 2)))

    (after,) = simulate(store, model_id, "realistic")
    assert after.simulation_id == before.simulation_id
    (asked,) = simulate(store, model_id, "realistic", terms=Terms(end="2024-08-02"))
    assert asked.stored.end.date() == date(2024, 8, 2)


def test_sessions_without_bars_are_counted_aloud(store, model_id):
    for symbol in ("SPY", "QQQ"):
        put(store, random_walk(symbol, date(2024, 7, 11), date(2024, 7, 11)))

    (one,) = simulate(store, model_id, "realistic")
    assert any("2 of 6 sessions have no bars" in warning for warning in one.warnings)


def test_a_sharpe_ratio_of_a_few_sessions_comes_with_a_warning(store, model_id):
    (one,) = simulate(store, model_id, "realistic")

    assert "A Sharpe ratio of 3 sessions says next to nothing." in one.warnings


def test_cash_that_never_pays_for_a_share_is_said(store, model_id):
    (poor,) = simulate(store, model_id, "realistic", terms=Terms(cash=10.0))

    assert poor.metrics["trades"] == 0
    assert any("never paid for one share" in warning for warning in poor.warnings)


def test_a_run_that_fails_is_in_the_ledger_with_its_reason(store, model_id, monkeypatch):
    def nothing(self, rows):
        return np.full(rows.height, np.nan)

    with monkeypatch.context() as patch:
        patch.setattr(training.Model, "chances", nothing)
        with pytest.raises(PredictionError):
            simulate(store, model_id)
    failed = simulations(store)

    assert failed["state"].to_list() == ["failed", "failed"]
    assert all("predicts no chance" in error for error in failed["error"])
    assert [one.fresh for one in simulate(store, model_id)] == [True, True]


def test_a_range_without_bars_is_a_sentence(store, model_id):
    with pytest.raises(MarketMissingError, match="SPY has no bars of regular hours in that range"):
        simulate(store, model_id, terms=Terms(start="2025-01-01"))


@pytest.mark.parametrize("cash", [0.0, -1.0, float("nan"), float("inf")])
def test_cash_that_cannot_be_is_a_sentence(store, model_id, cash):
    with pytest.raises(SimulationError, match="cash to begin with must be above 0"):
        simulate(store, model_id, terms=Terms(cash=cash))
    assert simulations(store).is_empty()


def test_an_unknown_mode_and_an_unknown_model_are_sentences(store, model_id):
    with pytest.raises(SimulationError, match="The modes are as_specified, realistic, both"):
        simulate(store, model_id, "optimistic")
    with pytest.raises(MissingError, match="There is no model 'nope'"):
        simulate(store, "nope")


def test_a_corrected_bar_is_another_run(store, model_id):
    (first,) = simulate(store, model_id, "realistic")
    last = store.bars("SPY", limit=1, regular_only=True)
    changed = last.select(
        "symbol",
        "timestamp",
        "open",
        "high",
        "low",
        pl.col("close") + 0.01,
        "volume",
        "trade_count",
        "vwap",
    )
    store.commit_bars(Fetched(SOURCE, changed))

    (second,) = simulate(store, model_id, "realistic")
    assert second.simulation_id != first.simulation_id


# The door


@pytest.fixture
def door(store, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BARLAKE_HOME", str(store.home))


def test_without_arguments_the_newest_model_is_simulated_in_both_modes(
    store, door, model_id, capsys
):
    assert main.run([]) == 0
    told = capsys.readouterr().out
    assert "as_specified" in told
    assert "realistic" in told
    assert told.count("buy and hold") == 2
    assert told.count("confidence; chance that it is above 0:") == 2
    assert "1 strategy was tried on these bars" in told


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["nope"], "There is no model 'nope'"),
        (["--mode", "best"], "There is no mode 'best'"),
        (["--cash", "0"], "above 0 USD"),
        (["--slippage-bps", "-1"], "slippage_bps must be"),
        (["--start", "someday"], "neither a date"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_exit_code_two(door, asked, sentence, capsys):
    assert main.run(asked) == 2
    answer = capsys.readouterr()
    assert answer.out == ""
    assert sentence in answer.err
    assert len(answer.err.splitlines()) == 1
