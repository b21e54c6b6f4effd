"""A signal: what a strategy says at the close of a bar."""

from dataclasses import dataclass
from enum import IntEnum

import polars as pl

from lake.errors import InvalidError

#: What ``Strategy.signals`` gives: a row a row.
SIGNALS = pl.Schema({"direction": pl.Int8(), "strength": pl.Float64()})


class Direction(IntEnum):
    """What a strategy wants: to own, to own nothing, or nothing else than before."""

    SELL = -1
    HOLD = 0
    BUY = 1


class StrengthError(InvalidError):
    """A strength outside 0 to 1."""

    def __init__(self, strength: float) -> None:
        super().__init__(strength)
        self.strength = strength

    def __str__(self) -> str:
        return f"A signal's strength lies between 0 and 1, was {self.strength:g}."


@dataclass(frozen=True)
class Signal:
    """What a strategy says at the close of a bar, from that bar and those before.

    Attributes:
        strength: How sure it is, 0 to 1.
        reason: For a person to read.

    Raises:
        StrengthError: The strength is outside 0 to 1, or not a number.
    """

    direction: Direction
    strength: float
    reason: str

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise StrengthError(self.strength)
