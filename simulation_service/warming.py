"""Compiles all loops ahead, those of the rooms below too: python -m simulation_service.warming."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from feature_service import warming as features
from simulation_service import fast
from simulation_service.drawdowns import drawdown
from simulation_service.market import Market, realistic
from simulation_service.trading import Said, Trading
from training_service import warming as labels

_ROWS = 20
_OPEN = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)


def warm() -> int:
    """Simulate a few bars that are made up; gives how many."""
    row = pl.int_range(_ROWS)
    price = 100.0 + (row * row % 17) / 8
    bars = pl.select(
        (pl.lit(_OPEN) + row * timedelta(minutes=1)).alias("timestamp"),
        pl.lit(date(2024, 7, 1)).alias("session_date"),
        price.alias("open"),
        (price + 1).alias("high"),
        (price - 1).alias("low"),
        price.alias("close"),
        (row + 100).alias("volume"),
    )
    said = Said(np.where(np.arange(_ROWS) % 3, 1, -1).astype(np.int8))
    market = Market.of("SPY", bars)
    run = fast.run(market, said, Trading(), 10_000.0, realistic())
    drawdown(run.equity, market.session, before=run.cash)
    return _ROWS


if __name__ == "__main__":
    features.warm()
    labels.warm()
    warm()
