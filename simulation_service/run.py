"""What came of a simulation, whichever way it was computed."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from strategy_service.broker import PURPOSES, Purpose, Side

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_NUMBERS = {name: number for number, name in enumerate(PURPOSES)}


@dataclass(frozen=True)
class Trade:
    """One filled order, or what was filled of it in one bar.

    Attributes:
        decided: Row of the bar at whose close it was decided; of a stop or a take-profit, that of
            the position's entry.
        filled: Row of the bar in which it was filled.
        price: USD per share, slippage included.
        costs: Fees and slippage in USD.
        amount: USD that left (buy) or came in (sell), fees included.
        symbol: Its place among the run's symbols.
        after: Shares held then, below 0 if they are owed.
    """

    decided: int
    filled: int
    side: Side
    shares: float
    price: float
    costs: float
    amount: float
    purpose: Purpose = "entry"
    symbol: int = 0
    after: float = 0.0


@dataclass(frozen=True, eq=False)
class Orders:
    """Filled orders as columns, in the order in which they were filled; see :class:`Trade`.

    Attributes:
        sides: 1 for a purchase, -1 for a sale.
        purpose: Place in ``strategy_service.broker.PURPOSES``.
    """

    decided: Integers
    filled: Integers
    symbol: Integers
    sides: Integers
    shares: Floats
    price: Floats
    costs: Floats
    amount: Floats
    purpose: Integers
    after: Floats

    def __len__(self) -> int:
        return len(self.filled)

    def __iter__(self) -> Iterator[Trade]:
        columns = (getattr(self, one.name).tolist() for one in fields(self))
        for decided, filled, symbol, side, shares, price, costs, amount, why, after in zip(
            *columns, strict=True
        ):
            yield Trade(
                decided=decided,
                filled=filled,
                side="buy" if side > 0 else "sell",
                shares=shares,
                price=price,
                costs=costs,
                amount=amount,
                purpose=PURPOSES[why],
                symbol=symbol,
                after=after,
            )

    @classmethod
    def of(cls, trades: Iterable[Trade]) -> "Orders":
        """The columns of some trades."""
        rows = [
            (
                one.decided,
                one.filled,
                one.symbol,
                1 if one.side == "buy" else -1,
                one.shares,
                one.price,
                one.costs,
                one.amount,
                _NUMBERS[one.purpose],
                one.after,
            )
            for one in trades
        ]
        return cls.table(np.array(rows, dtype=np.float64).reshape(len(rows), 10))

    @classmethod
    def table(cls, rows: Floats) -> "Orders":
        """The columns of a table that has them in their order, a row an order."""
        whole = ("decided", "filled", "symbol", "sides", "purpose")
        named: dict[str, Any] = {
            one.name: rows[:, at].astype(np.int64) if one.name in whole else rows[:, at].copy()
            for at, one in enumerate(fields(cls))
        }
        return cls(**named)

    @property
    def flows(self) -> Floats:
        """USD that came in with each order; what left is below 0."""
        return -self.sides * self.amount


@dataclass(frozen=True, eq=False)
class Income:
    """Dividends and borrow fees, in the order of time.

    Attributes:
        row: Of the first bar of the session in which it came.
        symbol: Place among the run's symbols.
        amount: USD; below 0 for what was paid.
        borrow: Whether it is a borrow fee; a dividend otherwise.
    """

    row: Integers
    symbol: Integers
    amount: Floats
    borrow: NDArray[np.bool_]

    @classmethod
    def table(cls, rows: Floats) -> "Income":
        """The columns of a table that has them in their order."""
        table = np.asarray(rows, dtype=np.float64).reshape(-1, 4)
        return cls(
            table[:, 0].astype(np.int64),
            table[:, 1].astype(np.int64),
            table[:, 2].copy(),
            table[:, 3] > 0,
        )


NO_INCOME = Income.table(np.zeros((0, 4)))


@dataclass(frozen=True)
class Counts:
    """What became of orders that were not simply filled.

    Attributes:
        cut: Bought (or sold short) in part: the cash paid for no more.
        refused: Not at all: the cash paid for nothing.
        lapsed: Not filled, or not wholly, when the session ended.
        withdrawn: Taken back before, because a signal said otherwise or the position was closed.
        bounded: Decisions that risk rules cut or refused.
    """

    cut: int = 0
    refused: int = 0
    lapsed: int = 0
    withdrawn: int = 0
    bounded: int = 0

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each kind there was."""
        said = {
            "cut": "orders were cut to what the free cash paid for when they were filled.",
            "refused": "orders were refused: the free cash paid for nothing when they came.",
            "lapsed": "orders lapsed at the end of a session, unfilled or filled in part.",
            "withdrawn": "orders were withdrawn before they were filled: a signal said otherwise, "
            "or the position was closed.",
            "bounded": "targets were cut or refused by risk rules.",
        }
        return tuple(
            f"{getattr(self, name):,} {sentence}"
            for name, sentence in said.items()
            if getattr(self, name)
        )


@dataclass(frozen=True, eq=False)
class Run:
    """One strategy in one or several markets with one purse.

    Rows are those of the market, or of ``timestamps`` if there are several: every minute in which
    one of them has a bar.

    Attributes:
        cash: USD at the beginning.
        orders: Filled ones.
        equity: USD at the close of each bar: cash, and shares at their newest close.
        held: Shares at the close of each bar, a row a symbol; below 0 if they are owed.
        income: Dividends and borrow fees.
        symbols: Whose rows ``held`` has.
        marks: Newest close of each symbol at the end; None for one symbol alone, whose worth is the
            rest of the equity.
        timestamps: Opening of each row's bar (UTC) if there are several markets.
        session: A number for each row that changes with the session, likewise.
    """

    cash: float
    orders: Orders
    equity: Floats
    held: Floats
    income: Income = NO_INCOME
    counts: Counts = Counts()
    symbols: tuple[str, ...] = ("",)
    marks: tuple[float, ...] | None = None
    timestamps: pl.Series | None = None
    session: Integers | None = None

    @property
    def trades(self) -> tuple[Trade, ...]:
        """The orders one by one, for reading; slow if there are many."""
        return tuple(self.orders)

    @property
    def entries(self) -> int:
        """Orders that opened a position or added to one."""
        return int(np.count_nonzero(self.orders.purpose == 0))

    @property
    def exposed(self) -> int:
        """Bars at whose close something was held or owed."""
        if len(self.held) == 1:
            return int(np.count_nonzero(self.held[0]))
        return int(np.count_nonzero(self.held.any(axis=0)))

    @property
    def dividends(self) -> float:
        """USD received; below 0 if short positions paid more."""
        return float(self.income.amount[~self.income.borrow].sum())

    @property
    def borrowed(self) -> float:
        """USD paid for borrowing shares."""
        return 0.0 - float(self.income.amount[self.income.borrow].sum())

    @property
    def orders_hash(self) -> str:
        """The hash of every order: bars, sides, shares and prices to the hundredth of a cent."""
        lines = (
            f"{one.decided} {one.filled} {one.symbol} {one.side} {one.purpose} {one.shares:.6f} "
            f"{one.price:.4f} {one.costs:.4f}"
            for one in self.orders
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
