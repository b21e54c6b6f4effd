"""One symbol in the hands of the simulated broker: what is held, what waits, what protects it."""

from dataclasses import dataclass
from datetime import date

from simulation_service.market import Market, Mode
from strategy_service.broker import Order, Purpose
from strategy_service.execution import Execution


@dataclass
class Waiting:
    """An order that waits.

    Attributes:
        left: Shares not yet filled.
        decided: Row of the bar at whose close it was decided.
    """

    order: Order
    left: float
    decided: int


@dataclass
class Book:
    """One symbol.

    Attributes:
        place: Among the run's symbols.
        shares: Held, below 0 if they are owed.
        average: Mean price of the position's entries, slippage included.
        best: Best price since the entry, of the bars before this one.
        entered: Row in which the position was opened.
        mark: Newest price.
        cause: The signal that the waiting orders are from.
        protected: Whether a stop or a take-profit was filled in this bar.
        inside: Whether something was entered within this bar, behind its open.
    """

    market: Market
    place: int
    shares: float = 0.0
    average: float = 0.0
    best: float = 0.0
    entered: int = 0
    mark: float = 0.0
    exit: Waiting | None = None
    entry: Waiting | None = None
    cause: int = 0
    protected: bool = False
    inside: bool = False

    @property
    def sign(self) -> int:
        """1 for a long position, -1 for a short one, 0 for none."""
        return (self.shares > 0) - (self.shares < 0)

    def day(self, row: int) -> date:
        """The session of a bar."""
        found: date = self.market.bars["session_date"][row]
        return found

    def first(self, row: int) -> bool:
        """Whether a bar is its session's first, and not the first of all."""
        session = self.market.session
        return row > 0 and bool(session[row] != session[row - 1])

    def last(self, row: int) -> bool:
        """Whether a bar is its session's last one here."""
        session = self.market.session
        return row + 1 == len(session) or bool(session[row] != session[row + 1])

    def trades(self, row: int, mode: Mode) -> bool:
        """Whether an order can be filled in a bar."""
        market = self.market
        needs_volume = mode.participation > 0 or mode.costs.volume_share > 0
        return not market.halted[row] and not (needs_volume and market.volume[row] <= 0)

    def most(self, row: int, mode: Mode, *, whole: bool) -> float:
        """Shares that one order may take of a bar."""
        if mode.participation == 0:
            return float("inf")
        most = float(mode.participation * self.market.volume[row])
        return float(most // 1) if whole else most

    def stop(self, execution: Execution) -> tuple[float, Purpose] | None:
        """The price of the nearer stop, and which it is; None without a position or a stop."""
        sign = self.sign
        found: list[tuple[float, Purpose]] = []
        if execution.stop_loss > 0:
            found.append((self.average * (1 - sign * execution.stop_loss), "stop_loss"))
        if execution.trailing_stop > 0:
            found.append((self.best * (1 - sign * execution.trailing_stop), "trailing_stop"))
        if sign == 0 or not found:
            return None
        return max(found, key=lambda one: sign * one[0])  # the first of equals

    def profit(self, execution: Execution) -> float | None:
        """The price of the take-profit; None without one."""
        if execution.take_profit == 0 or self.sign == 0:
            return None
        return self.average * (1 + self.sign * execution.take_profit)

    def see(self, row: int) -> None:
        """Remember the best price of a bar that is over; only its close, if entered within it."""
        market = self.market
        if self.shares > 0:
            seen = market.close[row] if self.inside else market.high[row]
            self.best = max(self.best, float(seen))
        elif self.shares < 0:
            seen = market.close[row] if self.inside else market.low[row]
            self.best = min(self.best, float(seen))
        self.mark = float(market.close[row])
        self.protected = self.inside = False
