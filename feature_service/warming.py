"""Compiles all loops of features ahead, so that nobody waits for it later: python -m feature_service.warming."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from feature_service import catalog, engine
from feature_service.inputs import CONTEXT

_ROWS = 100
_OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)


def made_up(rows: int) -> pl.DataFrame:
    """So many minutes of one session, with every column that a loop may read."""
    row = pl.int_range(rows).cast(pl.Float64)
    price = 100 + (row * row % 17) / 8
    columns = {
        "timestamp": pl.lit(_OPEN) + row.cast(pl.Int64) * timedelta(minutes=1),
        "session_date": pl.lit(date(2024, 7, 1)),
        "open": price,
        "high": price + 1,
        "low": price - 1,
        "close": price + 0.5,
        "volume": row + 1,
        "vwap": price,
        "trade_count": row.cast(pl.Int64),
        **dict.fromkeys(CONTEXT, price + 3),
    }
    return pl.select(*(values.alias(name) for name, values in columns.items()))


def warm() -> int:
    """Compute every feature once, of a few bars; gives how many there are."""
    features = catalog.features().values()
    engine.compute(made_up(_ROWS).lazy(), features).collect()
    return len(features)


if __name__ == "__main__":
    warm()
