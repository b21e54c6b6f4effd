"""What every broker does, simulated or real."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Side = Literal["buy", "sell"]


@dataclass(frozen=True)
class Order:
    """What a broker is asked for: a market order in whole shares.

    Attributes:
        side: ``buy`` or ``sell``.
        shares: None for as many as the cash pays for, or for all that is held.
        decided_at: Opening of the bar at whose close it was decided (UTC).
    """

    symbol: str
    side: Side
    decided_at: datetime
    shares: int | None = None


@dataclass(frozen=True)
class Fill:
    """An order that was carried out.

    Attributes:
        filled_at: Opening of the bar it was filled in (UTC).
        shares: Above 0.
        price: USD per share, slippage included.
        costs: Fees and slippage in USD.
    """

    order: Order
    filled_at: datetime
    shares: int
    price: float
    costs: float


@dataclass(frozen=True)
class Account:
    """What is owned: cash in USD and shares of one symbol."""

    cash: float
    shares: int


class Broker(Protocol):
    """Takes orders and tells what became of them. One open order at a time."""

    @property
    def account(self) -> Account:
        """What is owned now."""

    @property
    def fills(self) -> Sequence[Fill]:
        """Every order carried out so far, oldest first."""

    def submit(self, order: Order) -> None:
        """Ask for a trade; an order that cannot be carried out lapses without a fill."""
