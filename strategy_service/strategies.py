"""Strategies: from rows of bars and features to signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.errors import InvalidError
from strategy_service.rules.buy_and_hold import BuyAndHold
from strategy_service.signals import SIGNALS, Direction, Signal

__all__ = [
    "SIGNALS",
    "BuyAndHold",
    "ModelStrategy",
    "PredictionError",
    "Predictor",
    "Strategy",
]

Floats = NDArray[np.float64]
_EVEN = 0.5


class PredictionError(InvalidError):
    """A model gave a chance that is none."""

    def __init__(self, strategy: str, row: int) -> None:
        super().__init__(strategy, row)
        self.strategy, self.row = strategy, row

    def __str__(self) -> str:
        return f"{self.strategy} predicts no chance between 0 and 1 in row {self.row}."


class Strategy(Protocol):
    """Rows are one symbol's, sorted by ``timestamp``; no row may change what an earlier one says."""

    @property
    def name(self) -> str:
        """For a person to read."""

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that decides what it says, as JSON."""

    def signal(self, seen: pl.DataFrame) -> Signal:
        """What to do now: the newest of the rows seen so far is the current bar."""

    def signals(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The same for every row at once, as ``SIGNALS``: what :meth:`signal` would have said."""


class Predictor(Protocol):
    """A classifier of two classes, trained."""

    @property
    def model_id(self) -> str:
        """Its id."""

    @property
    def columns(self) -> Sequence[str]:
        """What it looks at."""

    def chances(self, rows: pl.DataFrame) -> Floats:
        """The chance of class 1 for each row."""


@dataclass(frozen=True)
class ModelStrategy:
    """Buy where a model says 1, sell where it says 0; it always says one of the two."""

    model: Predictor

    @property
    def name(self) -> str:
        """The model's id says which."""
        return f"model {self.model.model_id}"

    @property
    def facts(self) -> dict[str, Any]:
        """The model decides it all."""
        return {"strategy": "model", "model_id": self.model.model_id}

    def signal(self, seen: pl.DataFrame) -> Signal:
        """From the newest row alone: a model has no memory."""
        direction, strength = self.signals(seen.tail(1)).row(0)
        says = "up" if direction == Direction.BUY else "not up"
        return Signal(Direction(direction), strength, f"the model says {says}")

    def signals(self, rows: pl.DataFrame) -> pl.DataFrame:
        """A signal a row.

        Raises:
            PredictionError: A chance is not a number between 0 and 1.
        """
        chances = self.model.chances(rows)
        odd = ~((chances >= 0) & (chances <= 1))
        if odd.any():
            raise PredictionError(self.name, int(odd.argmax()))
        direction = np.where(chances >= _EVEN, Direction.BUY, Direction.SELL)
        strength = np.abs(chances - _EVEN) / _EVEN
        return pl.DataFrame({"direction": direction, "strength": strength}).cast(SIGNALS)
