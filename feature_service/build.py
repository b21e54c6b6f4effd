"""Building the features of a symbol from the lake and storing them there."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import polars as pl

from feature_service import engine
from feature_service.choosing import choose
from feature_service.continuing import computed, lead, stored_name
from feature_service.reading import Reading
from feature_service.registry import Feature
from feature_service.sets import FeatureSet
from lake import Lake
from lake.features import (
    BuildOvertakenError,
    Built,
    Continued,
    Definition,
    StoredBuild,
    latest_build,
    store_features,
)
from lake.schema import check_symbol
from lake.sessions import Moment

_KEYS = ("timestamp", "session_date")
_TRIES = 3


@dataclass(frozen=True)
class Build:
    """What building the features of one symbol came to.

    Attributes:
        rows: Of the stored features.
        columns: Feature columns.
        seconds: Reading and computing took, without the commit.
        fresh: False if nothing had changed since the last build, which then stands.
        since: The first session that was computed anew; None if all were.
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
    since: date | None = None


def build(
    lk: Lake,
    symbol: str,
    set_name: str | FeatureSet = "core",
    source: str | None = None,
    *,
    full: bool = False,
) -> Build:
    """Compute what has changed of a set since its last build, and store it.

    A set says from which hours it is computed: ``core`` takes bars of the regular session only
    (thin, wide prints before the open and after the close would otherwise sit in every window of
    the morning) and lets windows counted in bars run on from one session's close to the next
    open. Prices and volumes are split-adjusted. The features come before any split into training
    and test data: each row knows its own and earlier bars only, so that this leaks nothing.

    Sessions are computed anew from the first one whose bars changed; what is stored then is, to
    the bit, what a build of the whole history gives. A split changes all prices before it, so that
    the whole history is built again.

    The rows are replaced, and the build and the definitions noted, in one transaction; readers see
    the old features or the new ones. Harmless to repeat.

    Args:
        lk: The lake.
        symbol: A ticker, in any case.
        set_name: The feature set, or its name.
        source: Provider and feed; None for the one ``bars`` shows.
        full: Compute and store the whole history, whatever has changed.

    Raises:
        FeatureSetError: There is no such set.
        BarsMissingError: The lake has no bars of the symbol.
        NoBarsInHoursError: It has none in the hours of the set.
        TooFewBarsError: It has so few that every column would be null.
        BuildOvertakenError: Somebody else stored another build meanwhile, again and again.
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    wanted = set_name if isinstance(set_name, FeatureSet) else choose(lk, set_name)
    ticker = check_symbol(symbol)
    origin = lk.source_of(ticker, source)
    for _ in range(_TRIES - 1):
        try:
            return _attempt(lk, ticker, wanted, origin, full=full)
        except BuildOvertakenError:  # it stands now, and may be gone on from
            continue
    return _attempt(lk, ticker, wanted, origin, full=full)


def _attempt(lk: Lake, symbol: str, wanted: FeatureSet, source: str, *, full: bool) -> Build:
    begun = time.perf_counter()
    with Reading(lk, symbol, source, wanted).at_once() as snapshot:
        standing = latest_build(lk, wanted.name, wanted.version, source, symbol)
        read = Reading(lk, symbol, source, wanted, snapshot)
        first, kinds, commit = read.changed(-1 if standing is None else standing.changes_commit)
        if standing is not None and first is None and not full:
            return _told(standing, wanted, fresh=False)
        rest, kept = None, None
        if standing is not None and first is not None and not full:
            rest, kept = lead(read, standing, first, kinds), Continued(standing, first)
        bars, known = (read.enough_bars(), 0) if rest is None else (rest.bars, rest.known)
    frame = computed(bars, wanted, known)
    built = replace(
        _built(wanted, symbol, source, frame, read.snapshot or 0),
        changes_commit=commit,
        seconds=time.perf_counter() - begun,
        rest=None if rest is None else kept,
    )
    return _told(store_features(lk, built, anew=full), wanted, fresh=True)


def compute(
    lk: Lake,
    symbol: str,
    wanted: FeatureSet,
    source: str | None = None,
    *,
    as_of: Moment = None,
) -> pl.DataFrame:
    """The features of a symbol's whole history in a lake, which is only read.

    Args:
        lk: The lake.
        symbol: A ticker, in any case.
        wanted: The feature set.
        source: Provider and feed; None for the one ``bars`` shows.
        as_of: From bars, and splits, as the lake knew them then: what a model that was trained
            then has seen. A New York date (its end) or a time with its zone; None for now.

    Returns:
        ``timestamp``, ``session_date`` and the columns of the set, sorted by timestamp.

    Raises:
        BarsMissingError: The lake has no bars of the symbol.
        NoBarsInHoursError: It has none in the hours of the set.
    """
    read = Reading(lk, check_symbol(symbol), lk.source_of(symbol, source), wanted, as_of=as_of)
    return compute_set(read.all_bars(), wanted)


def read_bars(
    lk: Lake, symbol: str, wanted: FeatureSet, source: str, *, snapshot: int | None = None
) -> pl.DataFrame:
    """The whole history of a symbol as a set takes it.

    Args:
        lk: The lake.
        symbol: A ticker in capitals.
        wanted: The feature set.
        source: Provider and feed.
        snapshot: Bars as that snapshot of DuckLake holds them; None for the newest.

    Raises:
        NoBarsInHoursError: There are none in the hours of the set.
        SnapshotMissingError: The snapshot has expired.
    """
    return Reading(lk, symbol, source, wanted, snapshot).all_bars()


def compute_set(bars: pl.DataFrame, wanted: FeatureSet) -> pl.DataFrame:
    """``timestamp``, ``session_date`` and the columns of a set, for the bars of one symbol."""
    wide = engine.compute(bars.lazy(), wanted.features)
    return wide.select(*_KEYS, *wanted.columns).collect()


def store(
    lk: Lake, symbol: str, source: str, features: pl.DataFrame, wanted: FeatureSet, adjust: str
) -> StoredBuild:
    """Store features of bars that are not the lake's; the newest call stands."""
    built = _built(wanted, symbol, source, _with_held(features, wanted), lk.snapshot())
    params = {**built.params, "goes_on": False}
    return store_features(lk, replace(built, adjust=adjust, params=params))


def definitions_of(wanted: FeatureSet) -> tuple[Definition, ...]:
    """What a store keeps of the declarations of a set's features."""
    return _definitions(wanted.features)


@lru_cache(maxsize=64)
def _definitions(features: tuple[Feature, ...]) -> tuple[Definition, ...]:
    """The hash of a feature holds those of its parents: 250 of them take 10 ms."""
    return tuple(
        Definition(item.name, item.group, item.params, item.hash, item.code_reference)
        for item in features
    )


def _with_held(features: pl.DataFrame, wanted: FeatureSet) -> pl.DataFrame:
    """With empty columns for what recursions go on from: such a build is never gone on from."""
    missing: Iterable[str] = {
        stored_name(item, wanted) for item in engine.recursions(wanted.features)
    }
    names = sorted(name for name in missing if name not in features.columns)
    return features.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)


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
        params={"hours": wanted.hours, "timeframe": wanted.timeframe},
    )


def _told(stored: StoredBuild, wanted: FeatureSet, *, fresh: bool) -> Build:
    since = stored.params.get("since")
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
        since=date.fromisoformat(since) if since and fresh else None,
    )
