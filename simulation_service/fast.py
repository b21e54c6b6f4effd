"""The fast way for one market: the reference's rules as a compiled loop, to the cent."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from simulation_service.loop import (
    AT_CLOSE,
    BAND,
    BORROW,
    CAP,
    CASH,
    COLUMNS,
    CUT,
    FIRST,
    FIXED,
    FLAT,
    FRACTION,
    IMPACT,
    LIMIT_OFF,
    OFF,
    ORDERS,
    PAYMENTS,
    PER_ORDER,
    PER_SHARE,
    PERCENT,
    PROFIT,
    ROOM,
    SECOND,
    SIDE_NAMES,
    SIDES,
    SIZING,
    STOP,
    TRAIL,
    TRIMS,
    VOLATILITY,
    WHOLE,
    WITHDRAWN,
    YEAR,
    run_through,
)
from simulation_service.market import Event, Market, Mode
from simulation_service.run import Counts, Floats, Income, Orders, Run
from simulation_service.trading import Said, Trading
from strategy_service import regulatory
from strategy_service.execution import Execution
from strategy_service.sizing import AllIn, FixedShares, Fraction, Sizing, VolatilityTarget

_YEAR_OF_BARS = 252.0 * 390.0


def can(markets: Sequence[Market], trading: Trading, mode: Mode) -> bool:
    """Whether this way knows how: one market, no risk rules, a sizing of ours."""
    left = trading.under(mode, 1)
    kinds = (AllIn, FixedShares, Fraction, VolatilityTarget)
    return len(markets) == 1 and not left.risk and type(left.sizing) in kinds


def run(
    market: Market,
    said: Said,
    trading: Trading,
    cash: float,
    mode: Mode,
    *,
    bars_per_year: float = _YEAR_OF_BARS,
) -> Run:
    """The same as :func:`simulation_service.reference.run` of one market without risk rules."""
    left = trading.under(mode, 1)
    state = np.zeros(21)
    state[CASH] = cash
    bars = len(market.close)
    equity, held = np.empty(bars), np.empty(bars)
    orders, payments = run_through(
        state,
        _chosen(left.execution, left.sizing, mode, bars_per_year),
        _prices(market),
        (_fixed(market.session, np.int64), _fixed(market.halted, np.bool_)),
        _fixed(said.directions, np.int8),
        (_or_none(said.strengths), _or_none(said.volatility)),
        (_table(market.splits), _table(market.dividends)),
        _rates(mode),
        (equity, held),
        (np.empty((ROOM, COLUMNS)), np.empty((ROOM, 4))),
    )
    counted = state[CUT : WITHDRAWN + 1].astype(int).tolist()
    return Run(
        cash,
        Orders.table(orders[: int(state[ORDERS])]),
        equity,
        held[None, :],
        Income.table(payments[: int(state[PAYMENTS])]),
        Counts(*counted),
        (market.symbol,),
    )


def _chosen(execution: Execution, sizing: Sizing, mode: Mode, year: float) -> Floats:
    costs, found = mode.costs, np.zeros(21)
    found[OFF] = (costs.slippage_bps + costs.spread_bps / 2) * 1e-4
    found[IMPACT], found[PER_SHARE] = costs.volume_share, costs.fee_per_share
    found[PERCENT], found[PER_ORDER] = costs.fee_percent, costs.fee_per_order
    found[BORROW], found[CAP] = costs.borrow_percent, mode.participation
    found[AT_CLOSE] = mode.fill == "close"
    limit = execution.entry == "limit"
    found[LIMIT_OFF] = execution.limit_bps * 1e-4 if limit else math.nan
    found[STOP], found[PROFIT] = execution.stop_loss, execution.take_profit
    found[TRAIL], found[WHOLE] = execution.trailing_stop, execution.whole
    found[SIDES] = SIDE_NAMES.index(execution.sides)
    found[FLAT], found[YEAR] = execution.flat_at_close == "yes", year
    found[TRIMS] = sizing.trims
    if isinstance(sizing, FixedShares):
        found[SIZING], found[FIRST] = FIXED, sizing.shares
    elif isinstance(sizing, Fraction):
        found[SIZING], found[BAND] = FRACTION, sizing.band
        found[FIRST], found[SECOND] = sizing.least, sizing.most
    elif isinstance(sizing, VolatilityTarget):
        found[SIZING], found[BAND] = VOLATILITY, sizing.band
        found[FIRST], found[SECOND] = sizing.annual, sizing.most
    return found


def _fixed(values: Any, kind: Any) -> Any:
    """As every compiled function takes it, so that it is compiled once: in one piece, read-only."""
    found = np.ascontiguousarray(values, dtype=kind).view()
    found.flags.writeable = False
    return found


def _prices(market: Market) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    return (
        _fixed(market.open, np.float64),
        _fixed(market.high, np.float64),
        _fixed(market.low, np.float64),
        _fixed(market.close, np.float64),
        _fixed(market.volume, np.float64),
    )


def _or_none(values: Floats | None) -> Floats:
    found: Floats = _fixed(np.empty(0) if values is None else values, np.float64)
    return found


def _table(events: tuple[Event, ...]) -> Floats:
    rows = [(one.row, one.value) for one in events]
    found: Floats = _fixed(np.array(rows, dtype=np.float64).reshape(-1, 2), np.float64)
    return found


def _rates(mode: Mode) -> Floats:
    """The day (since 1970) from which rates hold, and the rates; the first row is for all days before."""
    rows = [(-math.inf, *regulatory.NONE)]
    if mode.costs.regulatory:
        epoch = np.datetime64("1970-01-01")
        for day, rates in regulatory.changes():
            rows.append((float((np.datetime64(day) - epoch).astype(int)), *rates))
    found: Floats = _fixed(np.array(rows), np.float64)
    return found
