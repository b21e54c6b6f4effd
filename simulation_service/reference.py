"""The slow, obvious way: one bar after another, with a broker. The fast way must agree with it."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from simulation_service.market import Market, Mode
from simulation_service.run import Run, Trade
from strategy_service.broker import Account, Fill, Order
from strategy_service.signals import Direction
from strategy_service.sizing import all_in


class SimulatedBroker:
    """A broker that fills one open order at the next price it is shown.

    It is told when bars open and close; ``next_open`` orders wait for the next open of the same
    session, ``close`` orders are filled at once.
    """

    def __init__(self, mode: Mode, cash: float) -> None:
        self._mode = mode
        self._account = Account(cash, 0)
        self._fills: list[Fill] = []
        self._waiting: Order | None = None

    @property
    def account(self) -> Account:
        """What is owned now."""
        return self._account

    @property
    def fills(self) -> Sequence[Fill]:
        """Every order carried out so far, oldest first."""
        return self._fills

    def submit(self, order: Order) -> None:
        """Take an order; the one before it, if it still waits, lapses."""
        self._waiting = order

    def show(self, price: float, at: datetime) -> None:
        """Fill the open order at a price, if the account can."""
        order, self._waiting = self._waiting, None
        if order is None:
            return
        costs = self._mode.costs
        buys = order.side == "buy"
        paid = costs.buy_price(price) if buys else costs.sell_price(price)
        shares = all_in(self._account.cash, paid, costs) if buys else self._account.shares
        if shares == 0:
            return
        fee = costs.fee(shares, paid)
        cash = self._account.cash + (-(shares * paid + fee) if buys else shares * paid - fee)
        self._account = Account(cash, shares if buys else 0)
        self._fills.append(Fill(order, at, shares, paid, fee + abs(paid - price) * shares))

    def end_session(self) -> None:
        """Let an order lapse that nothing came for."""
        self._waiting = None


def run(market: Market, directions: Sequence[int], cash: float, mode: Mode) -> Run:
    """Trade on signals: buy when flat, sell what is held, otherwise hold.

    Args:
        directions: A ``Direction`` for each bar, said at its close.
        cash: USD at the beginning.
    """
    broker = SimulatedBroker(mode, cash)
    times = market.bars["timestamp"].to_list()
    row = {moment: number for number, moment in enumerate(times)}
    equity, held = [], []
    for number, moment in enumerate(times):
        if number and market.session[number] != market.session[number - 1]:
            broker.end_session()
        if mode.fill == "next_open":
            broker.show(float(market.open[number]), moment)
        flat = broker.account.shares == 0
        if directions[number] == Direction.BUY and flat:
            broker.submit(Order(market.symbol, "buy", moment))
        elif directions[number] == Direction.SELL and not flat:
            broker.submit(Order(market.symbol, "sell", moment))
        if mode.fill == "close":
            broker.show(float(market.close[number]), moment)
        held.append(broker.account.shares)
        equity.append(broker.account.cash + broker.account.shares * float(market.close[number]))
    trades = tuple(_trade(fill, row, mode) for fill in broker.fills)
    return Run(cash, trades, np.array(equity), np.array(held, dtype=np.int64))


def _trade(fill: Fill, row: dict[datetime, int], mode: Mode) -> Trade:
    fee = mode.costs.fee(fill.shares, fill.price)
    traded = fill.shares * fill.price
    return Trade(
        decided=row[fill.order.decided_at],
        filled=row[fill.filled_at],
        side=fill.order.side,
        shares=fill.shares,
        price=fill.price,
        costs=fill.costs,
        amount=traded + fee if fill.order.side == "buy" else traded - fee,
    )
