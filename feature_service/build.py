"""Building the features of a symbol from the lake and storing them there."""

import time
from dataclasses import dataclass, replace

import polars as pl

from feature_service import catalog
from feature_service.catalog import FeatureSet
from lake import Lake
from lake.errors import MissingError
from lake.features import (
    Built,
    Definition,
    StoredBuild,
    latest_build,
    newest_change,
    store_features,
)
from lake.schema import check_symbol


class NoBarsInHoursError(MissingError):
    """A symbol has bars, but none in the hours a set is computed from."""

    def __init__(self, symbol: str, bars: int, feature_set: str) -> None:
        super().__init__(symbol, bars, feature_set)
        self.symbol, self.bars, self.feature_set = symbol, bars, feature_set

    def __str__(self) -> str:
        return (
            f"{self.symbol} has {self.bars:,} bars, but none in the regular hours of NYSE, from "
            f"which {self.feature_set} is computed. The set core_all takes the bars of all hours."
        )


@dataclass(frozen=True)
class Build:
    """What building the features of one symbol came to.

    Attributes:
        rows: Of the stored features.
        columns: Feature columns.
        seconds: Reading and computing took, without the commit.
        fresh: False if nothing had changed since the last build, which then stands.
    """

    build_id: str
    symbol: str
    source: str
    feature_set: str
    set_version: str
    rows: int
    columns: int
    seconds: float
    content_hash: str
    fresh: bool


def build(lk: Lake, symbol: str, set_name: str = "core", source: str | None = None) -> Build:
    """Compute a set over the whole history of a symbol and store it, if anything has changed.

    A set says from which hours it is computed: ``core`` takes bars of the regular session only
    (thin, wide prints before the open and after the close would otherwise sit in every window of
    the morning) and lets windows counted in bars run on from one session's close to the next
    open. Prices and volumes are split-adjusted. The features come before any split into training
    and test data: each row knows its own and earlier bars only, so that this leaks nothing.

    The rows of the symbol are replaced, and the build and the definitions noted, in one
    transaction; readers see the old features or the new ones. Harmless to repeat.

    Args:
        lk: The lake.
        symbol: A ticker, in any case.
        set_name: The feature set.
        source: Provider and feed; None for the one ``bars`` shows.

    Raises:
        FeatureSetError: There is no such set.
        BarsMissingError: The lake has no bars of the symbol.
        NoBarsInHoursError: It has none in the hours of the set.
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    wanted, ticker = catalog.feature_set(set_name), check_symbol(symbol)
    origin = lk.source_of(ticker, source)
    commit, snapshot = newest_change(lk, origin, ticker), lk.snapshot()
    standing = latest_build(lk, wanted.name, wanted.version, origin, ticker)
    if standing is not None and standing.changes_commit >= commit:
        return _told(standing, wanted, fresh=False)
    begun = time.perf_counter()
    frame = compute(lk, ticker, wanted, origin)
    built = replace(
        _built(wanted, ticker, origin, frame, snapshot),
        changes_commit=commit,
        seconds=time.perf_counter() - begun,
    )
    return _told(store_features(lk, built), wanted, fresh=True)


def compute(lk: Lake, symbol: str, wanted: FeatureSet, source: str | None = None) -> pl.DataFrame:
    """The features of a symbol's whole history in a lake, which is only read.

    Args:
        lk: The lake.
        symbol: A ticker, in any case.
        wanted: The feature set.
        source: Provider and feed; None for the one ``bars`` shows.

    Returns:
        ``timestamp``, ``session_date`` and the columns of the set, sorted by timestamp.

    Raises:
        BarsMissingError: The lake has no bars of the symbol.
        NoBarsInHoursError: It has none in the hours of the set.
    """
    return compute_set(_read(lk, symbol, wanted, lk.source_of(symbol, source)), wanted)


def compute_set(bars: pl.DataFrame, wanted: FeatureSet) -> pl.DataFrame:
    """``timestamp``, ``session_date`` and the columns of a set, for the bars of one symbol."""
    wide = catalog.compute(bars.lazy(), wanted.features)
    return wide.select("timestamp", "session_date", *wanted.columns).collect()


def store(
    lk: Lake, symbol: str, source: str, features: pl.DataFrame, wanted: FeatureSet, adjust: str
) -> StoredBuild:
    """Store features of bars that are not the lake's; the newest call stands."""
    built = _built(wanted, symbol, source, features, lk.snapshot())
    return store_features(lk, replace(built, adjust=adjust))


def _built(
    wanted: FeatureSet, symbol: str, source: str, frame: pl.DataFrame, snapshot: int
) -> Built:
    return Built(
        feature_set=wanted.name,
        set_version=wanted.version,
        source=source,
        symbol=symbol,
        frame=frame,
        snapshot=snapshot,
        changes_commit=snapshot,
        seconds=0.0,
        adjust=wanted.adjust,
        definitions=definitions_of(wanted),
        params={"hours": wanted.hours, "timeframe": "1min"},
    )


def definitions_of(wanted: FeatureSet) -> tuple[Definition, ...]:
    """What a store keeps of the declarations of a set's features."""
    return tuple(
        Definition(item.name, item.group, item.params, item.hash, item.code_reference)
        for item in wanted.features
    )


def _read(lk: Lake, symbol: str, wanted: FeatureSet, source: str) -> pl.DataFrame:
    regular = wanted.hours == "regular"
    bars = lk.bars(
        symbol,
        adjust=wanted.adjust,
        source=source,
        columns=catalog.INPUTS,
        regular_only=regular,
    )
    if bars.is_empty():
        total = lk.bars(symbol, source=source, columns=["timestamp"]).height
        raise NoBarsInHoursError(symbol, total, wanted.name)
    return bars


def _told(stored: StoredBuild, wanted: FeatureSet, *, fresh: bool) -> Build:
    return Build(
        build_id=stored.build_id,
        symbol=stored.symbol,
        source=stored.source,
        feature_set=wanted.name,
        set_version=wanted.version,
        rows=stored.row_count,
        columns=len(wanted.columns),
        seconds=stored.seconds,
        content_hash=stored.content_hash,
        fresh=fresh,
    )
