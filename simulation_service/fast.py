"""The fast way: only bars at which the position changes are looked at one by one."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulation_service.market import Market, Mode
from simulation_service.run import Integers, Run, Trade
from strategy_service.costs import Costs
from strategy_service.signals import Direction
from strategy_service.sizing import all_in


def run(market: Market, directions: NDArray[np.int8], cash: float, mode: Mode) -> Run:
    """The same as :func:`simulation_service.reference.run`, to the cent."""
    rows, wanted, filled, prices = _chances_to_trade(market, directions, mode)
    trades = list(_trades(rows, wanted, filled, prices, cash, mode.costs))
    return _run(market, cash, trades)


def _chances_to_trade(
    market: Market, directions: NDArray[np.int8], mode: Mode
) -> tuple[Integers, Integers, Integers, NDArray[np.float64]]:
    """Bars that say buy or sell and can be filled: rows, what they say, where, at what price."""
    rows = np.flatnonzero(directions != Direction.HOLD)
    if mode.fill == "close":
        return rows, directions[rows].astype(np.int64), rows, market.close[rows]
    later = rows + 1
    inside = later < len(market.close)
    rows, later = rows[inside], later[inside]
    same = market.session[rows] == market.session[later]
    rows, later = rows[same], later[same]
    return rows, directions[rows].astype(np.int64), later, market.open[later]


def _trades(
    rows: Integers,
    wanted: Integers,
    filled: Integers,
    prices: NDArray[np.float64],
    cash: float,
    costs: Costs,
) -> Iterator[Trade]:
    """Buys and sells in turn, beginning with a buy."""
    # Of a run of equal wishes only the first changes anything, unless the cash did not pay for a
    # share then; so the first of each run comes by itself and the rest of a run when it must.
    change = np.flatnonzero(np.diff(wanted, prepend=int(Direction.SELL)))
    shares = 0
    for start, end in pairwise([*change.tolist(), len(wanted)]):
        if wanted[start] == Direction.SELL:
            if shares:
                trade = _sell(
                    shares, float(prices[start]), costs, int(rows[start]), int(filled[start])
                )
                shares, cash = 0, cash + trade.amount
                yield trade
            continue
        for at in range(start, end):
            paid = costs.buy_price(float(prices[at]))
            shares = all_in(cash, paid, costs)
            if shares:
                trade = _buy(shares, float(prices[at]), costs, int(rows[at]), int(filled[at]))
                cash -= trade.amount
                yield trade
                break


def _buy(shares: int, price: float, costs: Costs, decided: int, filled: int) -> Trade:
    paid = costs.buy_price(price)
    fee = costs.fee(shares, paid)
    slipped = abs(paid - price) * shares
    return Trade(decided, filled, "buy", shares, paid, fee + slipped, shares * paid + fee)


def _sell(shares: int, price: float, costs: Costs, decided: int, filled: int) -> Trade:
    brought = costs.sell_price(price)
    fee = costs.fee(shares, brought)
    slipped = abs(brought - price) * shares
    return Trade(decided, filled, "sell", shares, brought, fee + slipped, shares * brought - fee)


def _run(market: Market, cash: float, trades: list[Trade]) -> Run:
    bars = len(market.close)
    at = [trade.filled for trade in trades]
    lengths = np.diff([0, *at, bars])
    purse, shares = [cash], [0]
    for trade in trades:
        buys = trade.side == "buy"
        purse.append(purse[-1] + (-trade.amount if buys else trade.amount))
        shares.append(trade.shares if buys else 0)
    held = np.repeat(np.array(shares, dtype=np.int64), lengths)
    equity = np.repeat(np.array(purse, dtype=np.float64), lengths) + held * market.close
    return Run(cash, tuple(trades), equity, held)
