"""What a strategy promises: all rows at once say what each row would have said in its time."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_service.signals import Direction, Signal, StrengthError
from strategy_service.strategies import (
    SIGNALS,
    BuyAndHold,
    ModelStrategy,
    PredictionError,
)


@dataclass(frozen=True)
class Oracle:
    """A model whose chance of a rise is the value of its one column."""

    model_id: str = "oracle"
    columns: tuple[str, ...] = ("x",)
    classes: tuple[int, ...] = (0, 1)

    def chances(self, rows: pl.DataFrame) -> np.ndarray:
        return rows["x"].to_numpy()

    def predict(self, rows: pl.DataFrame) -> np.ndarray:
        return rows["x"].to_numpy()


rows = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(lambda x: pl.DataFrame({"x": x}))


@pytest.mark.parametrize("strategy", [ModelStrategy(Oracle()), BuyAndHold()], ids=lambda s: s.name)
@given(rows=rows)
def test_history_and_live_say_the_same(strategy, rows):
    history = strategy.signals(rows)
    live = [strategy.signal(rows.head(seen + 1)) for seen in range(rows.height)]

    assert history.schema == SIGNALS
    assert history.rows() == [(one.direction, one.strength) for one in live]


def test_a_model_that_says_one_buys_and_one_that_says_zero_sells():
    said = ModelStrategy(Oracle()).signals(pl.DataFrame({"x": [0.9, 0.5, 0.4, 0.0]}))

    assert said["direction"].to_list() == [
        Direction.BUY,
        Direction.BUY,
        Direction.SELL,
        Direction.SELL,
    ]
    assert said["strength"].to_list() == pytest.approx([0.8, 0.0, 0.2, 1.0])


def test_a_model_of_a_number_buys_above_0_and_sells_elsewhere():
    said = ModelStrategy(Oracle(classes=())).signals(pl.DataFrame({"x": [0.001, 0.0, -2.0]}))

    assert said.rows() == [(1, 1.0), (-1, 1.0), (-1, 1.0)]


def test_a_model_of_three_classes_holds_in_the_middle():
    said = ModelStrategy(Oracle(classes=(-1, 0, 1))).signals(pl.DataFrame({"x": [1, 0, -1]}))

    assert said["direction"].to_list() == [1, 0, -1]


def test_a_prediction_that_is_no_number_is_refused():
    with pytest.raises(PredictionError, match=r"predicts no finite number in row 1"):
        ModelStrategy(Oracle(classes=())).signals(pl.DataFrame({"x": [0.5, np.nan]}))


def test_buy_and_hold_wants_to_own_in_every_row():
    assert BuyAndHold().signals(pl.DataFrame({"x": [1, 2]}))["direction"].to_list() == [1, 1]


@pytest.mark.parametrize("chance", [float("nan"), 1.5, -0.1])
def test_a_prediction_that_is_no_chance_is_refused(chance):
    with pytest.raises(PredictionError, match=r"model oracle predicts no chance .* in row 1"):
        ModelStrategy(Oracle()).signals(pl.DataFrame({"x": [0.5, chance]}))


def test_a_signal_is_between_not_sure_and_sure():
    with pytest.raises(StrengthError, match="between 0 and 1"):
        Signal(Direction.BUY, 1.1, "too sure")
