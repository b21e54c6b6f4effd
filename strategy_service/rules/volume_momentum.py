"""Following a rise that many trade in."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from strategy_service.parameters import ParameterError, number, whole
from strategy_service.rule import STRATEGIES, Row, Rule, Says
from strategy_service.signals import Direction

_BASIS_POINT = 1e-4


@STRATEGIES("volume_momentum")
@dataclass(frozen=True)
class VolumeMomentum(Rule):
    """Buy after a rise in unusual volume, sell when the rise is over.

    **Why it might work.** Winners of the recent past went on winning for a while, and shares with
    unusual volume rose afterwards: volume tells a move that many believe from a thin one.

    **Rules.** The return is that of the close over `bars`; the relative volume is that of the bar
    over the mean of the `volume_bars` before it. Buy: the return is above `entry_bps` and the
    relative volume is at least `volume`. Sell: the return is below `exit_bps`. Strength of a buy:
    1 - `entry_bps` / return; of a sale: 1. Where nothing was traded in the bars before, it does
    not buy.
    """

    title: ClassVar[str] = "momentum with volume"
    source: ClassVar[str] = (
        "Jegadeesh and Titman, Returns to Buying Winners and Selling Losers (1993); Gervais, Kaniel "
        "and Mingelgrin, The High-Volume Return Premium (2001)"
    )
    reads: ClassVar[tuple[str, ...]] = ()

    bars: int = whole(30, low=1, high=2_000, unit="bars", about="How far back the return looks.")
    entry_bps: float = number(
        20.0, low=0.0, high=2_000.0, step=5.0, unit="basis points", about="Buys above this return."
    )
    exit_bps: float = number(
        0.0,
        low=-2_000.0,
        high=2_000.0,
        step=5.0,
        unit="basis points",
        about="Sells below this return, which is at most that of the entry.",
    )
    volume_bars: int = whole(
        20, low=1, high=2_000, unit="bars", about="How many bars before say what volume is usual."
    )
    volume: float = number(
        1.5,
        low=0.0,
        high=20.0,
        step=0.25,
        unit="1 is as usual",
        about="Relative volume that a buy needs.",
    )

    def check(self) -> None:
        """It sells no higher than it buys."""
        if self.exit_bps > self.entry_bps:
            raise ParameterError(
                self.key,
                "exit_bps",
                f"must be at most entry_bps, which is {self.entry_bps:g}, was {self.exit_bps:g}",
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """Return and relative volume."""
        return f"return_{self.bars}", f"relative_volume_{self.volume_bars}"

    def says(self) -> Says:
        """By the return, and the volume of the bar."""
        change, volume = (pl.col(name) for name in self.needs)
        entry = self.entry_bps * _BASIS_POINT
        return Says(
            (change > entry) & (volume >= self.volume),
            change < self.exit_bps * _BASIS_POINT,
            1 - entry / change,
        )

    def because(self, row: Row, direction: Direction) -> str:
        """The return, and what it is beside."""
        change, volume = self.needs
        moved = f"{change} {row[change] / _BASIS_POINT:,.1f} bp"
        if direction == Direction.SELL:
            return f"{moved} is below {self.exit_bps:g} bp"
        beside = (
            f"{moved} (entry above {self.entry_bps:g} bp) at {row[volume]:.2f} of the usual volume"
        )
        return beside if direction == Direction.BUY else f"{beside} ({self.volume:g} needed)"
