"""Floor pivots of the week before."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from strategy_service.parameters import choice, number
from strategy_service.rule import STRATEGIES, Row, Rule, Says
from strategy_service.signals import Direction


@STRATEGIES("weekly_pivot")
@dataclass(frozen=True)
class WeeklyPivot(Rule):
    """Buy just above the prior week's pivot or on a bounce from its support, sell at R1 or below S1.

    **Why it might work.** Traders of the floor computed these levels from the week before and
    watched them, so orders gather there. Above the pivot the week's buyers are ahead, and the
    first resistance is where they take profit. The levels explain nothing by themselves: they
    work as far as others use them.

    **Rules.** From high H, low L and close C of the calendar week before: P = (H + L + C) / 3, R1
    = 2 P - L, S1 = 2 P - H. Buy with `entry` pivot: P < close <= P + `zone` x (R1 - P): the close
    has just come above the pivot, or back to it from above. Buy with `entry` support: the bar's
    low is at or below S1 and its close above it, not further than `zone` x (P - S1). Sell, with
    either: the close is at or above R1 (the target) or below S1 (the stop). A position is kept
    overnight and over the weekend; the new week's levels are its exits then. Strength of a buy:
    what is left of the way to R1, as a share of the way from P (from S1 with `entry` support); of
    a sale: 1. A week without a range has R1 = S1 = P, and nothing is bought.
    """

    title: ClassVar[str] = "weekly pivot"
    source: ClassVar[str] = (
        "Person, A Complete Guide to Technical Trading Tactics (2004); Osler, Support for "
        "Resistance: Technical Analysis and Intraday Exchange Rates (2000)"
    )
    reads: ClassVar[tuple[str, ...]] = ("low", "close")

    entry: str = choice("pivot", "pivot", "support", about="Where it buys.")
    zone: float = number(
        0.25,
        low=0.05,
        high=1.0,
        step=0.05,
        unit="share of the way to the next level",
        about="How far above the level it still buys.",
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """Pivot, first resistance and first support of the week before."""
        return "classic_pivot_week", "classic_r1_week", "classic_s1_week"

    def says(self) -> Says:
        """By the levels."""
        pivot, resistance, support = (pl.col(name) for name in self.needs)
        low, close = pl.col("low"), pl.col("close")
        level, above = (pivot, resistance) if self.entry == "pivot" else (support, pivot)
        buy = (close > level) & (close <= level + self.zone * (above - level))
        if self.entry == "support":
            buy &= low <= support
        return Says(
            buy,
            (close >= resistance) | (close < support),
            (resistance - close) / (resistance - level),
        )

    def because(self, row: Row, direction: Direction) -> str:
        """The close beside the levels."""
        pivot, resistance, support = (row[name] for name in self.needs)
        close = row["close"]
        if direction == Direction.SELL:
            level = "at or above R1, the target" if close >= resistance else "below S1, the stop"
        elif direction == Direction.BUY:
            level = "just above the pivot" if self.entry == "pivot" else "back above S1"
        else:
            level = "where it neither buys nor sells"
        levels = f"S1 {support:,.6g}, P {pivot:,.6g}, R1 {resistance:,.6g}"
        return f"the close {close:,.6g} is {level} (the week before: {levels})"
