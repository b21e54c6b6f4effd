"""Markets made of a few bars, both ways of simulating, and what hypothesis draws of them."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import strategies as st

from simulation_service import fast, reference
from simulation_service.market import Market, Mode, as_specified, realistic
from simulation_service.run import Run
from simulation_service.trading import Said, Trading
from strategy_service.costs import FREE, Costs
from strategy_service.execution import Execution
from strategy_service.sizing import AllIn, FixedShares, Fraction, VolatilityTarget

BUY, HOLD, SELL = 1, 0, -1
DAYS = [date(2024, 7, 1), date(2024, 7, 2), date(2024, 7, 3), date(2024, 7, 5)]
NEXT_OPEN = Mode("next_open", "next_open", FREE)


def bars(*sessions, minutes=None) -> pl.DataFrame:
    """Bars as (open, close) or (open, high, low, close[, volume]), a minute apart; a list a session."""
    rows = []
    for day, session in zip(DAYS, sessions, strict=False):
        for at, bar in enumerate(session):
            opened, close = bar[0], bar[1] if len(bar) == 2 else bar[3]
            high, low = (max(bar), min(bar)) if len(bar) == 2 else (bar[1], bar[2])
            minute = minutes[at] if minutes else at
            rows.append(
                {
                    "timestamp": datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC)
                    + timedelta(minutes=minute),
                    "session_date": day,
                    "open": float(opened),
                    "high": float(high),
                    "low": float(low),
                    "close": float(close),
                    "volume": float(bar[4]) if len(bar) > 4 else 1_000.0,
                }
            )
    return pl.DataFrame(rows, schema_overrides={"timestamp": pl.Datetime("us", "UTC")})


def market(*sessions, symbol="SPY", minutes=None, **events) -> Market:
    return Market.of(symbol, bars(*sessions, minutes=minutes), **events)


def splits(day, ratio) -> pl.DataFrame:
    return pl.DataFrame({"ex_date": [day], "ratio": [float(ratio)]})


def dividends(day, amount) -> pl.DataFrame:
    return pl.DataFrame({"ex_date": [day], "amount": [float(amount)]})


def quickly(one: Market, said, cash: float, mode: Mode, trading: Trading | None = None) -> Run:
    return fast.run(one, as_said(said), trading or Trading(), cash, mode)


def slowly(one: Market, said, cash: float, mode: Mode, trading: Trading | None = None) -> Run:
    return reference.run([one], [as_said(said)], trading or Trading(), cash, mode)


def as_said(said) -> Said:
    return said if isinstance(said, Said) else Said.plainly(said)


def told(run: Run) -> list[tuple]:
    """Row, side, shares, price and purpose of each order."""
    return [
        (one.filled, one.side, one.shares, pytest.approx(one.price), one.purpose)
        for one in run.trades
    ]


def within(**execution) -> Trading:
    return Trading(execution=Execution(**execution))


both_ways = pytest.mark.parametrize("run", [quickly, slowly], ids=["fast", "reference"])

# What hypothesis draws

cents = st.integers(100, 400).map(lambda one: one / 4)


@st.composite
def thin_markets(draw, *, max_sessions=3, max_bars=7) -> Market:
    """Bars of a few minutes with gaps between, without volume here and there, halts, splits, dividends."""
    sessions, minutes = (
        [],
        sorted(draw(st.sets(st.integers(0, 30), min_size=max_bars, max_size=max_bars))),
    )
    for _ in range(draw(st.integers(1, max_sessions))):
        session = []
        for _ in range(draw(st.integers(1, max_bars))):
            four = [draw(cents) for _ in range(2)]
            high = max(four) + draw(st.sampled_from([0.0, 0.25, 3.0]))
            low = min(four) - draw(st.sampled_from([0.0, 0.25, 3.0]))
            session.append((four[0], high, low, four[1], draw(st.sampled_from([0, 7, 90, 4_000]))))
        sessions.append(session)
    made, count = {}, sum(map(len, sessions))
    if draw(st.booleans()):
        made["splits"] = splits(
            draw(st.sampled_from(DAYS)), draw(st.sampled_from([2, 1.5, 0.1, 0.75]))
        )
    if draw(st.booleans()):
        made["dividends"] = dividends(draw(st.sampled_from(DAYS)), draw(st.sampled_from([0.25, 5])))
    if draw(st.booleans()):
        made["halted"] = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    return market(*sessions, minutes=minutes, **made)


rates = st.sampled_from([0.0, 1.0, 37.5])
costs = st.builds(
    Costs,
    slippage_bps=rates,
    fee_per_share=st.sampled_from([0.0, 0.005, 1.0]),
    fee_percent=st.sampled_from([0.0, 0.25]),
    spread_bps=rates,
    volume_share=st.sampled_from([0.0, 0.1]),
    fee_per_order=st.sampled_from([0.0, 1.25]),
    regulatory=st.booleans(),
    borrow_percent=st.sampled_from([0.0, 3.0, 50.0]),
)
modes = st.one_of(
    st.just(as_specified()),
    st.builds(
        lambda chosen, cap: realistic(chosen, participation=cap),
        costs,
        st.sampled_from([0.0, 0.0, 0.1, 1.0]),
    ),
)
distances = st.sampled_from([0.0, 0.0, 0.01, 0.05])
executions = st.builds(
    Execution,
    entry=st.sampled_from(["market", "limit"]),
    limit_bps=st.sampled_from([0.0, 5.0, 200.0]),
    stop_loss=distances,
    take_profit=distances,
    trailing_stop=distances,
    sides=st.sampled_from(["long", "both", "short"]),
    shares=st.sampled_from(["whole", "fractional"]),
    flat_at_close=st.sampled_from(["no", "yes"]),
)
sizings = st.one_of(
    st.just(AllIn()),
    st.builds(FixedShares, shares=st.integers(1, 200)),
    st.builds(
        Fraction,
        least=st.sampled_from([0.0, 0.2]),
        most=st.sampled_from([0.3, 1.0]),
        band=st.sampled_from([0.0, 0.1]),
    ),
    st.builds(
        VolatilityTarget, annual=st.sampled_from([0.1, 1.0]), band=st.sampled_from([0.0, 0.1])
    ),
)
tradings = st.builds(Trading, sizing=sizings, execution=executions)


@st.composite
def sayings(draw, one: Market) -> Said:
    """Any signals, strengths and volatilities for a market."""
    rows = len(one.close)

    def column(values):
        return draw(st.lists(values, min_size=rows, max_size=rows))

    return Said(
        np.array(column(st.sampled_from([BUY, BUY, HOLD, SELL])), dtype=np.int8),
        np.array(column(st.sampled_from([0.0, 0.3, 1.0]))),
        np.array(column(st.sampled_from([0.0, 0.001, 0.01, np.nan]))),
    )
