"""What the page of strategies promises: all that is declared, and how each trades on bars that are made up."""

import math
import re

import numpy as np
import pytest

from simulation_service import made_up, page, showing
from simulation_service.market import Market, realistic
from simulation_service.reference import run
from simulation_service.trading import Said, Trading
from strategy_service.execution import EXECUTIONS
from strategy_service.needs import widened
from strategy_service.risk import RISK_RULES
from strategy_service.rule import STRATEGIES
from strategy_service.rules.sma_cross import SmaCross
from strategy_service.sizing import SIZINGS

EVERY = [
    one
    for registry in (STRATEGIES, SIZINGS, RISK_RULES, EXECUTIONS)
    for one in registry.all().values()
]
WAYS = ["realistic", "one bar later", "doubled costs", "as specified", "buy and hold"]


@pytest.fixture(scope="module")
def written():
    return page.PAGE.read_text(encoding="utf-8")


def test_the_page_is_as_it_is_declared(written):
    assert page.text() == written, "run python -m simulation_service.page"


@pytest.mark.parametrize("kind", EVERY, ids=lambda one: one.key)
def test_the_page_has_each_of_them(kind, written):
    assert f"`{kind.key}`" in written


def test_every_strategy_has_its_result_beside_buy_and_hold(written):
    parts = re.split(r"^### ", written.partition("\n## Sizings")[0], flags=re.MULTILINE)[1:]

    assert len(parts) == len(STRATEGIES.all())
    for part in parts:
        rows = re.findall(r"^\| ([a-z ]+) \| [+-]?\d+% \|", part, re.MULTILINE)
        assert rows == WAYS, part


def test_the_page_says_that_the_bars_are_made_up_before_any_figure(written):
    said = written.index("**The bars of these results are made up.**")

    assert said < written.index("| realistic |")
    assert written.count("| made-up bars |") == len(STRATEGIES.all())


def test_the_drawing_is_there():
    assert page.DRAWING.read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize("name", [name for name in STRATEGIES.all() if name != "buy_and_hold"])
def test_every_strategy_trades_and_pays_for_it(name):
    ways = showing.shown()[name]

    assert ways["realistic"].figures["trades"] >= 20
    assert ways["doubled costs"].figures["total_return"] < ways["realistic"].figures["total_return"]
    assert ways["as specified"].figures["costs"] == 0
    assert 0.05 < ways["realistic"].figures["exposure"] < 0.95


def test_buying_and_holding_earns_what_the_price_did():
    bars = made_up.year()
    first, last = bars["open"][1], bars["close"][-1]
    paid = first * 1.0001
    shares = math.floor(showing.CASH / (paid + 0.001))
    earned = shares * (last - paid - 0.001)

    found = showing.shown()["buy_and_hold"]["realistic"]

    assert found.curve[-1] == pytest.approx(showing.CASH + earned)
    assert found.figures["total_return"] == pytest.approx(earned / showing.CASH)


def test_a_result_is_that_of_the_reference_on_the_strategys_own_signals():
    bars = made_up.year()
    market, rule = Market.of(made_up.SYMBOL, bars), SmaCross()
    signals = rule.signals(widened(bars, rule.features))
    said = Said(signals["direction"].to_numpy().astype(np.int8), signals["strength"].to_numpy())

    slow = run([market], [said], Trading(), showing.CASH, realistic())

    found = showing.shown()["sma_cross"]["realistic"]
    assert found.curve[-1] == pytest.approx(slow.equity[-1])
    assert found.figures["trades"] == slow.entries
