"""Labelled rows made without a lake: bars of a random walk by seed, and features of their past."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from training_service import labels
from training_service.dataset import Dataset
from training_service.recipe import Recipe
from training_service.training import data_of

COLUMNS = ("past_1", "past_3", "past_9", "noise", "still")


def bars(days=10, minutes=40, *, seed=0, symbol="SPY"):
    """Bars of weekdays from 1 July 2024 on; each return follows the one before it."""
    draw = np.random.default_rng(seed)
    found, day, level = [], date(2024, 7, 1), 100.0
    while len(found) < days:
        if day.weekday() < 5:
            steps = draw.normal(0, 1e-3, minutes)
            close = level * np.exp(np.cumsum(steps + 0.8 * np.concatenate([[0.0], steps[:-1]])))
            level = close[-1]
            opening = datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC)
            found.append(
                pl.DataFrame(
                    {
                        "symbol": symbol,
                        "timestamp": [opening + timedelta(minutes=n) for n in range(minutes)],
                        "session_date": [day] * minutes,
                        "close": close,
                        "noise": draw.normal(0, 1, minutes),
                    }
                )
            )
        day += timedelta(days=1)
    return pl.concat(found).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


def dataset(rows, label="direction_1"):
    """A data set of one symbol's bars or of several, one above another; early features are null."""
    parts = []
    for _, own in sorted(rows.group_by("symbol"), key=lambda pair: pair[0]):
        known = own.sort("timestamp").with_columns(
            *(
                (pl.col("close") / pl.col("close").shift(n) - 1).alias(f"past_{n}")
                for n in (1, 3, 9)
            ),
            pl.lit(7.0).alias("still"),
        )
        parts.append(labels.add(known, labels.find(label)))
    frame = pl.concat(parts).sort("timestamp", "symbol").drop("close")
    if frame["symbol"].n_unique() == 1:
        frame = frame.drop("symbol")
    coverage = pl.DataFrame(schema={"symbol": pl.String})
    return Dataset(frame, COLUMNS, coverage, {"SPY": "sandbox:iex"}, "v")


def learning(label="direction_1", *, days=10, seed=0, **told):
    """A recipe and the rows it learns from."""
    recipe = Recipe(["SPY"], label=label, **told)
    return recipe, data_of(dataset(bars(days, seed=seed), label), recipe)
