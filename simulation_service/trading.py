"""What a run is told: what the strategy says at each bar, and how it becomes orders."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulation_service.market import Floats, Market, Mode
from simulation_service.returns import CurveError
from strategy_service.execution import Execution
from strategy_service.plans import Plan
from strategy_service.risk import RiskRule
from strategy_service.sizing import AllIn, Fraction, Sizing

#: Symbols that can share a purse alike: a sizing is told a twentieth at the least.
MOST_ALIKE = 20


@dataclass(frozen=True)
class Said:
    """What a strategy says at the close of each bar of a market, and what else is known then.

    Attributes:
        directions: A ``Direction`` for each bar.
        strengths: 0 to 1; None for 1 everywhere.
        volatility: Of the symbol, as the sizing needs it; NaN where it is not known. None for
            nowhere.
        minutes_to_close: From each bar's beginning, for risk rules; None if unknown.
    """

    directions: NDArray[np.int8]
    strengths: Floats | None = None
    volatility: Floats | None = None
    minutes_to_close: Floats | None = None

    @classmethod
    def plainly(cls, directions: Sequence[int]) -> "Said":
        """Directions alone."""
        return cls(np.array(directions, dtype=np.int8))

    def check(self, market: Market) -> None:
        """Refuse what is not for this market.

        Raises:
            CurveError: There are not as many values as bars.
        """
        known = (self.directions, self.strengths, self.volatility, self.minutes_to_close)
        for one in known:
            if one is not None and len(one) != len(market.close):
                raise CurveError(
                    f"{market.symbol} has {len(market.close):,} bars and {len(one):,} signals. "
                    "Give a signal for each bar."
                )


@dataclass(frozen=True)
class Trading:
    """How signals become orders."""

    sizing: Sizing = field(default_factory=AllIn)
    risk: tuple[RiskRule, ...] = ()
    execution: Execution = field(default_factory=Execution)

    @classmethod
    def of(cls, plan: Plan) -> "Trading":
        """As a plan has it."""
        return cls(plan.sizing, plan.risk, plan.execution)

    def under(self, mode: Mode, symbols: int) -> "Trading":
        """What is left of it in a mode: fills at the deciding close are all in, without exits.

        Several symbols share the purse alike.
        """
        if mode.fill == "close":
            return Trading(sizing=shared_alike(symbols), execution=self.execution.bare)
        return self


def shared_alike(symbols: int) -> Sizing:
    """All the cash for one symbol, the same share of the equity for each of several.

    Raises:
        CurveError: There are so many that a share is below what a sizing can be told.
    """
    if symbols == 1:
        return AllIn()
    if symbols > MOST_ALIKE:
        raise CurveError(
            f"At most {MOST_ALIKE} symbols share one purse alike, not {symbols}: simulate fewer at a time."
        )
    share = 1 / symbols
    return Fraction(most=share, least=share, band=1.0)
