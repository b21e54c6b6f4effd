"""Whether the price has a direction: Wilder's directional movement, and Aroon."""

import numpy as np
import polars as pl

from feature_service.compiled import Values, compiled, given
from feature_service.recursion import Ewm
from feature_service.registry import feature
from feature_service.windows import (
    mapped,
    over,
    rolling_age_of_highest,
    rolling_age_of_lowest,
)

_WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)"
_CHANDE = "Chande, A Time Price Oscillator (1995); TA-Lib AROON"
_FOURTEEN = [{"bars": 14}]


@feature(
    "_true_range_mean_{bars}",
    group="momentum",
    unit="USD per share",
    source=_WILDER,
    each=_FOURTEEN,
    warm_up=lambda bars: bars - 1,
    parents=["true_range"],
)
def true_range_mean(bars: int) -> Ewm:
    """Wilder's mean of the true range, seeded for ADX like TA-Lib: the first bar counts as none."""
    return Ewm(pl.col("true_range").fill_null(0.0), first=0, width=bars, alpha=1 / bars)


@feature(
    "_plus_dm_{bars}",
    group="momentum",
    unit="USD per share",
    source=_WILDER,
    each=_FOURTEEN,
    warm_up=lambda bars: bars - 1,
)
def plus_dm(bars: int) -> Ewm:
    """Wilder's mean of how far the range reached above the one before, where it rose more than it fell."""
    return Ewm(_reach(pl.col("high"), -pl.col("low")), first=0, width=bars, alpha=1 / bars)


@feature(
    "_minus_dm_{bars}",
    group="momentum",
    unit="USD per share",
    source=_WILDER,
    each=_FOURTEEN,
    warm_up=lambda bars: bars - 1,
)
def minus_dm(bars: int) -> Ewm:
    """Wilder's mean of how far the range reached below the one before, where it fell more than it rose."""
    return Ewm(_reach(-pl.col("low"), pl.col("high")), first=0, width=bars, alpha=1 / bars)


def _reach(edge: pl.Expr, other: pl.Expr) -> pl.Expr:
    """How far an edge of the range moved outwards, where the other did not move as far; 0 in the first bar."""

    def moves(ours: Values, theirs: Values) -> Values:
        found = np.zeros(len(ours))
        _move_out(given(ours), given(theirs), found)
        return found

    return mapped(moves, edge, other)


@compiled
def _move_out(ours: Values, theirs: Values, found: Values) -> None:
    """As :func:`_reach`."""
    for row in range(1, len(found)):
        move, against = ours[row] - ours[row - 1], theirs[row] - theirs[row - 1]
        found[row] = move if move > against and move > 0 else 0.0


@feature(
    "plus_di_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_WILDER}; TA-Lib PLUS_DI",
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    value_range=(0.0, 100.0),
    parents=["_plus_dm_{bars}", "_true_range_mean_{bars}"],
)
def plus_di(bars: int) -> pl.Expr:
    """Share of the true range that was a rise (+DI); 0 while no price has moved yet."""
    return _indicator(pl.col(f"_plus_dm_{bars}"), bars)


@feature(
    "minus_di_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_WILDER}; TA-Lib MINUS_DI",
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    value_range=(0.0, 100.0),
    parents=["_minus_dm_{bars}", "_true_range_mean_{bars}"],
)
def minus_di(bars: int) -> pl.Expr:
    """Share of the true range that was a fall (-DI); 0 while no price has moved yet."""
    return _indicator(pl.col(f"_minus_dm_{bars}"), bars)


def _indicator(moves: pl.Expr, bars: int) -> pl.Expr:
    wide = pl.col(f"_true_range_mean_{bars}")
    share = pl.when(wide > 0).then(100.0 * (moves / wide)).otherwise(0.0)
    return pl.when(pl.col("close").shift(bars).is_not_null()).then(share)


@feature(
    "dx_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_WILDER}; TA-Lib DX",
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    value_range=(0.0, 100.0),
    parents=["plus_di_{bars}", "minus_di_{bars}"],
)
def dx(bars: int) -> pl.Expr:
    """How one-sided the directional movement was (DX); 0 while there was none yet."""
    plus, minus = pl.col(f"plus_di_{bars}"), pl.col(f"minus_di_{bars}")
    return 100.0 * over((plus - minus).abs(), plus + minus, 0.0)


@feature(
    "_dx_mean_{bars}",
    group="momentum",
    unit="0 to 100",
    source=_WILDER,
    each=_FOURTEEN,
    warm_up=lambda bars: 2 * bars - 1,
    parents=["dx_{bars}"],
)
def dx_mean(bars: int) -> Ewm:
    """Wilder's mean of DX."""
    return Ewm(pl.col(f"dx_{bars}"), first=bars, width=bars, alpha=1 / bars)


@feature(
    "adx_{bars}",
    group="momentum",
    unit="0 to 100",
    source=f"{_WILDER}; TA-Lib ADX",
    each=_FOURTEEN,
    warm_up=lambda bars: 2 * bars - 1,
    value_range=(0.0, 100.0),
    parents=["_dx_mean_{bars}"],
)
def adx(bars: int) -> pl.Expr:
    """Wilder's average directional index: how one-sided the movement has been, up or down."""
    return pl.col(f"_dx_mean_{bars}").clip(0.0, 100.0)  # a mean of hundreds may round beyond


@feature(
    "aroon_up_{bars}",
    group="momentum",
    unit="0 to 100",
    source=_CHANDE,
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    value_range=(0.0, 100.0),
)
def aroon_up(bars: int) -> pl.Expr:
    """How new the highest high is: 100 in its own bar, 0 when it is as many bars old as the window."""
    return (bars - rolling_age_of_highest("high", bars + 1)) * (100 / bars)


@feature(
    "aroon_down_{bars}",
    group="momentum",
    unit="0 to 100",
    source=_CHANDE,
    each=_FOURTEEN,
    warm_up=lambda bars: bars,
    value_range=(0.0, 100.0),
)
def aroon_down(bars: int) -> pl.Expr:
    """How new the lowest low is: 100 in its own bar, 0 when it is as many bars old as the window."""
    return (bars - rolling_age_of_lowest("low", bars + 1)) * (100 / bars)
