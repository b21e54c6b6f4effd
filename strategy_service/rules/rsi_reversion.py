"""Buying what fell fast, until it has recovered."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from strategy_service.parameters import ParameterError, number, whole
from strategy_service.rule import STRATEGIES, Row, Rule, Says
from strategy_service.signals import Direction


@STRATEGIES("rsi_reversion")
@dataclass(frozen=True)
class RsiReversion(Rule):
    """Buy when Wilder's relative strength index says oversold, sell when it is back.

    **Why it might work.** Who must sell now pays those who wait: short falls are partly undone when
    the pressure ends. In a lasting fall the index stays low and the rule holds a loser.

    **Rules.** Buy: the index is below `oversold`. Sell: it is at or above `exit`. Strength of a
    buy: how far it is below `oversold`, as a share of that; of a sale: how far above `exit`, as a
    share of the way to 100.
    """

    title: ClassVar[str] = "RSI mean reversion"
    source: ClassVar[str] = (
        "Wilder, New Concepts in Technical Trading Systems (1978); Lehmann, Fads, Martingales, "
        "and Market Efficiency (1990)"
    )
    reads: ClassVar[tuple[str, ...]] = ()

    bars: int = whole(14, low=2, high=500, unit="bars", about="Width of the index.")
    oversold: float = number(
        30.0, low=1.0, high=50.0, step=1.0, unit="index, 0 to 100", about="Buys below it."
    )
    exit: float = number(
        55.0, low=20.0, high=99.0, step=1.0, unit="index, 0 to 100", about="Sells from it on."
    )

    def check(self) -> None:
        """It buys below where it sells."""
        if self.oversold >= self.exit:
            raise ParameterError(
                self.key,
                "oversold",
                f"must be below exit, which is {self.exit:g}, was {self.oversold:g}",
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """The index."""
        return (f"rsi_{self.bars}",)

    def says(self) -> Says:
        """By the index."""
        index = pl.col(self.needs[0])
        return Says(
            index < self.oversold,
            index >= self.exit,
            (self.oversold - index) * (1 / self.oversold),
            (index - self.exit) * (1 / (100.0 - self.exit)),
        )

    def because(self, row: Row, direction: Direction) -> str:
        """The index beside its bounds."""
        (name,) = self.needs
        says = {
            Direction.BUY: f"below {self.oversold:g}, oversold",
            Direction.SELL: f"back at {self.exit:g} or above",
        }.get(direction, f"between {self.oversold:g} and {self.exit:g}")
        return f"{name} {row[name]:.1f} is {says}"
