"""Building the features of a symbol from the lake and storing them there."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from feature_service import engine
from feature_service.registry import Feature
from feature_service.sets import FeatureSet, feature_set
from lake import Lake, sessions
from lake.errors import MissingError
from lake.features import (
    Built,
    Continued,
    Definition,
    StoredBuild,
    changed_sessions,
    held_rows,
    latest_build,
    store_features,
)
from lake.schema import check_symbol
from lake.sessions import Moment

_KEYS = ("timestamp", "session_date")
#: Timeframes whose bars span several sessions: a session that is added changes one that is there.
_SPANNING = ("1week",)
#: Bars that a regular session has at least, for a first guess at how far back to look.
_SESSION_BARS = 200


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


@dataclass(frozen=True)
class _Read:
    """The bars of one symbol as a snapshot has them."""

    lake: Lake
    symbol: str
    source: str
    wanted: FeatureSet
    snapshot: int | None = None
    as_of: Moment = None

    def bars(self, start: Moment = None) -> pl.DataFrame:
        """From a session on, as the set takes them."""
        bars = self._of(self.symbol, start, engine.inputs(self.wanted.features), self.source)
        if self.wanted.context is None:
            return bars
        other = self._of(self.wanted.context, start, ("timestamp", "close"), None)
        beside = other.rename({"close": "context_close"})
        return bars.join(beside, on="timestamp", how="left", maintain_order="left")

    def _of(
        self, symbol: str, start: Moment, columns: tuple[str, ...], source: str | None
    ) -> pl.DataFrame:
        return self.lake.bars(
            symbol,
            start,
            adjust=self.wanted.adjust,
            source=source,
            timeframe=self.wanted.timeframe,
            columns=columns,
            regular_only=self.wanted.hours == "regular",
            snapshot=self.snapshot,
            as_of=self.as_of,
        )

    def all_bars(self) -> pl.DataFrame:
        """The whole history.

        Raises:
            NoBarsInHoursError: There are none in the hours of the set.
        """
        bars = self.bars()
        if bars.is_empty():
            total = self.lake.bars(self.symbol, source=self.source, columns=["timestamp"]).height
            raise NoBarsInHoursError(self.symbol, total, self.wanted.name)
        return bars


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
        BuildOvertakenError: Somebody else stored another build meanwhile.
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    wanted = set_name if isinstance(set_name, FeatureSet) else feature_set(set_name)
    ticker = check_symbol(symbol)
    origin = lk.source_of(ticker, source)
    standing = latest_build(lk, wanted.name, wanted.version, origin, ticker)
    begun = time.perf_counter()
    read = _Read(lk, ticker, origin, wanted, lk.snapshot())
    after = -1 if standing is None else standing.changes_commit
    first, kinds, commit = _changed(read, after)
    if standing is not None and first is None and not full:
        return _told(standing, wanted, fresh=False)
    rest = None
    if standing is not None and first is not None and not full:
        rest = _continued(read, standing, first, kinds)
    frame, kept = rest or (_computed(read.all_bars(), wanted), None)
    built = replace(
        _built(wanted, ticker, origin, frame, read.snapshot or 0),
        changes_commit=commit,
        seconds=time.perf_counter() - begun,
        rest=kept,
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
    read = _Read(lk, check_symbol(symbol), lk.source_of(symbol, source), wanted, as_of=as_of)
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
    return _Read(lk, symbol, source, wanted, snapshot).all_bars()


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
    return tuple(
        Definition(item.name, item.group, item.params, item.hash, item.code_reference)
        for item in wanted.features
    )


def _changed(read: _Read, after: int) -> tuple[date | None, set[str], int]:
    """What happened since a commit to the symbol, and to the one beside it."""
    lk, other = read.lake, read.wanted.context
    found = [changed_sessions(lk, read.source, read.symbol, after)]
    if other is not None:
        found.append(changed_sessions(lk, lk.source_of(other), other, after))
    days = [day for day, _, _ in found if day is not None]
    kinds = {kind for _, some, _ in found for kind in some}
    return min(days, default=None), kinds, max(commit for _, _, commit in found)


def _continued(
    read: _Read, standing: StoredBuild, first: date, kinds: set[str]
) -> tuple[pl.DataFrame, Continued] | None:
    """What a build has to add to one that stands; None if it has to begin anew."""
    wanted = read.wanted
    moved = "actions" in kinds and wanted.adjust != "raw"
    if moved or not standing.goes_on or wanted.timeframe in _SPANNING or standing.start is None:
        return None
    recursions = engine.recursions(wanted.features)
    stored = {item.name: _stored_name(item, wanted) for item in recursions}
    context = _context(read, standing, first, [*stored.values()])
    if context is None:
        return None
    seeded = [stored[item.name] for item in recursions if item.always_held]
    if any(context[-1, name] is None for name in seeded):
        return None
    bars = read.bars(context["timestamp"][0].date())
    bars = bars.filter(pl.col("timestamp") >= context["timestamp"][0])
    lead = bars.head(context.height)
    if not lead["timestamp"].equals(context["timestamp"]):
        return None
    held = context.select(
        "timestamp", *(pl.col(stored[one.name]).alias(one.held) for one in recursions)
    )
    frame = _computed(
        bars.join(held, on="timestamp", how="left", maintain_order="left"), wanted, context.height
    )
    return frame, Continued(standing, first)


def _context(
    read: _Read, standing: StoredBuild, first: date, columns: list[str]
) -> pl.DataFrame | None:
    """Stored rows just before a session, as many as its values depend on; None if all are too few."""
    memory, whole = engine.reach(read.wanted.features)
    end = sessions.midnight(first)
    days = max(whole, memory // _SESSION_BARS) + 3
    while standing.start is not None:
        start = sessions.midnight(first - timedelta(days=2 * days))
        rows = held_rows(read.lake, standing, ["session_date", *columns], start, end)
        rows = _from_whole_session(rows, memory, whole)
        if rows.height:
            return rows
        if start <= standing.start:
            return None
        days *= 2
    return None


def _from_whole_session(rows: pl.DataFrame, memory: int, whole: int) -> pl.DataFrame:
    """The newest whole sessions that hold enough rows; none if there are not enough.

    The first session of the rows may be cut off, so that it counts for nothing.
    """
    days = rows["session_date"].unique(maintain_order=True).to_list()[1:]
    for count in range(max(whole, 1), len(days) + 1):
        found = rows.filter(pl.col("session_date") >= days[-count])
        if found.height >= memory:
            return found
    return rows.head(0)


def _computed(bars: pl.DataFrame, wanted: FeatureSet, known: int = 0) -> pl.DataFrame:
    """What is stored of some bars: the keys, the set's columns, and what recursions go on from."""
    recursions = engine.recursions(wanted.features)
    hidden = [item for item in recursions if item.name not in wanted.columns]
    wide = engine.compute(bars.lazy(), [*wanted.features, *hidden], known)
    return (
        wide.slice(known)
        .select(
            *_KEYS,
            *wanted.columns,
            *(pl.col(item.name).alias(item.held) for item in hidden),
        )
        .collect()
    )


def _stored_name(feature: Feature, wanted: FeatureSet) -> str:
    return feature.name if feature.name in wanted.columns else feature.held


def _with_held(features: pl.DataFrame, wanted: FeatureSet) -> pl.DataFrame:
    """With empty columns for what recursions go on from: such a build is never gone on from."""
    missing: Iterable[str] = {
        _stored_name(item, wanted) for item in engine.recursions(wanted.features)
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
