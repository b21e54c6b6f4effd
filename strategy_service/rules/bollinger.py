"""Bollinger's bands: back to the middle, or out of them."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from strategy_service.parameters import number, whole
from strategy_service.rule import STRATEGIES, Row, Rule, Says
from strategy_service.signals import Direction

_BOLLINGER = "Bollinger, Bollinger on Bollinger Bands (2001)"


@dataclass(frozen=True)
class _Bands(Rule):
    """Bands some deviations around the mean close."""

    bars: int = whole(20, low=2, high=2_000, unit="bars", about="Width of mean and deviation.")
    width: float = number(
        2.0,
        low=0.5,
        high=5.0,
        step=0.25,
        unit="standard deviations",
        about="Distance of each band from the mean.",
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """Mean and deviation (of the population) of the close."""
        return f"sma_{self.bars}", f"std_{self.bars}"

    def _distance(self) -> pl.Expr:
        """Of the close from the mean, in deviations; 0 where the price stood still."""
        mean, deviation = (pl.col(name) for name in self.needs)
        apart = pl.col("close") - mean
        return pl.when(deviation > 0).then(apart / deviation).when(deviation == 0).then(0.0)

    def because(self, row: Row, direction: Direction) -> str:  # noqa: ARG002 - the figure says it
        """The close beside its bands."""
        mean, deviation = (row[name] for name in self.needs)
        low, high = (mean - self.width * deviation, mean + self.width * deviation)
        return (
            f"the close {row['close']:,.6g} is {_where(row['close'], low, mean, high)} "
            f"(bands {low:,.6g} and {high:,.6g}, middle {mean:,.6g})"
        )


@STRATEGIES("bollinger_reversion")
@dataclass(frozen=True)
class BollingerReversion(_Bands):
    """Buy below the lower band, sell at the middle.

    **Why it might work.** As for the RSI: what fell far beyond its usual swing often comes part of
    the way back. The bands widen with volatility, so that the same rule fits calm and wild days.

    **Rules.** The distance is (close - mean) / deviation. Buy: it is below -`width`. Sell: it is
    0 or more. Strength of a buy: 1 - `width` / distance's size, 0 at the band; of a sale:
    distance / `width`.
    """

    title: ClassVar[str] = "Bollinger mean reversion"
    source: ClassVar[str] = _BOLLINGER

    def says(self) -> Says:
        """By the distance from the mean."""
        distance = self._distance()
        return Says(
            distance < -self.width,
            distance >= 0,
            1 - self.width / distance.abs(),
            distance * (1 / self.width),
        )


@STRATEGIES("bollinger_breakout")
@dataclass(frozen=True)
class BollingerBreakout(_Bands):
    """Buy above the upper band, sell below the middle.

    **Why it might work.** A move beyond the usual swing may be news that others have yet to act on,
    above all after the bands were narrow. It is the opposite bet of the mean reversion: over one
    market and one width at most one of the two can be right.

    **Rules.** The distance is (close - mean) / deviation. Buy: it is above `width`. Sell: it is
    below 0. Strength of a buy: 1 - `width` / distance, 0 at the band; of a sale: distance's size
    / `width`.
    """

    title: ClassVar[str] = "Bollinger breakout"
    source: ClassVar[str] = _BOLLINGER

    def says(self) -> Says:
        """By the distance from the mean."""
        distance = self._distance()
        return Says(
            distance > self.width,
            distance < 0,
            1 - self.width / distance,
            distance.abs() * (1 / self.width),
        )


def _where(close: float, low: float, mean: float, high: float) -> str:
    if close < low:
        return "below the lower band"
    if close > high:
        return "above the upper band"
    return "below the middle" if close < mean else "at or above the middle"
