"""How many shares a signal is worth.

A sizing turns a signal into a target: the shares to hold. Holding keeps what is held, selling
wants none, buying wants what the sizing says, as far as the cash pays for it. A signal to buy sells
nothing, unless the sizing says that it trims. None sells short by itself: an execution that does
asks for the mirrored position (:mod:`strategy_service.execution`).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from strategy_service.costs import Costs, paid_for, rounded
from strategy_service.parameters import Configured, ParameterError, number, whole
from strategy_service.registry import Registry
from strategy_service.regulatory import NONE, Rates
from strategy_service.signals import Direction, Signal
from strategy_service.situation import Situation


def all_in(
    cash: float, price: float, costs: Costs, rates: Rates = NONE, *, whole: bool = True
) -> float:
    """As many shares as cash pays for, fees included; 0 if it does not pay for one.

    Args:
        cash: USD.
        price: USD per share that will be paid, slippage included; above 0.
        rates: What regulators take.
        whole: Whether only whole shares are traded; millionths otherwise.

    >>> all_in(1_000.0, 99.0, Costs(slippage_bps=0, fee_per_share=1.0))
    10
    """
    wanted = rounded(max(cash, 0.0) / price, whole=whole)
    return paid_for(
        wanted,
        lambda shares: shares * price + costs.fee(shares, price, "buy", rates),
        max(cash, 0.0),
        whole=whole,
    )


@dataclass(frozen=True)
class Sizing(Configured, ABC):
    """From a signal to the shares to hold.

    Attributes:
        trims: Whether a signal to buy may sell some of what is held.
    """

    trims: ClassVar[bool] = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the features it reads, of the symbol's bars."""
        return ()

    @abstractmethod
    def wanted(self, signal: Signal, now: Situation) -> float:
        """Shares to hold for a signal to buy, whatever the cash pays for."""

    def target(self, signal: Signal, now: Situation) -> float:
        """The shares to hold.

        Returns:
            What is held, for a signal to hold; 0 for one to sell; otherwise what is wanted, no less
            than is held unless it trims, and no more than the cash pays for, slippage and fees
            included.
        """
        if signal.direction == Direction.HOLD:
            return now.shares
        if signal.direction == Direction.SELL:
            return 0
        wanted = self.wanted(signal, now)
        if wanted <= now.shares:
            return wanted if self.trims else now.shares
        return now.shares + _paid_for(wanted - now.shares, now)


def _paid_for(more: float, now: Situation) -> float:
    """As many more shares as the free cash pays for."""
    paid = now.costs.buy_price(now.price)
    return paid_for(
        more,
        lambda shares: shares * paid + now.costs.fee(shares, paid, "buy", now.rates),
        max(now.free, 0.0),
        whole=now.whole,
    )


#: Every sizing, by name.
SIZINGS: Registry[Sizing] = Registry("sizing", "strategy_service.sizing")


@SIZINGS("all_in")
@dataclass(frozen=True)
class AllIn(Sizing):
    """All the cash when nothing is held; what is held stays, and strength does not count."""

    title: ClassVar[str] = "all in"
    source: ClassVar[str] = "the first specification"

    def wanted(self, signal: Signal, now: Situation) -> float:  # noqa: ARG002 - strength does not count
        """What is held, or as many as the cash pays for."""
        if now.shares > 0:
            return now.shares
        paid = now.costs.buy_price(now.price)
        return all_in(now.free, paid, now.costs, now.rates, whole=now.whole)


@dataclass(frozen=True)
class _Share(Sizing):
    """A share of the equity, which is brought back only when it is far off."""

    band: float = number(
        0.1,
        low=0.0,
        high=1.0,
        step=0.05,
        unit="share of the equity",
        about="What is held stays while it is no further than this from what is wanted.",
    )

    @abstractmethod
    def share(self, signal: Signal, now: Situation) -> float | None:
        """Of the equity, from 0 on; None where it is not known."""

    def wanted(self, signal: Signal, now: Situation) -> float:
        """So much of the equity; what is held where the share is not known."""
        share = self.share(signal, now)
        if share is None:
            return now.shares
        worth = max(now.equity, 0.0) * share
        held = now.shares * now.price
        if now.shares > 0 and share > 0 and abs(worth - held) <= self.band * now.equity:
            return now.shares
        return rounded(worth / now.costs.buy_price(now.price), whole=now.whole)


@SIZINGS("fraction")
@dataclass(frozen=True)
class Fraction(_Share):
    """A share of the equity that grows with the signal's strength.

    The share is `least` + (`most` - `least`) x strength. A signal that grows stronger adds to
    what is held; one that grows weaker sells nothing, for a recovery weakens what bought a fall.
    """

    title: ClassVar[str] = "fraction of equity by strength"
    source: ClassVar[str] = "Vince, The Mathematics of Money Management (1992), fixed fraction"

    most: float = number(
        1.0, low=0.05, high=1.0, step=0.05, unit="share of the equity", about="At strength 1."
    )
    least: float = number(
        0.0, low=0.0, high=1.0, step=0.05, unit="share of the equity", about="At strength 0."
    )

    def check(self) -> None:
        """A surer signal is not worth less."""
        if self.least > self.most:
            raise ParameterError(self.key, "least", f"must be at most most, which is {self.most:g}")

    def share(self, signal: Signal, now: Situation) -> float:  # noqa: ARG002 - the signal decides
        """Between the two, by strength."""
        return self.least + (self.most - self.least) * signal.strength


@SIZINGS("fixed_shares")
@dataclass(frozen=True)
class FixedShares(Sizing):
    """The same number of shares each time; strength does not count."""

    title: ClassVar[str] = "fixed shares"
    source: ClassVar[str] = "usual practice"

    shares: int = whole(100, low=1, high=1_000_000, unit="shares", about="To hold.")

    def wanted(self, signal: Signal, now: Situation) -> float:  # noqa: ARG002 - always the same
        """So many."""
        return self.shares


@SIZINGS("volatility_target")
@dataclass(frozen=True)
class VolatilityTarget(_Share):
    """A share of the equity that is the smaller, the wilder the symbol is.

    The share is `annual` / the symbol's volatility, at most `most`. That volatility is the
    deviation of the log returns of the newest `bars`, times the root of the bars in a year. Where
    it is not known, or 0, what is held stays. Strength does not count. It trims: a symbol that
    grows wilder is sold in part while the signal is to buy.
    """

    trims: ClassVar[bool] = True

    title: ClassVar[str] = "volatility target"
    source: ClassVar[str] = "Moreira and Muir, Volatility-Managed Portfolios (2017)"

    annual: float = number(
        0.15,
        low=0.01,
        high=2.0,
        step=0.01,
        unit="standard deviation of a year's log return",
        about="Volatility wanted of the equity.",
    )
    bars: int = whole(
        60, low=2, high=5_000, unit="bars", about="From which volatility is measured."
    )
    most: float = number(
        1.0, low=0.05, high=1.0, step=0.05, unit="share of the equity", about="Never more."
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """The volatility that the situation must hold."""
        return (f"volatility_{self.bars}",)

    def share(self, signal: Signal, now: Situation) -> float | None:  # noqa: ARG002 - always the same
        """By the volatility of the symbol."""
        if now.volatility is None or not 0 < now.volatility < math.inf:
            return None
        return min(self.annual / (now.volatility * math.sqrt(now.bars_per_year)), self.most)
