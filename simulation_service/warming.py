"""Compiles all loops ahead, those of the rooms below too: python -m simulation_service.warming."""

import numpy as np

from feature_service import warming as features
from simulation_service import fast
from simulation_service.drawdowns import drawdown
from simulation_service.market import Market, realistic
from simulation_service.trading import Said, Trading
from training_service import warming as labels

_ROWS = 20


def warm() -> int:
    """Simulate a few bars; gives how many."""
    said = Said(np.where(np.arange(_ROWS) % 3, 1, -1).astype(np.int8))
    market = Market.of("SPY", features.made_up(_ROWS))
    run = fast.run(market, said, Trading(), 10_000.0, realistic())
    drawdown(run.equity, market.session, before=run.cash)
    return _ROWS


if __name__ == "__main__":
    features.warm()
    labels.warm()
    warm()
