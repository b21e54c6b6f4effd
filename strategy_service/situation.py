"""What is owned and known at the close of a bar, when a target is chosen."""

import math
from dataclasses import dataclass, replace

from lake.errors import InvalidError
from strategy_service.costs import FREE, Costs
from strategy_service.regulatory import NONE, Rates


class SituationError(InvalidError):
    """A figure of a situation that cannot be."""

    def __init__(self, symbol: str, name: str, value: float) -> None:
        super().__init__(symbol, name, value)
        self.symbol, self.name, self.value = symbol, name, value

    def __str__(self) -> str:
        above = " above 0" if self.name in ("price", "bars_per_year") else ""
        return f"{self.symbol}: {self.name} must be a finite number{above}, was {self.value:g}."


@dataclass(frozen=True)
class Situation:
    """What sizing and risk rules look at; all of it is known when the bar closes.

    Attributes:
        symbol: Whose shares are to be traded.
        price: USD per share: the bar's close, without slippage.
        cash: USD, what short sales brought included.
        shares: Of the symbol, held now; below 0 if they are owed.
        costs: What a trade costs beside its price.
        others: Worth of the other positions in USD, short ones below 0.
        others_gross: The same, each counted above 0: what is at stake in them.
        volatility: Standard deviation of the log return of a bar, such as the feature
            ``volatility_60``; None where it is not known.
        bars_per_year: Bars that the volatility is carried over to a year by.
        minutes_to_close: From the bar's beginning to the session's close, as the feature; None
            where it is not known.
        session_equity: What everything was worth when the session began, in USD; None if unknown.
        lowest_equity: The least it was worth in the session so far, now included; None if unknown.
        whole: Whether only whole shares are traded; millionths otherwise.
        rates: What regulators take.

    Raises:
        SituationError: A figure is not finite, or a price not above 0.
    """

    symbol: str
    price: float
    cash: float
    shares: float = 0
    costs: Costs = FREE
    others: float = 0.0
    others_gross: float = 0.0
    volatility: float | None = None
    bars_per_year: float = 252.0 * 390.0
    minutes_to_close: float | None = None
    session_equity: float | None = None
    lowest_equity: float | None = None
    whole: bool = True
    rates: Rates = NONE

    def __post_init__(self) -> None:
        for name in ("price", "bars_per_year"):
            self._refuse(name, low=0.0)
        for name in ("cash", "others", "others_gross"):
            self._refuse(name, low=-math.inf)

    def _refuse(self, name: str, *, low: float) -> None:
        value = getattr(self, name)
        if not (math.isfinite(value) and value > low):
            raise SituationError(self.symbol, name, value)

    @property
    def equity(self) -> float:
        """What everything is worth at the price now, in USD."""
        return self.cash + self.shares * self.price + self.others

    @property
    def free(self) -> float:
        """USD that more can be bought or sold short for.

        It is the equity less the worth of all positions, short ones counted as long ones: what
        short sales brought is not spent, and as much again is their collateral. Without short
        positions it is the cash.
        """
        owed = max(-self.shares, 0) * self.price
        return self.cash - 2 * owed - (self.others_gross - self.others)

    @property
    def closed(self) -> "Situation":
        """The same once the symbol's shares were sold (or bought back) at the price now."""
        return replace(self, cash=self.cash + self.shares * self.price, shares=0)

    @property
    def mirrored(self) -> "Situation":
        """The same as if what is owed were held: equity and free cash are what they are."""
        owed = -self.shares
        return replace(self, cash=self.cash - 2 * owed * self.price, shares=owed)
