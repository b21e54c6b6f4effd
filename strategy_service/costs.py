"""What a trade costs beside its price."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Self

from lake.errors import InvalidError
from strategy_service import regulatory
from strategy_service.broker import Side
from strategy_service.regulatory import Rates

_BASIS_POINT = 1e-4
#: Fractions of a share are multiples of a millionth.
_MILLION = 1e6
_HALVINGS = 50


class CostsError(InvalidError):
    """A cost that cannot be."""

    def __init__(self, name: str, value: float) -> None:
        super().__init__(name, value)
        self.name, self.value = name, value

    def __str__(self) -> str:
        return f"{self.name} must be a number from 0, was {self.value:g}."


@dataclass(frozen=True)
class Costs:
    """Slippage and fees.

    The defaults are those of a commission-free broker for a liquid US share: one basis point
    stands for half the spread and a little impact, a tenth of a cent a share is above what
    regulators and clearing take.

    Attributes:
        slippage_bps: How much worse than the bar's price a fill is, in hundredths of a percent.
        fee_per_share: USD.
        fee_percent: Of the amount traded, in percent.
        spread_bps: The whole spread; half of it is paid each way, beside the slippage.
        volume_share: Impact: the price moves by so much of itself times the square of the order's
            share of the bar's volume (Zipline's VolumeShareSlippage, where it is 0.1); 0 for none.
        fee_per_order: USD, for each bar in which an order is filled.
        regulatory: Whether the fees of :mod:`strategy_service.regulatory` are taken too.
        borrow_percent: A year on the worth of short positions, paid for each session into which
            they are held; a 252nd of it.

    Raises:
        CostsError: One of them is negative or not a number.
    """

    slippage_bps: float = 1.0
    fee_per_share: float = 0.001
    fee_percent: float = 0.0
    spread_bps: float = 0.0
    volume_share: float = 0.0
    fee_per_order: float = 0.0
    regulatory: bool = False
    borrow_percent: float = 3.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise CostsError(name, value)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        return asdict(self)

    def times(self, factor: float) -> Self:
        """As many times as dear; what regulators take stays."""
        dearer = {
            name: value * factor for name, value in asdict(self).items() if name != "regulatory"
        }
        return replace(self, **dearer)

    def buy_price(self, price: float, share: float = 0.0) -> float:
        """What a share costs when the bar says ``price``.

        Args:
            share: The order's share of the bar's volume.
        """
        return price * (1 + self._off(share))

    def sell_price(self, price: float, share: float = 0.0) -> float:
        """What a share brings when the bar says ``price``; never below nothing."""
        return max(price * (1 - self._off(share)), 0.0)

    def fee(
        self, shares: float, price: float, side: Side = "buy", rates: Rates | None = None
    ) -> float:
        """The fees of one order, in USD; never more than the amount traded, as brokers cap them.

        Args:
            rates: Of regulators, as :meth:`rates` gives them; None for none.
        """
        amount, taken = shares * price, rates or regulatory.NONE
        fee = shares * self.fee_per_share + amount * self.fee_percent / 100 + self.fee_per_order
        fee = fee + shares * taken.audit
        if side == "sell":
            most = min(shares * taken.activity, taken.activity_most)
            fee = fee + amount * taken.section_31 + most
        return min(fee, amount)

    def rates(self, day: date) -> Rates:
        """What regulators take on a date, if these costs know them."""
        return regulatory.rates(day) if self.regulatory else regulatory.NONE

    def borrowing(self, shares: float, price: float) -> float:
        """USD for a night of owing shares that were worth ``price`` at the close."""
        return shares * price * self.borrow_percent / 100 / 252

    def _off(self, share: float) -> float:
        half = (self.slippage_bps + self.spread_bps / 2) * _BASIS_POINT
        return half + self.volume_share * (share * share)


#: Nothing costs anything.
FREE = Costs(slippage_bps=0.0, fee_per_share=0.0, fee_percent=0.0, borrow_percent=0.0)


def rounded(shares: float, *, whole: bool) -> float:
    """No more than so many shares: whole ones, or millionths."""
    if whole:
        return math.floor(shares)
    return math.floor(shares * _MILLION) / _MILLION


def paid_for(wanted: float, cost: Callable[[float], float], cash: float, *, whole: bool) -> float:
    """As many of the shares wanted as cash pays for.

    Args:
        cost: USD for so many shares, which grows with them; none cost nothing.
    """
    if cost(wanted) <= cash:
        return wanted
    least, most = 0.0, float(wanted)
    if whole:
        while most - least > 1:
            middle = float(math.floor((least + most) / 2))
            least, most = (middle, most) if cost(middle) <= cash else (least, middle)
        return int(least)
    for _ in range(_HALVINGS):
        middle = (least + most) * 0.5
        least, most = (middle, most) if cost(middle) <= cash else (least, middle)
    return rounded(least, whole=False)
