"""What every broker does, simulated or real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

Side = Literal["buy", "sell"]
Kind = Literal["market", "limit", "stop", "trailing_stop", "market_on_close"]
Purpose = Literal[
    "entry", "exit", "stop_loss", "take_profit", "trailing_stop", "flat", "cash_in_lieu"
]

#: What an order was for, in the order of their numbers in :class:`simulation_service.run.Orders`.
#: ``cash_in_lieu`` is no order: the company pays for the fraction of a share that a split left.
PURPOSES: tuple[Purpose, ...] = (
    "entry",
    "exit",
    "stop_loss",
    "take_profit",
    "trailing_stop",
    "flat",
    "cash_in_lieu",
)


@dataclass(frozen=True)
class Order:
    """What a broker is asked for. It is good for the session; what is left of it then lapses.

    Attributes:
        side: ``buy`` or ``sell``.
        decided_at: Opening of the bar at whose close it was decided (UTC).
        shares: Above 0; None for all that is held.
        kind: ``market`` at once; ``limit`` at ``limit`` or better; ``stop`` a market order once the
            price has reached ``stop``; ``trailing_stop`` the same at a distance of ``trail`` from
            the best price; ``market_on_close`` at the session's close.
        limit: USD per share.
        stop: USD per share.
        trail: Share of the best price.
        purpose: Why it is placed.
    """

    symbol: str
    side: Side
    decided_at: datetime
    shares: float | None = None
    kind: Kind = "market"
    limit: float | None = None
    stop: float | None = None
    trail: float | None = None
    purpose: Purpose = "entry"


@dataclass(frozen=True)
class Fill:
    """An order that was carried out, or a part of one.

    Attributes:
        filled_at: Opening of the bar it was filled in (UTC).
        shares: Above 0.
        price: USD per share, slippage included.
        costs: Fees and slippage in USD.
    """

    order: Order
    filled_at: datetime
    shares: float
    price: float
    costs: float


@dataclass(frozen=True)
class Account:
    """What is owned: cash in USD, and shares by symbol, owed ones below 0."""

    cash: float
    positions: Mapping[str, float] = field(default_factory=dict)

    def shares(self, symbol: str) -> float:
        """Of a symbol; 0 where none are held."""
        return self.positions.get(symbol, 0.0)


class Broker(Protocol):
    """Takes orders and tells what became of them."""

    @property
    def account(self) -> Account:
        """What is owned now."""

    @property
    def fills(self) -> Sequence[Fill]:
        """Every order carried out so far, oldest first."""

    def submit(self, order: Order) -> None:
        """Ask for a trade; an order that cannot be carried out lapses without a fill."""

    def withdraw(self, symbol: str) -> None:
        """Take back all orders of a symbol that still wait."""
