"""Buy at once and never sell."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from strategy_service.rule import STRATEGIES, Row, Rule, Says
from strategy_service.signals import Direction


@STRATEGIES("buy_and_hold")
@dataclass(frozen=True)
class BuyAndHold(Rule):
    """Buy at once and never sell: what every other strategy is held against.

    **Why it might work.** Shares have paid a premium for bearing their risk. A strategy that trades
    has to earn more than that, after its costs.

    **Rules.** Buy: always, with strength 1. Sell: never.
    """

    title: ClassVar[str] = "buy and hold"
    source: ClassVar[str] = "Mehra and Prescott, The Equity Premium: A Puzzle (1985)"
    reads: ClassVar[tuple[str, ...]] = ()

    def says(self) -> Says:
        """Buy, in every row."""
        return Says(buy=pl.lit(value=True))

    def because(self, row: Row, direction: Direction) -> str:  # noqa: ARG002 - it looks at nothing
        """There is one reason."""
        return "always"
