"""Compiles all loops of labels and features ahead: python -m training_service.warming."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from feature_service import warming
from training_service import labels
from training_service.label_families import FAMILIES

_ROWS = 150
_OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)


def warm() -> int:
    """Compute a label of each family once, of a few bars that are made up; gives how many."""
    row = pl.int_range(_ROWS)
    price = 100.0 + (row * row % 17) / 8
    bars = pl.select(
        (pl.lit(_OPEN) + row * timedelta(minutes=1)).alias("timestamp"),
        pl.lit(date(2024, 7, 1)).alias("session_date"),
        price.alias("close"),
        (price + 1).alias("high"),
        (price - 1).alias("low"),
    )
    for family in FAMILIES:
        labels.add(bars, labels.find(family.examples[0]))
    return len(FAMILIES)


if __name__ == "__main__":
    warming.warm()
    warm()
