"""The features there are, the named sets of them, and how a set is computed."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Literal

import polars as pl

from feature_service import definitions
from feature_service.fingerprint import digest
from feature_service.registry import Feature, registered
from lake.errors import InvalidError

#: What a set is computed from: columns of the bars of one symbol.
INPUTS: tuple[str, ...] = (
    "timestamp",
    "session_date",
    "open",
    "high",
    "low",
    "close",
    "volume",
)

#: A list of names, not "all there are": a new feature elsewhere must not change this set.
_CORE = """
    sma_5 sma_20 sma_50 sma_200 ema_12 ema_26
    rsi_14
    std_20 bb_lower_20 bb_middle_20 bb_upper_20 bb_width_20 bb_percent_20 volatility_20
    return_1 return_5 return_15 return_30 return_5m return_30m return_60m
    log_return_1 log_return_5 log_return_15
    close_lag_1 close_lag_2 close_lag_3 close_lag_5 close_lag_10
    return_lag_1 return_lag_2 return_lag_3 return_lag_5 return_lag_10
    volume_sma_20 relative_volume_20 volume_zscore_20
"""


class FeatureSetError(InvalidError):
    """A name that no feature set has."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name, self.known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"There is no feature set {self.name[:40]!r}.{hint} The sets are {', '.join(self.known)}."


@dataclass(frozen=True)
class FeatureSet:
    """A named list of features and what they are computed from.

    Attributes:
        name: As users write it.
        features: In the order of the columns.
        hours: ``regular``: bars of the regular session, each window running on from the close of
            one session to the open of the next. ``all``: extended hours too, in one series.
        adjust: How prices are adjusted; ``split`` also divides volumes, so that a split leaves no
            step in any window. A later split changes all values before it alike.
        about: For whom, in one sentence.
    """

    name: str
    features: tuple[Feature, ...]
    hours: Literal["regular", "all"]
    adjust: Literal["raw", "split"]
    about: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the feature columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each feature by its name."""
        return {feature.name: feature.hash for feature in self.features}

    @property
    def version(self) -> str:
        """The hash of everything the values depend on, but for the bars."""
        return digest([list(self.hashes.items()), self.hours, self.adjust, "1min"])

    @property
    def warm_up(self) -> int:
        """Rows at the beginning of a history in which some column is null."""
        return max(feature.warm_up for feature in self.features)


def features() -> dict[str, Feature]:
    """Every feature there is, by name: those of all modules in ``feature_service.definitions``."""
    for module in iter_modules(definitions.__path__):
        import_module(f"{definitions.__name__}.{module.name}")
    return registered()


@cache
def sets() -> dict[str, FeatureSet]:
    """Every feature set there is, by name."""
    known = features()
    first = tuple(known[name] for name in _CORE.split())
    both = (
        FeatureSet("core", first, "regular", "split", "the first wide set, regular hours"),
        FeatureSet("core_all", first, "all", "split", "the same columns over all hours"),
    )
    return {item.name: item for item in both}


def feature_set(name: str) -> FeatureSet:
    """The set of a name.

    Raises:
        FeatureSetError: There is none; the sentence names the nearest.
    """
    known = sets()
    if name not in known:
        raise FeatureSetError(name, sorted(known))
    return known[name]


def compute(bars: pl.LazyFrame, wanted: Iterable[Feature]) -> pl.LazyFrame:
    """Add features to the bars of one symbol: same rows, same order, one column each.

    Args:
        bars: ``INPUTS`` at least; one symbol, sorted by ``timestamp`` (UTC, unique), no nulls.
        wanted: In the order of the columns to add; parents they need are computed and dropped.

    Returns:
        The bars' columns and the wanted ones, all Float64. Null in a feature's warm-up and where
        its null rule says; never NaN or infinite for finite, positive prices.
    """
    names = [feature.name for feature in wanted]
    needed = _with_parents(names)
    own = bars.collect_schema().names()
    for level in _levels(needed):
        bars = bars.with_columns(feature.expression.cast(pl.Float64) for feature in level)
    return bars.select(*own, *names)


def _with_parents(names: Iterable[str]) -> dict[str, Feature]:
    known, found = features(), dict[str, Feature]()
    waiting = list(names)
    while waiting:
        feature = known[waiting.pop()]
        found[feature.name] = feature
        waiting.extend(name for name in feature.parents if name not in found)
    return found


def _levels(needed: dict[str, Feature]) -> Iterable[list[Feature]]:
    """Features whose parents are all in levels before; polars computes a level in parallel."""
    done: set[str] = set()
    while len(done) < len(needed):
        level = [
            feature
            for feature in needed.values()
            if feature.name not in done and done.issuperset(feature.parents)
        ]
        yield level
        done.update(feature.name for feature in level)
