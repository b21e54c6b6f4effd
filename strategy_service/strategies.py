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
    "signals_of_chances",
    "signals_of_predictions",
]

Floats = NDArray[np.float64]
_EVEN = 0.5


class PredictionError(InvalidError):
    """A model predicted what cannot be acted on."""

    def __init__(self, strategy: str, row: int, wanted: str = "chance between 0 and 1") -> None:
        super().__init__(strategy, row, wanted)
        self.strategy, self.row, self.wanted = strategy, row, wanted

    def __str__(self) -> str:
        return f"{self.strategy} predicts no {self.wanted} in row {self.row}."


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
    """A trained model."""

    @property
    def model_id(self) -> str:
        """Its id."""

    @property
    def columns(self) -> Sequence[str]:
        """What it looks at."""

    @property
    def classes(self) -> Sequence[int]:
        """What it tells apart: 0 and 1, or -1, 0 and 1; none if it estimates a number."""

    def chances(self, rows: pl.DataFrame) -> Floats:
        """Of a model of 0 and 1: the chance of class 1 for each row."""

    def predict(self, rows: pl.DataFrame) -> Floats:
        """The class or the number for each row."""


@dataclass(frozen=True)
class ModelStrategy:
    """What a model says: it always says to buy or to sell, or of three classes also to hold.

    A classifier of 0 and 1 buys where it says 1 and sells where it says 0; one of -1, 0 and 1 holds
    at 0. A model that estimates a number buys where it is above 0 and sells elsewhere; its
    strength is 1, for nothing says what is much.
    """

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
        says = {Direction.BUY: "up", Direction.SELL: "not up", Direction.HOLD: "neither"}
        return Signal(Direction(direction), strength, f"the model says {says[direction]}")

    def signals(self, rows: pl.DataFrame) -> pl.DataFrame:
        """A signal a row.

        Raises:
            PredictionError: A chance is not a number between 0 and 1, or a prediction not finite.
        """
        if tuple(self.model.classes) == (0, 1):
            return signals_of_chances(self.name, self.model.chances(rows))
        said = np.asarray(self.model.predict(rows), dtype=np.float64)
        return signals_of_predictions(self.name, said, classes=self.model.classes)


def signals_of_chances(name: str, chances: Floats) -> pl.DataFrame:
    """Buy from a chance of one half on, sell below it; as ``SIGNALS``.

    Raises:
        PredictionError: A chance is not a number between 0 and 1.
    """
    odd = ~((chances >= 0) & (chances <= 1))
    if odd.any():
        raise PredictionError(name, int(odd.argmax()))
    direction = np.where(chances >= _EVEN, Direction.BUY, Direction.SELL)
    strength = np.abs(chances - _EVEN) / _EVEN
    return pl.DataFrame({"direction": direction, "strength": strength}).cast(SIGNALS)


def signals_of_predictions(name: str, said: Floats, *, classes: Sequence[int]) -> pl.DataFrame:
    """Buy above 0; sell at 0 and below, or of three classes below 0 only. As ``SIGNALS``.

    Raises:
        PredictionError: A prediction is not finite.
    """
    odd = ~np.isfinite(said)
    if odd.any():
        raise PredictionError(name, int(odd.argmax()), "finite number")
    three = any(one < 0 for one in classes)
    lower = said < 0 if three else said <= 0
    direction = np.where(said > 0, Direction.BUY, np.where(lower, Direction.SELL, Direction.HOLD))
    found = {"direction": direction, "strength": np.ones(len(said))}
    return pl.DataFrame(found).cast(SIGNALS)
