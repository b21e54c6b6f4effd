"""A broker that fills orders at the prices of bars, by the rules of docs/fills.md."""

import math
from collections.abc import Sequence

from simulation_service.book import Book, Waiting
from simulation_service.market import Market, Mode
from simulation_service.run import Trade
from strategy_service.broker import Account, Fill, Order, Purpose, Side
from strategy_service.costs import paid_for
from strategy_service.execution import Execution


class SimulatedBroker:
    """A broker that fills orders at the prices of the bars it is shown.

    It holds the stops and the take-profit of an execution for each position by itself, as a real
    one does with bracket orders.
    """

    def __init__(
        self, markets: Sequence[Market], execution: Execution, cash: float, mode: Mode
    ) -> None:
        self.books = [Book(market, place) for place, market in enumerate(markets)]
        self.cash, self.trades = cash, list[Trade]()
        self.moments = sorted({one for market in markets for one in market.bars["timestamp"]})
        self.income = list[tuple[int, int, float, bool]]()
        self.counts = dict.fromkeys(("cut", "refused", "lapsed", "withdrawn", "bounded"), 0)
        self._mode, self._execution, self._fills = mode, execution, list[Fill]()
        self._by_symbol = {book.market.symbol: book for book in self.books}

    @property
    def account(self) -> Account:
        """What is owned now."""
        return Account(self.cash, {book.market.symbol: book.shares for book in self.books})

    @property
    def fills(self) -> Sequence[Fill]:
        """Every order carried out so far, oldest first."""
        return self._fills

    def submit(self, order: Order, row: int = 0, cause: int = 0) -> None:
        """Take an order: one that closes and one that adds may wait for each symbol."""
        book = self._by_symbol[order.symbol]
        waiting = Waiting(order, abs(book.shares) if order.shares is None else order.shares, row)
        book.cause = cause
        if order.purpose == "entry":
            book.entry = waiting
        else:
            book.exit = waiting

    def withdraw(self, symbol: str) -> None:
        """Take back what waits."""
        book = self._by_symbol[symbol]
        self.counts["withdrawn"] += (book.exit is not None) + (book.entry is not None)
        book.exit = book.entry = None

    def equity(self) -> float:
        """What everything is worth at the newest prices."""
        worth = self.cash
        for book in self.books:
            worth += book.shares * book.mark
        return worth

    # The morning

    def begin_session(self, book: Book, at: int, row: int) -> None:
        """At the first bar of a session: orders lapse; borrow fee, dividends, splits."""
        self.counts["lapsed"] += (book.exit is not None) + (book.entry is not None)
        book.exit = book.entry = None
        costs, market = self._mode.costs, book.market
        if book.shares < 0:
            fee = costs.borrowing(-book.shares, book.mark)
            if fee > 0:
                self.cash -= fee
                self.income.append((row, book.place, -fee, True))
        for one in market.dividends:
            if one.row == at and book.shares:
                amount = book.shares * one.value
                self.cash += amount
                self.income.append((row, book.place, amount, False))
        for one in market.splits:
            if one.row == at and book.shares:
                self._split(book, one.value, float(market.open[at]), row)

    def _split(self, book: Book, ratio: float, price: float, row: int) -> None:
        sign, size = book.sign, abs(book.shares) * ratio
        book.average, book.best, book.mark = (
            value / ratio for value in (book.average, book.best, book.mark)
        )
        book.shares = sign * size
        if not self._execution.whole:
            return
        fraction = size - math.floor(size)
        if fraction > 0:
            amount = fraction * price
            self.cash += sign * amount
            book.shares = float(sign * math.floor(size))
            side: Side = "sell" if sign > 0 else "buy"
            self.trades.append(
                Trade(row, row, side, fraction, price, 0.0, amount, "cash_in_lieu", book.place, book.shares)
            )  # fmt: skip

    # The open

    def exits_at_open(self, book: Book, at: int, row: int) -> None:
        """What closes: the waiting order, stops that the open jumped over, a better take-profit."""
        opened = float(book.market.open[at])
        self.exit_at(book, opened, at, row)
        if book.sign == 0 or (book.exit is not None and book.exit.order.purpose != "exit"):
            return
        stop, profit = book.stop(self._execution), book.profit(self._execution)
        if stop is not None and book.sign * opened <= book.sign * stop[0]:
            self._protect(book, stop[1], opened, at, row)
        elif profit is not None and book.sign * opened >= book.sign * profit:
            self._protect(book, "take_profit", opened, at, row, limit=profit)

    def exit_at(self, book: Book, price: float, at: int, row: int) -> None:
        """The waiting order that closes, at a price."""
        waiting = book.exit
        if waiting is None or book.sign == 0:
            book.exit = None
            return
        wanted = min(waiting.left, abs(book.shares))
        shares = min(wanted, book.most(at, self._mode, whole=self._execution.whole))
        if shares > 0:
            self._reduce(book, shares, price, None, waiting.order.purpose, waiting.decided, at, row)
        waiting.left = wanted - shares
        if waiting.left == 0:
            book.exit = None

    def entry_at_open(self, book: Book, price: float, at: int, row: int) -> None:
        """What adds: a market order, or a limit that the open is better than."""
        waiting = book.entry
        if waiting is None:
            return
        limit = waiting.order.limit
        side = 1 if waiting.order.side == "buy" else -1
        if limit is None or side * price <= side * limit:
            self._add(book, price, limit, at, row, math.inf)

    # Within the bar

    def exits_within(self, book: Book, at: int, row: int, price: float) -> None:
        """Stops and, unless something was entered within the bar, the take-profit behind them.

        Args:
            price: Where the bar was before: no stop is filled at a better one.
        """
        pending = book.exit is not None and book.exit.order.purpose != "exit"
        if book.sign == 0 or book.protected or pending:
            return
        market, sign = book.market, book.sign
        worst, best = (market.low, market.high) if sign > 0 else (market.high, market.low)
        stop, profit = book.stop(self._execution), book.profit(self._execution)
        if stop is not None and sign * worst[at] <= sign * stop[0]:
            base = min(stop[0], price) if sign > 0 else max(stop[0], price)
            self._protect(book, stop[1], base, at, row)
        elif profit is not None and not book.inside and sign * best[at] > sign * profit:
            self._protect(book, "take_profit", profit, at, row, limit=profit, exactly=True)

    def entry_within(self, book: Book, at: int, row: int, budget: float) -> None:
        """A limit that the bar traded through; then only a stop may fill."""
        waiting = book.entry
        if waiting is None or waiting.order.limit is None:
            return
        limit, market = waiting.order.limit, book.market
        side = 1 if waiting.order.side == "buy" else -1
        worst = market.low[at] if side > 0 else market.high[at]
        if side * market.open[at] <= side * limit or not side * worst < side * limit:
            return  # it was filled at the open, as far as it could be; or the bar did not come there
        before = book.shares
        self._add(book, limit, limit, at, row, budget, exactly=True)
        if book.shares != before:
            book.inside = True
            self.exits_within(book, at, row, limit)

    # The close

    def flat_at_close(self, book: Book, at: int, row: int) -> None:
        """Everything at the close of the session's last bar; what the cap leaves lapses."""
        if book.sign == 0:
            return
        price = float(book.market.close[at])
        shares = min(abs(book.shares), book.most(at, self._mode, whole=self._execution.whole))
        if shares > 0:
            self._reduce(book, shares, price, None, "flat", row, at, row)
        if book.shares:
            self.counts["lapsed"] += 1

    # What a fill does

    def free(self, book: Book, price: float) -> float:
        """USD that more of a symbol can be bought or sold short for."""
        found = self.cash - 2 * (max(-book.shares, 0.0) * price)
        for other in self.books:
            if other is not book:
                found -= 2 * (max(-other.shares, 0.0) * other.mark)
        return found

    def _priced(
        self, book: Book, shares: float, base: float, side: int, limit: float | None, at: int
    ) -> float:
        """What a share costs or brings; never worse than a limit."""
        costs = self._mode.costs
        share = shares / float(book.market.volume[at]) if costs.volume_share > 0 else 0.0
        if side > 0:
            paid = costs.buy_price(base, share)
            return paid if limit is None else min(paid, limit)
        brought = costs.sell_price(base, share)
        return brought if limit is None else max(brought, limit)

    def _add(
        self, book: Book, base: float, limit: float | None, at: int, row: int, budget: float,
        *, exactly: bool = False,
    ) -> None:  # fmt: skip
        waiting = book.entry
        if waiting is None:
            return
        side = 1 if waiting.order.side == "buy" else -1
        if book.shares * side < 0:
            return  # the other side is not closed yet
        costs, rates = self._mode.costs, self._mode.costs.rates(book.day(at))

        def price(shares: float) -> float:
            return base if exactly else self._priced(book, shares, base, side, limit, at)

        def cost(shares: float) -> float:
            each = price(shares)
            fee = costs.fee(shares, each, waiting.order.side, rates)
            # Sold short, a share binds as much as it is worth, and what it brought too little.
            return shares * (each if side > 0 else 2 * base - each) + fee

        wanted = min(waiting.left, book.most(at, self._mode, whole=self._execution.whole))
        if wanted <= 0:
            return
        free = max(min(self.free(book, base), budget), 0.0)
        shares = float(paid_for(wanted, cost, free, whole=self._execution.whole))
        if shares < wanted:
            self.counts["cut" if shares > 0 else "refused"] += 1
            waiting.left = shares
        if shares > 0:
            each, held = price(shares), abs(book.shares)
            fee = costs.fee(shares, each, waiting.order.side, rates)
            if held == 0:
                book.average = book.best = each
                book.entered = row
            else:
                book.average = (book.average * held + each * shares) / (held + shares)
            self._book(book, side, shares, each, base, fee, "entry", waiting.decided, row)
        waiting.left -= shares
        if waiting.left <= 0:
            book.entry = None

    def _protect(
        self, book: Book, purpose: Purpose, base: float, at: int, row: int,
        *, limit: float | None = None, exactly: bool = False,
    ) -> None:  # fmt: skip
        self.withdraw(book.market.symbol)
        book.protected = True
        shares = min(abs(book.shares), book.most(at, self._mode, whole=self._execution.whole))
        if shares > 0:
            self._reduce(book, shares, base, limit, purpose, book.entered, at, row, exactly=exactly)
        if book.shares and purpose != "take_profit":
            side: Side = "sell" if book.shares > 0 else "buy"
            when = book.market.bars["timestamp"][at]
            self.submit(
                Order(book.market.symbol, side, when, abs(book.shares), purpose=purpose),
                book.entered,
            )

    def _reduce(  # noqa: PLR0917 - what a fill is
        self, book: Book, shares: float, base: float, limit: float | None, purpose: Purpose,
        decided: int, at: int, row: int, *, exactly: bool = False,
    ) -> None:  # fmt: skip
        side = -book.sign
        each = base if exactly else self._priced(book, shares, base, side, limit, at)
        rates = self._mode.costs.rates(book.day(at))
        fee = self._mode.costs.fee(shares, each, "buy" if side > 0 else "sell", rates)
        self._book(book, side, shares, each, base, fee, purpose, decided, row)

    def _book(  # noqa: PLR0917 - as above
        self, book: Book, side: int, shares: float, price: float, base: float, fee: float,
        purpose: Purpose, decided: int, row: int,
    ) -> None:  # fmt: skip
        amount = shares * price + side * fee
        self.cash -= side * amount
        book.shares += side * shares
        name: Side = "buy" if side > 0 else "sell"
        costs = fee + abs(price - base) * shares
        self.trades.append(
            Trade(
                decided, row, name, shares, price, costs, amount, purpose, book.place, book.shares
            )
        )
        when = self.moments
        order = Order(book.market.symbol, name, when[decided], shares, purpose=purpose)
        self._fills.append(Fill(order, when[row], shares, price, costs))
