"""A fast mean over a slow one."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from strategy_service.parameters import ParameterError, number, whole
from strategy_service.rule import STRATEGIES, Row, Rule, Says
from strategy_service.signals import Direction

_BASIS_POINT = 1e-4
# Means that are the same may differ by their rounding.
_A_GAP = 1e-12


@STRATEGIES("sma_cross")
@dataclass(frozen=True)
class SmaCross(Rule):
    """Own while the mean of few closes is above the mean of many.

    **Why it might work.** If moves go on more often than they turn, a price above its own past is
    a reason to own. The two means filter noise; they are late by about half their widths, and a
    market without trend makes them cross at a loss again and again.

    **Rules.** The gap is fast mean / slow mean - 1. Buy: the gap is above `band_bps`. Sell: it is
    below -`band_bps`. Strength: the gap's size over `full_bps`, at most 1.
    """

    title: ClassVar[str] = "SMA cross"
    source: ClassVar[str] = (
        "Brock, Lakonishok and LeBaron, Simple Technical Trading Rules and the Stochastic "
        "Properties of Stock Returns (1992)"
    )
    reads: ClassVar[tuple[str, ...]] = ()

    fast: int = whole(20, low=1, high=2_000, unit="bars", about="Width of the fast mean.")
    slow: int = whole(
        50, low=2, high=5_000, unit="bars", about="Width of the slow mean, above the fast one's."
    )
    band_bps: float = number(
        0.0,
        low=0.0,
        high=500.0,
        step=1.0,
        unit="basis points",
        about="Gap from which it buys, and below minus which it sells.",
    )
    full_bps: float = number(
        50.0,
        low=5.0,
        high=2_000.0,
        step=5.0,
        unit="basis points",
        about="Gap at which the strength is 1.",
    )

    def check(self) -> None:
        """The fast mean is the narrower one."""
        if self.fast >= self.slow:
            raise ParameterError(
                self.key, "fast", f"must be below slow, which is {self.slow}, was {self.fast}"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """Both means."""
        return f"sma_{self.fast}", f"sma_{self.slow}"

    def says(self) -> Says:
        """By the gap between the means."""
        fast, slow = (pl.col(name) for name in self.needs)
        gap = fast / slow - 1
        strength = gap.abs() * (1 / (self.full_bps * _BASIS_POINT))
        band = max(self.band_bps * _BASIS_POINT, _A_GAP)
        return Says(gap > band, gap < -band, strength, strength)

    def because(self, row: Row, direction: Direction) -> str:
        """The two means."""
        fast, slow = self.needs
        is_ = {Direction.BUY: "above", Direction.SELL: "below"}.get(direction, "beside")
        return f"{fast} {row[fast]:,.6g} is {is_} {slow} {row[slow]:,.6g}"
