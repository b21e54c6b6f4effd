"""Going on from stored features: the rows before a session, and what recursions had come to in them."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from feature_service import engine
from feature_service.reading import Reading
from feature_service.registry import Feature
from feature_service.sets import FeatureSet
from lake import sessions
from lake.features import StoredBuild, held_rows

_KEYS = ("timestamp", "session_date")
#: Timeframes whose bars span several sessions: a session that is added changes one that is there.
_SPANNING = ("1week",)
#: Bars that a regular session has at least, for a first guess at how far back to look.
_SESSION_BARS = 200


@dataclass(frozen=True)
class Lead:
    """Bars to compute, the first of which are there for those that follow.

    Attributes:
        bars: With the columns ``Feature.held``, which have values in the first rows.
        known: How many rows those are.
    """

    bars: pl.DataFrame
    known: int


def lead(read: Reading, standing: StoredBuild, first: date, kinds: set[str]) -> Lead | None:
    """The bars from a session on, with as many before as their values depend on.

    Args:
        read: Whose bars.
        standing: The build whose rows before the session are right.
        first: The session.
        kinds: Of changes since that build.

    Returns:
        None if only the whole history will do.
    """
    wanted = read.wanted
    moved = "actions" in kinds and wanted.adjust != "raw"
    if moved or not standing.goes_on or wanted.timeframe in _SPANNING or standing.start is None:
        return None
    recursions = engine.recursions(wanted.features)
    stored = {item.name: stored_name(item, wanted) for item in recursions}
    context = _context(read, standing, first, [*stored.values()])
    if context is None:
        return None
    seeded = [stored[item.name] for item in recursions if item.always_held]
    if any(context[-1, name] is None for name in seeded):
        return None
    bars = read.bars(context["timestamp"][0].date())
    bars = bars.filter(pl.col("timestamp") >= context["timestamp"][0])
    if not bars["timestamp"].head(context.height).equals(context["timestamp"]):
        return None
    held = context.select(
        "timestamp", *(pl.col(stored[one.name]).alias(one.held) for one in recursions)
    )
    return Lead(bars.join(held, on="timestamp", how="left", maintain_order="left"), context.height)


def computed(bars: pl.DataFrame, wanted: FeatureSet, known: int = 0) -> pl.DataFrame:
    """What is stored of some bars: the keys, the set's columns, and what recursions go on from.

    Args:
        bars: As ``feature_service.engine.compute`` takes them.
        wanted: The feature set.
        known: Rows at the beginning that are there for those that follow and are left out.
    """
    recursions = engine.recursions(wanted.features)
    hidden = [item for item in recursions if item.name not in wanted.columns]
    wide = engine.computed(bars, [*wanted.features, *hidden], known).slice(known)
    held = [wide[item.name].alias(item.held) for item in hidden]
    return pl.DataFrame([*wide[[*_KEYS, *wanted.columns]], *held])


def stored_name(feature: Feature, wanted: FeatureSet) -> str:
    """Under which name the values of a recursion are stored."""
    return feature.name if feature.name in wanted.columns else feature.held


def _context(
    read: Reading, standing: StoredBuild, first: date, columns: list[str]
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
