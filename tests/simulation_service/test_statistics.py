"""What the figures of a bare symbol promise: the lake's own closes, dividends among the returns."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from lake.actions import ACTION_SCHEMA, Answered
from lake.errors import BarsMissingError
from simulation_service.statistics import ClosesMissingError, statistics
from tests.feature_service.walks import SOURCE


def closes(store, symbol):
    """The close of each session's last minute, in SQL."""
    return store.sql(
        """SELECT arg_max(close, "timestamp") AS close FROM bars WHERE symbol = ?
           GROUP BY session_date ORDER BY session_date""",
        [symbol],
    )["close"].to_numpy()


def test_returns_are_those_from_close_to_close(store):
    found = statistics(store, ["SPY", "QQQ"], index="QQQ")
    own, other = closes(store, "SPY"), closes(store, "QQQ")
    returns = own[1:] / own[:-1] - 1
    index = other[1:] / other[:-1] - 1

    spy = found["SPY"]
    assert spy.sessions == len(own) - 1
    assert spy.total_return == pytest.approx(own[-1] / own[0] - 1)
    assert spy.volatility == pytest.approx(returns.std(ddof=1) * np.sqrt(250), rel=0.01)
    assert spy.max_drawdown == pytest.approx((own / np.maximum.accumulate(own)).min() - 1)
    assert spy.beta == pytest.approx(np.cov(returns, index)[0, 1] / index.var(ddof=1))
    assert found["QQQ"].beta == pytest.approx(1)


def test_a_range_begins_with_the_close_of_its_first_session(store):
    own = closes(store, "SPY")
    found = statistics(store, ["spy"], start="2024-06-25", end="2024-06-27")["SPY"]

    assert (found.start, found.end, found.sessions) == (date(2024, 6, 25), date(2024, 6, 27), 2)
    assert found.total_return == pytest.approx(own[3] / own[1] - 1)


def test_a_dividend_counts_as_return_unless_it_is_left_out(store):
    row = ("d1", "SPY", "cash_dividend", date(2024, 6, 26), None, None, 2.0, "{}")
    told = pl.DataFrame([row], schema=ACTION_SCHEMA, orient="row")
    plain = statistics(store, ["SPY"])["SPY"].total_return
    store.commit_actions(Answered(SOURCE, told, ("SPY",), date(2024, 6, 1), date(2024, 7, 31)))

    before = closes(store, "SPY")[1]
    with_it = statistics(store, ["SPY"])["SPY"].total_return
    assert 1 + with_it == pytest.approx((1 + plain) / (1 - 2.0 / before))
    assert statistics(store, ["SPY"], adjust="split")["SPY"].total_return == pytest.approx(plain)


def test_too_few_sessions_and_an_unknown_symbol_are_sentences(store):
    with pytest.raises(ClosesMissingError, match="SPY has one session with bars in that range"):
        statistics(store, ["SPY"], start="2024-06-25", end="2024-06-25")
    with pytest.raises(BarsMissingError, match="barlake ingest NOPE"):
        statistics(store, ["NOPE"])
