"""What a trade costs beside its price."""

import math
from dataclasses import asdict, dataclass

from lake.errors import InvalidError

_BASIS_POINT = 1e-4


class CostsError(InvalidError):
    """A cost that cannot be."""

    def __init__(self, name: str, value: float) -> None:
        super().__init__(name, value)
        self.name, self.value = name, value

    def __str__(self) -> str:
        return f"{self.name} must be a number from 0, was {self.value:g}."


@dataclass(frozen=True)
class Costs:
    """Slippage and fees, the same for buying and selling.

    The defaults are those of a commission-free broker for a liquid US share: one basis point
    stands for half the spread and a little impact, a tenth of a cent a share is above what
    regulators and clearing take.

    Attributes:
        slippage_bps: How much worse than the bar's price a fill is, in hundredths of a percent.
        fee_per_share: USD.
        fee_percent: Of the amount traded, in percent.

    Raises:
        CostsError: One of them is negative or not a number.
    """

    slippage_bps: float = 1.0
    fee_per_share: float = 0.001
    fee_percent: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise CostsError(name, value)

    def buy_price(self, price: float) -> float:
        """What a share costs when the bar says ``price``."""
        return price * (1 + self.slippage_bps * _BASIS_POINT)

    def sell_price(self, price: float) -> float:
        """What a share brings when the bar says ``price``; never below nothing."""
        return max(price * (1 - self.slippage_bps * _BASIS_POINT), 0.0)

    def fee(self, shares: int, price: float) -> float:
        """The fees of one order, in USD; never more than the amount traded, as brokers cap them."""
        amount = shares * price
        return min(shares * self.fee_per_share + amount * self.fee_percent / 100, amount)


#: Nothing costs anything.
FREE = Costs(slippage_bps=0.0, fee_per_share=0.0, fee_percent=0.0)
