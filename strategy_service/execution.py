"""How a plan's targets become orders: which kind, which side, what protects the position."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from strategy_service.broker import Order, Side
from strategy_service.parameters import Configured, choice, number
from strategy_service.registry import Registry
from strategy_service.signals import Direction, Signal
from strategy_service.situation import Situation
from strategy_service.sizing import Sizing

_BASIS_POINT = 1e-4

#: Every execution, by name.
EXECUTIONS: Registry["Execution"] = Registry("execution", "strategy_service.execution")


@EXECUTIONS("orders")
@dataclass(frozen=True)
class Execution(Configured):
    """How what is wanted becomes orders.

    What reduces a position goes by market orders, what adds to it by those of `entry`. Stop,
    take-profit and trailing stop stand from the entry on; which of them fills in which bar is
    written in [fills](fills.md). With `sides` both, a signal to sell means to be short, and the
    sizing's target is mirrored; with short, a signal to buy means to own nothing. A position on the
    other side is closed before one is opened.
    """

    title: ClassVar[str] = "orders"
    source: ClassVar[str] = "usual practice"

    entry: str = choice(
        "market", "market", "limit", about="Orders that add: at once, or at a limit for a session."
    )
    limit_bps: float = number(
        5.0,
        low=0.0,
        high=1_000.0,
        step=1.0,
        unit="basis points",
        about="Of an entry's limit: so far below the close for a purchase, above it for a short sale.",
    )
    stop_loss: float = number(
        0.0,
        low=0.0,
        high=0.9,
        step=0.005,
        unit="share of the entry's price",
        about="Closes after such a loss; 0 for none.",
    )
    take_profit: float = number(
        0.0,
        low=0.0,
        high=10.0,
        step=0.005,
        unit="share of the entry's price",
        about="Closes at such a profit; 0 for none.",
    )
    trailing_stop: float = number(
        0.0,
        low=0.0,
        high=0.9,
        step=0.005,
        unit="share of the best price since the entry",
        about="Closes when the price comes back so far; 0 for none.",
    )
    sides: str = choice("long", "long", "both", "short", about="Which positions are taken.")
    shares: str = choice("whole", "whole", "fractional", about="Fractions are millionths.")
    flat_at_close: str = choice(
        "no", "no", "yes", about="Whether everything is sold at each session's close."
    )

    @property
    def whole(self) -> bool:
        """Whether only whole shares are traded."""
        return self.shares == "whole"

    @property
    def bare(self) -> "Execution":
        """Sides and shares alone: market orders and nothing that closes by itself."""
        return Execution(sides=self.sides, shares=self.shares)

    def side(self, direction: int) -> int:
        """What a signal means: 1 to be long, -1 to be short, 0 to own nothing."""
        if direction == Direction.BUY:
            return 0 if self.sides == "short" else 1
        return 0 if self.sides == "long" else -1

    def target(self, sizing: Sizing, signal: Signal, now: Situation) -> float:
        """The shares to hold, below 0 to owe them; a signal to hold wants what is held."""
        if signal.direction == Direction.HOLD:
            return now.shares
        side = self.side(signal.direction)
        if side == 0:
            return 0
        there = now.closed if now.shares * side < 0 else now
        adding = replace(signal, direction=Direction.BUY)
        if side > 0:
            return sizing.target(adding, there)
        return -sizing.target(adding, there.mirrored)

    def orders(self, target: float, now: Situation, decided_at: datetime) -> Iterator[Order]:
        """What brings the position to the target: what closes first, then what adds."""
        held = now.shares
        kept = held if held * target > 0 else 0
        if abs(target) < abs(held) or kept == 0:
            closing = abs(held) - (abs(target) if kept else 0)
            if closing:
                side: Side = "sell" if held > 0 else "buy"
                yield Order(now.symbol, side, decided_at, closing, purpose="exit")
            if kept or not target:
                return
        more = target - kept
        if not more:
            return
        buys = more > 0
        off = self.limit_bps * _BASIS_POINT
        limit = now.price * (1 - off if buys else 1 + off) if self.entry == "limit" else None
        yield Order(
            now.symbol,
            "buy" if buys else "sell",
            decided_at,
            abs(more),
            kind="limit" if self.entry == "limit" else "market",
            limit=limit,
        )
