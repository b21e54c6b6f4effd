"""What the report of a search draws, from its trials. Pure."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from simulation_service.run import Floats

Values = Mapping[str, float | str]

_FEWEST, _MOST_BINS = 12, 40
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_WIDTH = 0.1  # of the bin of ratios that are all the same
_ROUNDING = 1e-9
_PAIR = 2


def ranked(tried: pl.DataFrame) -> pl.DataFrame:
    """Trials (:data:`lake.searches.TRIALS`), the highest Sharpe ratio first, those without one last."""
    return tried.sort("sharpe", "number", descending=[True, False], nulls_last=True)


def values_of(tried: pl.DataFrame) -> list[dict[str, Any]]:
    """What each trial's axes were, in the order of the trials."""
    return [json.loads(one) for one in tried["params"]]


def drawn_axes(values: Sequence[Values]) -> list[str]:
    """The numeric axes with the most values, two at most; those with one value tell nothing.

    Of equals the one that comes first is taken.

    >>> drawn_axes([{"fast": 5, "slow": 20, "kind": "a"}, {"fast": 5, "slow": 50, "kind": "b"}])
    ['slow']
    """
    found = _numeric(values)
    varied = [name for name, known in found.items() if len(known) > 1]
    return sorted(varied, key=lambda name: -len(found[name]))[:_PAIR]


def others(values: Sequence[Values], drawn: Sequence[str]) -> list[str]:
    """The axes that vary and are not drawn."""
    names = values[0] if values else {}
    return [name for name in names if name not in drawn and len({one[name] for one in values}) > 1]


def surface(tried: pl.DataFrame, axes: Sequence[str]) -> pl.DataFrame:
    """The best Sharpe ratio for each value of one axis, or for each pair of values of two.

    Returns:
        The axes, ascending, and ``sharpe``: the highest over all other axes, null where no trial
        has one.
    """
    values = values_of(tried)
    told = {name: [one[name] for one in values] for name in axes}
    return (
        pl.DataFrame(told, strict=False)
        .with_columns(tried["sharpe"])
        .group_by(axes)
        .agg(pl.col("sharpe").max())
        .sort(axes)
    )


def at_an_end(values: Sequence[Values], best: Values) -> list[str]:
    """The numeric axes of which the best trial has the least or the greatest value tried.

    What lies beyond was not tried. Axes with fewer than three values have no inside.
    """
    return [
        name
        for name, known in _numeric(values).items()
        if len(known) > _PAIR and best[name] in (min(known), max(known))
    ]


def histogram(values: Floats) -> pl.DataFrame:
    """Values counted in bins of a round width; 0 is an edge wherever it is in sight.

    Args:
        values: One at least, finite.

    Returns:
        ``low``, ``high`` (a value at the edge belongs to the higher bin) and ``rows``.
    """
    largest = float(np.abs(values).max())
    spread = max(float(np.ptp(values)), largest * _ROUNDING * 1e3)
    about = spread / np.clip(math.sqrt(len(values)) * 2, _FEWEST, _MOST_BINS)
    step = _step(float(about)) if np.ptp(values) else max(_WIDTH, spread)
    places = np.floor(values / step + _ROUNDING).astype(np.int64)
    counted = np.bincount(places - places.min())
    edges = np.arange(places.min(), places.max() + 1)
    return pl.DataFrame({"low": edges * step, "high": (edges + 1) * step, "rows": counted})


def _numeric(values: Sequence[Values]) -> dict[str, set[Any]]:
    """The axes of numbers, with the values tried of each."""
    found = {name: {one[name] for one in values} for name in (values[0] if values else {})}
    return {
        name: known
        for name, known in found.items()
        if not any(isinstance(one, str) for one in known)
    }


def _step(about: float) -> float:
    """The next round number above."""
    scale = 10.0 ** math.floor(math.log10(about))
    return next(one * scale for one in _STEPS if one * scale >= about * (1 - _ROUNDING))
