"""The daily bar a provider makes itself: near its minutes rolled up, and not the same.

Of a real provider's minutes alone the day cannot be made. Its open and close are the prices of the
auctions, which the minutes of regular hours lack or show among other trades; odd lots count into
the day, though a minute of nothing else has no bar.
"""

from dataclasses import replace

import numpy as np

from sandbox.bars import Bars, Float64s

#: How far the prices of the auctions lie from the first and the last trade, as a part of them.
OPENING, CLOSING = 0.0003, 0.0002
#: Odd lots are many trades of few shares.
ODD_SHARES, ODD_TRADES = (0.005, 0.02), (0.10, 0.30)


def official(day: Bars, random: np.random.Generator, *, auctions: bool) -> Bars:
    """A day's bar with the prices of the auctions and with odd lots.

    Args:
        day: One bar, of the minutes; or none, which stays none.
        random: Draws the differences.
        auctions: Whether the feed has them; one exchange alone opens with its first trade.
    """
    moves = random.standard_normal(2)
    more, often = random.uniform(*ODD_SHARES), random.uniform(*ODD_TRADES)
    whole = replace(
        day,
        volume=day.volume + np.ceil(day.volume * more).astype(np.int64),
        count=day.count + np.ceil(day.count * often).astype(np.int64),
    )
    if not auctions:
        return whole
    opens = _cents(day.open * (1 + OPENING * moves[0]))
    closes = _cents(day.close * (1 + CLOSING * moves[1]))
    return replace(
        whole,
        open=opens,
        high=np.maximum(day.high, np.maximum(opens, closes)),
        low=np.minimum(day.low, np.minimum(opens, closes)),
        close=closes,
    )


def _cents(prices: Float64s) -> Float64s:
    return np.maximum(np.rint(prices * 100) / 100, 0.01)
