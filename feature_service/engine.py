"""Computing features: from the bars of one symbol to a column for each."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache

import polars as pl

from feature_service.inputs import BARS, CALENDAR, SESSION
from feature_service.registry import Feature
from lake import sessions


def compute(bars: pl.LazyFrame, wanted: Iterable[Feature], known: int = 0) -> pl.LazyFrame:
    """Add features to the bars of one symbol: same rows, same order, one column each.

    Args:
        bars: ``inputs.BARS`` at least, and ``inputs.CONTEXT`` where a feature needs it; one symbol,
            sorted by ``timestamp`` (UTC, unique), no nulls but in ``vwap`` and ``trade_count``.
        wanted: In the order of the columns to add; parents they need are computed and dropped.
        known: Rows at the beginning that are there only for what follows them: their columns
            ``Feature.held`` have the values of recursions, and those of other features are right
            from there on if :func:`reach` lies before. 0 for a history from its beginning.

    Returns:
        The bars' columns and the wanted ones, all Float64. Null in a feature's warm-up and where
        its null rule says; never NaN or infinite for finite, positive prices.
    """
    chosen = list(wanted)
    names, needed = [feature.name for feature in chosen], with_parents(chosen)
    own = bars.collect_schema().names()
    # Level by level and not as one query: polars takes several times as long over a long chain of
    # Python's functions, whatever its optimiser is told.
    wide = _with_calendar(bars, needed).collect()
    for level in _levels(needed):
        wide = wide.with_columns(feature.expression(known) for feature in level)
    return wide.lazy().select(*own, *(name for name in names if name not in own))


def with_parents(wanted: Iterable[Feature]) -> dict[str, Feature]:
    """Features by their names, and all that they are computed from."""
    found, waiting = dict[str, Feature](), list(wanted)
    while waiting:
        feature = waiting.pop()
        found[feature.name] = feature
        waiting.extend(one for one in feature.ancestors if one.name not in found)
    return found


def recursions(wanted: Iterable[Feature]) -> list[Feature]:
    """Those of the wanted features and their parents that go on from their own newest value."""
    needed = with_parents(wanted)
    return sorted(
        (feature for feature in needed.values() if feature.is_recursive),
        key=lambda feature: feature.name,
    )


def reach(wanted: Iterable[Feature]) -> tuple[int, int]:
    """How many bars, and how many whole sessions, before a row its values depend on."""
    needed = with_parents(wanted).values()
    return (
        max((feature.memory for feature in needed), default=0),
        max((feature.sessions for feature in needed), default=0),
    )


def inputs(wanted: Iterable[Feature]) -> tuple[str, ...]:
    """The columns of bars that some features read, the keys among them."""
    read = _read(with_parents(wanted))
    return tuple(name for name in BARS if name in read or name in BARS[:2])


def _read(needed: Mapping[str, Feature]) -> set[str]:
    return {name for feature in needed.values() for name in feature.inputs}


def _levels(needed: Mapping[str, Feature]) -> Iterator[list[Feature]]:
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


def _with_calendar(bars: pl.LazyFrame, needed: Mapping[str, Feature]) -> pl.LazyFrame:
    day = pl.col("session_date")
    numbered = bars.with_columns(
        (day != day.shift(1)).fill_null(value=False).cum_sum().alias(SESSION)
    )
    if _read(needed).isdisjoint(CALENDAR):
        return numbered
    first, last = bars.select(low=day.min(), high=day.max()).collect().row(0)
    known = _calendar(first.year, last.year) if first else _calendar(2000, 2000)
    return numbered.join(known.lazy(), on="session_date", how="left", maintain_order="left")


@cache
def _calendar(first: int, last: int) -> pl.DataFrame:
    """The sessions of some years, and of those beside them."""
    known = sessions.schedule(date(first - 1, 1, 1), date(last + 1, 12, 31))
    return known.select(
        "session_date",
        pl.col("open").alias("session_open"),
        pl.col("close").alias("session_close"),
        pl.col("session_date").shift(1).alias("previous_session"),
        pl.col("session_date").shift(-1).alias("next_session"),
    )
