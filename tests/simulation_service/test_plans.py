"""What simulating a plan promises: its orders know the past alone, and every run is in the ledger."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.simulations import equity, orders, simulations, trials
from simulation_service.engine import run
from simulation_service.hearing import StrategyBrokeError
from simulation_service.loading import load_market
from simulation_service.market import realistic
from simulation_service.returns import CurveError
from simulation_service.simulation import Terms, simulate_plan
from simulation_service.trading import MOST_ALIKE, Said, Trading, shared_alike
from strategy_service.costs import FREE, Costs
from strategy_service.execution import Execution
from strategy_service.plans import Plan
from strategy_service.risk import MaximumShares, NoLateEntry
from strategy_service.rule import Rule
from strategy_service.rules.buy_and_hold import BuyAndHold
from strategy_service.rules.sma_cross import SmaCross
from strategy_service.sizing import FixedShares, Fraction, Sizing
from tests.feature_service.walks import put, random_walk
from tests.simulation_service.test_loading import act

CROSS = Plan(SmaCross(fast=5, slow=20))
CAREFUL = Plan(
    SmaCross(fast=5, slow=20),
    Fraction(most=0.5),
    (NoLateEntry(minutes=60), MaximumShares(shares=300)),
    Execution(stop_loss=0.002, take_profit=0.004),
)
TEN = Plan(BuyAndHold(), FixedShares(shares=10))
SHORT = Terms("2024-06-24", "2024-06-28")
DAY = Terms("2024-06-28", "2024-06-28")


@dataclass(frozen=True)
class Broken(Rule):
    """One of the user's own, with a mistake."""

    key = "broken"
    title = "broken"

    def says(self):
        raise ZeroDivisionError("division by zero")

    def because(self, row, direction):
        return f"{row} {direction}"


@dataclass(frozen=True)
class Shorter(Broken):
    """One that forgets the last bar."""

    def signals(self, rows):
        return BuyAndHold().signals(rows).head(-1)


@dataclass(frozen=True)
class Wild(Broken):
    """One that says what nobody knows."""

    def signals(self, rows):
        return BuyAndHold().signals(rows).with_columns(direction=pl.lit(7, dtype=pl.Int8))


@dataclass(frozen=True)
class Fussy(Sizing):
    """A sizing of the user's own that never knows."""

    key = "fussy"
    title = "fussy"

    def wanted(self, signal, now):
        raise CurveError(f"It is fussy{'.' if signal and now else '?'}")


def only(results):
    (one,) = results
    return one


# Alone and together


def test_a_plan_runs_in_both_modes_beside_buy_and_hold_and_is_noted(barred):
    specified, real = simulate_plan(barred, CROSS, ["SPY"], terms=SHORT)

    assert (specified.mode, real.mode) == ("as_specified", "realistic")
    assert real.stored.strategy == "SMA cross (fast 5, slow 20, band_bps 0, full_bps 50)"
    assert real.stored.model_id is None
    assert real.metrics["costs"] > specified.metrics["costs"] == 0
    assert real.benchmark["trades"] == 1
    assert equity(barred, real.simulation_id).height == real.metrics["sessions"] == 5
    noted = simulations(barred)
    assert sorted(noted["mode"]) == ["as_specified", "realistic"]
    assert set(noted["state"]) == {"done"}


def test_a_stop_sells_below_the_entry_and_late_minutes_and_many_shares_are_refused(barred):
    careful = only(simulate_plan(barred, CAREFUL, ["SPY"], "realistic", terms=SHORT))
    found = orders(barred, careful.simulation_id)

    assert {"entry", "exit", "stop_loss", "take_profit"} == set(found["purpose"])
    assert found["shares"].max() <= 300
    entries = found.filter(pl.col("purpose") == "entry")
    new_york = entries["decided_at"].dt.convert_time_zone("America/New_York")
    assert new_york.dt.time().max().isoformat() <= "15:00:00"
    assert careful.stored.metrics["counts"]["bounded"] > 0
    assert any("by risk rules" in warning for warning in careful.warnings)


def test_two_symbols_share_one_purse(barred):
    half = Plan(BuyAndHold(), Fraction(least=0.5, most=0.5, band=1.0))
    together = only(simulate_plan(barred, half, ["SPY", "QQQ"], "realistic", terms=SHORT))
    found = orders(barred, together.simulation_id)

    assert together.stored.symbol == "SPY+QQQ"
    assert sorted(found["symbol"]) == ["QQQ", "SPY"]
    paid = (found["shares"] * found["price"]).to_list()
    assert all(49_000 < one <= 50_100 for one in paid)
    closes = {
        name: barred.bars(name, None, "2024-06-28", regular_only=True)["close"][-1]
        for name in ("SPY", "QQQ")
    }
    fees = 0.001 * found["shares"].sum()
    left = 100_000 - sum(paid) - fees
    worth = sum(found["shares"] * found["symbol"].replace_strict(closes))
    assert together.metrics["final_equity"] == pytest.approx(left + worth, abs=0.01)
    assert {one["symbol"] for one in together.stored.metrics["by_symbol"]} == {"SPY", "QQQ"}


def test_all_in_on_several_symbols_comes_with_a_warning(barred):
    one = only(simulate_plan(barred, CROSS, ["SPY", "QQQ"], "realistic", terms=DAY))

    assert any("whole purse to the first symbol" in warning for warning in one.warnings)


def test_a_symbol_that_was_listed_later_joins_with_its_first_bar(barred):
    put(barred, random_walk("NEW", date(2024, 6, 27), date(2024, 6, 28), seed=9))
    half = Plan(BuyAndHold(), Fraction(least=0.4, most=0.4, band=1.0))
    one = only(simulate_plan(barred, half, ["SPY", "NEW"], "realistic", terms=SHORT))

    first = orders(barred, one.simulation_id).filter(pl.col("symbol") == "NEW")["filled_at"][0]
    assert first.date() == date(2024, 6, 27)
    assert any("3 of 5 sessions of NEW have no bars" in warning for warning in one.warnings)


def test_more_symbols_than_can_share_a_purse_alike_are_a_sentence():
    assert shared_alike(MOST_ALIKE).most == 1 / MOST_ALIKE
    with pytest.raises(CurveError, match="At most 20 symbols share one purse alike, not 21"):
        shared_alike(MOST_ALIKE + 1)


# Time


@pytest.mark.parametrize("plan", [CROSS, CAREFUL], ids=["alone", "with stops and rules"])
def test_no_later_bar_nor_split_changes_an_earlier_order(barred, plan):
    """What was decided when the newest bar was that of July 1 is decided with a week more of them too."""
    open_end = Terms("2024-06-26")
    first = only(simulate_plan(barred, plan, ["SPY"], "realistic", terms=open_end))
    before = orders(barred, first.simulation_id)
    put(barred, random_walk("SPY", date(2024, 7, 2), date(2024, 7, 5), seed=3, drift=1e-4))
    act(barred, ("forward_split", date(2024, 7, 3), 3.0, None, "{}"))
    second = only(simulate_plan(barred, plan, ["SPY"], "realistic", terms=open_end))
    after = orders(barred, second.simulation_id)

    assert after["decided_at"].max() > before["decided_at"].max()
    assert_frame_equal(after.head(before.height), before, check_exact=True)


def test_every_order_is_filled_behind_its_decision_in_the_same_session(barred):
    one = only(simulate_plan(barred, CROSS, ["SPY"], "realistic", terms=SHORT))
    found = orders(barred, one.simulation_id)

    assert (found["filled_at"] > found["decided_at"]).all()
    assert (found["filled_at"].dt.date() == found["decided_at"].dt.date()).all()


def test_what_is_heard_one_bar_later_is_as_if_said_one_bar_later(barred):
    """The figures of the delay against a market told the shifted signals by hand."""
    one = only(simulate_plan(barred, CROSS, ["SPY"], "realistic", terms=SHORT))
    bars = (
        barred.bars("SPY", None, SHORT.end, regular_only=True)
        .with_columns(fast=pl.col("close").rolling_mean(5), slow=pl.col("close").rolling_mean(20))
        .filter(pl.col("session_date") >= date(2024, 6, 24))
    )
    gap = pl.col("fast") / pl.col("slow") - 1
    told = pl.when(gap > 1e-12).then(1).when(gap < -1e-12).then(-1).otherwise(0)
    late = bars.select(told.shift(1).over("session_date").fill_null(0)).to_series().to_list()
    market = load_market(barred, "SPY", None, SHORT.start, SHORT.end).market
    by_hand = run([market], [Said.plainly(late)], Trading.of(CROSS), 100_000.0, realistic())

    delayed = one.stored.metrics["sensitivity"]["delay"]
    assert delayed["final_equity"] == pytest.approx(by_hand.equity[-1], abs=0.005)
    assert delayed["trades"] == by_hand.entries


def test_doubled_costs_are_those_of_a_run_that_pays_twice(barred):
    one = only(simulate_plan(barred, CROSS, ["SPY"], "realistic", terms=DAY))
    twice = Terms(DAY.start, DAY.end, costs=Costs().times(2))
    dear = only(simulate_plan(barred, CROSS, ["SPY"], "realistic", terms=twice))

    doubled = one.stored.metrics["sensitivity"]["doubled_costs"]
    assert doubled["final_equity"] == dear.metrics["final_equity"] < one.metrics["final_equity"]


# Splits and dividends


def test_a_dividend_and_a_split_come_to_what_is_held(barred):
    """Ten shares; 0.50 USD each over one night, three for one over another."""
    act(
        barred,
        ("cash_dividend", date(2024, 6, 25), None, 0.5, "{}"),
        ("forward_split", date(2024, 6, 27), 3.0, None, "{}"),
    )
    terms = Terms(SHORT.start, SHORT.end, costs=FREE)
    one = only(simulate_plan(barred, TEN, ["SPY"], "realistic", terms=terms))
    bars = barred.bars("SPY", "2024-06-24", "2024-06-28", adjust="raw", regular_only=True)

    expected = 100_000 - 10 * bars["open"][1] + 10 * 0.5 + 30 * bars["close"][-1]
    assert one.metrics["final_equity"] == pytest.approx(expected, abs=0.005)
    assert one.metrics["dividends"] == pytest.approx(5.0)


def test_who_comes_on_the_ex_day_gets_no_dividend(barred):
    act(barred, ("cash_dividend", date(2024, 6, 24), None, 0.5, "{}"))
    one = only(simulate_plan(barred, TEN, ["SPY"], "realistic", terms=SHORT))

    assert one.metrics["dividends"] == 0


# Found again or another


def test_the_same_plan_on_the_same_bars_is_found_and_a_changed_one_is_another(barred):
    first = only(simulate_plan(barred, CROSS, ["SPY"], "realistic", terms=DAY))
    again = only(simulate_plan(barred, CROSS, ["SPY"], "realistic", terms=DAY))
    other = Plan(CROSS.strategy, execution=Execution(stop_loss=0.01))
    changed = only(simulate_plan(barred, other, ["SPY"], "realistic", terms=DAY))

    assert not again.fresh
    assert again.simulation_id == first.simulation_id != changed.simulation_id
    assert (first.trials, again.trials, changed.trials) == (1, 1, 2)


def test_the_same_bars_of_another_symbol_are_another_run(barred):
    twin = barred.bars("SPY", "2024-06-24", "2024-06-28", columns=[
        "symbol", "timestamp", "open", "high", "low", "close", "volume", "trade_count", "vwap",
    ]).with_columns(symbol=pl.lit("TWIN"))  # fmt: skip
    put(barred, twin)
    bought = Plan(BuyAndHold())
    spy, other = (
        only(simulate_plan(barred, bought, [name], "realistic", terms=SHORT))
        for name in ("SPY", "TWIN")
    )

    assert other.fresh
    assert other.stored.symbol == "TWIN"
    assert other.stored.orders_hash == spy.stored.orders_hash
    assert other.trials == 1


# What fails


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Broken, "ZeroDivisionError: division by zero"),
        (Shorter, "it gave 7,276 signals for 7,277 bars"),
        (Wild, "a direction is one of"),
    ],
)
def test_a_strategy_that_breaks_is_in_the_ledger_with_its_sentence(barred, rule, words):
    sentence = f"^broken broke on the bars of SPY: {words}"
    with pytest.raises(StrategyBrokeError, match=sentence):
        simulate_plan(barred, Plan(rule()), ["SPY"], terms=Terms("2024-06-24", "2024-06-28"))
    failed = simulations(barred)

    assert failed["state"].to_list() == ["failed", "failed"]
    assert failed["error"].str.contains("broke on the bars of SPY").all()
    assert (
        trials(barred, "SPY", *(barred.bars("SPY")["timestamp"][at] for at in (0, -1))).count == 0
    )


def test_what_fails_in_one_mode_leaves_the_other(barred):
    """As specified a plan's sizing is not asked: that run is there, and the other is noted as failed."""
    with pytest.raises(CurveError, match=r"It is fussy\."):
        simulate_plan(barred, Plan(BuyAndHold(), Fussy()), ["SPY"], terms=SHORT)

    noted = simulations(barred).select("mode", "state", "error").sort("mode").rows()
    assert noted == [("as_specified", "done", None), ("realistic", "failed", "It is fussy.")]


def test_orders_beyond_the_cash_are_cut_and_counted(barred):
    many = replace(TEN, sizing=FixedShares(shares=100_000))
    one = only(simulate_plan(barred, many, ["SPY"], "realistic", terms=SHORT))
    found = orders(barred, one.simulation_id)

    spent = (found["shares"] * found["price"]).sum()
    assert 0 < spent <= 100_000
    price = found["price"][0]
    assert spent > 100_000 - 2 * price
    assert one.metrics["final_equity"] > 0
    assert found["filled_at"][0] - found["decided_at"][0] >= timedelta(minutes=1)
