"""What came of a simulation, whichever way it was computed."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strategy_service.broker import Side

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Trade:
    """One filled order.

    Attributes:
        decided: Row of the bar at whose close it was decided.
        filled: Row of the bar in which it was filled.
        price: USD per share, slippage included.
        costs: Fees and slippage in USD.
        amount: USD that left (buy) or came in (sell), fees included.
    """

    decided: int
    filled: int
    side: Side
    shares: int
    price: float
    costs: float
    amount: float


@dataclass(frozen=True)
class Run:
    """One strategy in one market.

    Attributes:
        cash: USD at the beginning.
        trades: Filled orders, buys and sells in turn.
        equity: USD at the close of each bar: cash and shares at the close.
        held: Shares at the close of each bar.
    """

    cash: float
    trades: tuple[Trade, ...]
    equity: Floats
    held: Integers

    @property
    def orders_hash(self) -> str:
        """The hash of every order: bars, sides, shares and prices to the hundredth of a cent."""
        lines = (
            f"{one.decided} {one.filled} {one.side} {one.shares} {one.price:.4f} {one.costs:.4f}"
            for one in self.trades
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
