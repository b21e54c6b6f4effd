"""What the figures of a bare symbol promise."""

import math
import statistics
from datetime import date

import orjson
import polars as pl
import pytest

from simulation_service.returns import CurveError
from simulation_service.symbol_statistics import symbol_statistics

DAYS = [date(2024, 7, day) for day in (1, 2, 3, 5, 8)]
CLOSES = pl.DataFrame({"session_date": DAYS, "close": [100.0, 110.0, 99.0, 108.9, 119.79]})
INDEX = pl.DataFrame({"session_date": DAYS, "close": [50.0, 52.5, 49.875, 52.36875, 54.9871875]})


def test_five_closes_by_hand():
    found = symbol_statistics(CLOSES, 252, index=INDEX)

    returns = [0.1, -0.1, 0.1, 0.1]
    assert (found.start, found.end, found.sessions) == (DAYS[0], DAYS[-1], 4)
    assert found.total_return == pytest.approx(0.1979)
    assert found.volatility == pytest.approx(statistics.stdev(returns) * math.sqrt(252))
    assert found.sharpe == pytest.approx(0.05 / statistics.stdev(returns) * math.sqrt(252))
    assert found.max_drawdown == pytest.approx(-0.1)
    assert (found.drawdown_start, found.drawdown_trough) == (DAYS[1], DAYS[2])
    assert (found.drawdown_recovery, found.drawdown_sessions) == (DAYS[4], 2)
    # The index moves 5 % where the symbol moves 10 %.
    assert found.beta == pytest.approx(2)
    assert found.alpha == pytest.approx(0, abs=1e-9)


def test_a_window_has_a_drawdown_of_its_own():
    found = symbol_statistics(CLOSES, 252, start=DAYS[2], end=DAYS[3])

    assert found.sessions == 1
    assert found.total_return == pytest.approx(0.1)
    assert found.max_drawdown == 0
    assert (found.drawdown_start, found.sharpe, found.beta) == (None, None, None)


def test_beta_is_of_the_sessions_that_both_have():
    holey = INDEX.filter(pl.col("session_date") != DAYS[1])

    found = symbol_statistics(CLOSES, 252, index=holey)

    own, other = [-0.01, 0.1, 0.1], [-0.0025, 0.05, 0.05]
    assert found.beta == pytest.approx(statistics.linear_regression(other, own).slope)


def test_one_close_has_no_figures():
    found = symbol_statistics(CLOSES.head(1), 252, index=INDEX)

    assert (found.sessions, found.total_return, found.max_drawdown) == (0, 0, 0)
    assert (found.annual_return, found.volatility, found.beta) == (None, None, None)


def test_the_facts_are_json():
    facts = orjson.loads(orjson.dumps(symbol_statistics(CLOSES, 252, index=INDEX).facts))

    assert facts["drawdown_trough"] == "2024-07-03"


@pytest.mark.parametrize(
    ("closes", "sentence"),
    [
        (CLOSES.rename({"close": "price"}), "lack close"),
        (CLOSES.reverse(), "in the order of time"),
        (CLOSES.with_columns(close=pl.col("close") - 100), "not above zero at 2024-07-01"),
        (CLOSES.with_columns(close=pl.lit(math.nan)), "no finite number"),
        (CLOSES.head(0), "There are no closes"),
    ],
)
def test_closes_nobody_could_trade_at_are_refused(closes, sentence):
    with pytest.raises(CurveError, match=sentence):
        symbol_statistics(closes, 252)
