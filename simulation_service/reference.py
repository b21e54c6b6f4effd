"""The slow, obvious way: one minute after another, with a broker. The fast way must agree with it.

docs/fills.md has the rules in words.
"""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from simulation_service.book import Book
from simulation_service.market import Market, Mode
from simulation_service.run import Counts, Income, Orders, Run
from simulation_service.simulated_broker import SimulatedBroker
from simulation_service.trading import Said, Trading
from strategy_service.risk import judged
from strategy_service.signals import Direction, Signal
from strategy_service.situation import Situation

_YEAR_OF_BARS = 252.0 * 390.0


def run(
    markets: Sequence[Market],
    said: Sequence[Said],
    trading: Trading,
    cash: float,
    mode: Mode,
    *,
    bars_per_year: float = _YEAR_OF_BARS,
) -> Run:
    """Trade on signals, minute by minute.

    Args:
        markets: Each symbol once; they share the purse, the first ones first.
        said: For each market what is said at the close of its bars.
        cash: USD at the beginning.
        bars_per_year: Bars that a volatility is carried over to a year by.
    """
    trading = trading.under(mode, len(markets))
    broker = SimulatedBroker(markets, trading.execution, cash, mode)
    desk = _Desk(broker, list(said), trading, mode, bars_per_year)
    moments = broker.moments
    rows = [{when: at for at, when in enumerate(one.bars["timestamp"])} for one in markets]
    equity, held, days = [], [], []
    for row, moment in enumerate(moments):
        present = [
            (book, found[moment])
            for book, found in zip(broker.books, rows, strict=True)
            if moment in found
        ]
        days.append(int(present[0][0].market.session[present[0][1]]))
        desk.minute(row, moment, present)
        equity.append(broker.equity())
        held.append([book.shares for book in broker.books])
    return Run(
        cash,
        Orders.of(broker.trades),
        np.array(equity),
        np.array(held).T.reshape(len(markets), len(moments)),
        Income.table(np.array(broker.income)),
        Counts(**broker.counts),
        tuple(one.symbol for one in markets),
        tuple(book.mark for book in broker.books),
        pl.Series(moments, dtype=pl.Datetime("us", "UTC")),
        np.array(days, dtype=np.int64),
    )


class _Desk:
    """Shows the broker each minute, and hands it the orders that the signals of the minute become."""

    def __init__(
        self, broker: SimulatedBroker, said: list[Said], trading: Trading, mode: Mode, year: float
    ) -> None:
        self._broker, self._said, self._trading, self._mode = broker, said, trading, mode
        self._year = year
        self._session: int | None = None
        self._begun = self._lowest = broker.cash

    def minute(self, row: int, moment: datetime, present: list[tuple[Book, int]]) -> None:
        """Open, within, close, and what is decided then."""
        broker, waits = self._broker, self._mode.fill == "next_open"
        before = broker.equity()
        for book, at in present:
            if book.first(at):
                broker.begin_session(book, at, row)
        for book, at in present:
            book.mark = float(book.market.open[at])
        if waits:
            self._fills(row, [(book, at) for book, at in present if book.trades(at, self._mode)])
        for book, at in present:
            book.see(at)
        self._remember(present, before)
        for book, at in present:
            self._decide(book, at, row, moment)
        if not waits:
            self._at_once(row, present)

    def _fills(self, row: int, trading: list[tuple[Book, int]]) -> None:
        broker = self._broker
        for book, at in trading:
            broker.exits_at_open(book, at, row)
        for book, at in trading:
            broker.entry_at_open(book, float(book.market.open[at]), at, row)
        budget = math.inf
        for book, _ in trading:
            # What is sold within the bar may be sold after what is bought within it.
            budget = min(budget, broker.free(book, book.mark))
        for book, at in trading:
            broker.exits_within(book, at, row, float(book.market.open[at]))
        for book, at in trading:
            before = len(broker.trades)
            broker.entry_within(book, at, row, budget)
            budget -= sum(one.amount for one in broker.trades[before:] if one.purpose == "entry")
        if self._trading.execution.flat_at_close == "yes":
            for book, at in trading:
                if book.last(at):
                    broker.flat_at_close(book, at, row)

    def _at_once(self, row: int, present: list[tuple[Book, int]]) -> None:
        broker = self._broker
        for closing in (True, False):
            for book, at in present:
                if not book.trades(at, self._mode):
                    continue
                price = float(book.market.close[at])
                if closing:
                    broker.exit_at(book, price, at, row)
                else:
                    broker.entry_at_open(book, price, at, row)
        for book, _ in present:
            broker.counts["lapsed"] += (book.exit is not None) + (book.entry is not None)
            book.exit = book.entry = None

    def _remember(self, present: list[tuple[Book, int]], before: float) -> None:
        day = int(present[0][0].market.session[present[0][1]])
        if day != self._session:
            self._session, self._begun, self._lowest = day, before, before
        self._lowest = min(self._lowest, self._broker.equity())

    def _decide(self, book: Book, at: int, row: int, moment: datetime) -> None:
        said, broker, execution = self._said[book.place], self._broker, self._trading.execution
        direction = Direction(int(said.directions[at]))
        if direction == Direction.HOLD:
            return
        if book.exit is not None or book.entry is not None:
            protects = book.exit is not None and book.exit.order.purpose != "exit"
            if protects or book.cause == direction:
                return
            broker.withdraw(book.market.symbol)
        now = self._situation(book, said, at)
        strength = 1.0 if said.strengths is None else float(said.strengths[at])
        wanted = execution.target(
            self._trading.sizing, Signal(direction, strength, "as it was said"), now
        )
        verdict = judged(wanted, now, self._trading.risk)
        broker.counts["bounded"] += verdict.outcome != "passed"
        for order in execution.orders(verdict.target, now, moment):
            broker.submit(order, row, int(direction))

    def _situation(self, book: Book, said: Said, at: int) -> Situation:
        others = [one.shares * one.mark for one in self._broker.books if one is not book]
        volatility = None if said.volatility is None else float(said.volatility[at])
        left = None if said.minutes_to_close is None else float(said.minutes_to_close[at])
        shares = int(book.shares) if self._trading.execution.whole else book.shares
        return Situation(
            book.market.symbol,
            price=book.mark,
            cash=self._broker.cash,
            shares=shares,
            costs=self._mode.costs,
            others=sum(others),
            others_gross=sum(map(abs, others)),
            volatility=None if volatility is None or math.isnan(volatility) else volatility,
            bars_per_year=self._year,
            minutes_to_close=left,
            session_equity=self._begun,
            lowest_equity=self._lowest,
            whole=self._trading.execution.whole,
            rates=self._mode.costs.rates(book.day(at)),
        )
