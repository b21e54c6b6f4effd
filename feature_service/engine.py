"""Computing features: from the bars of one symbol to a column for each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cache, lru_cache

import numpy as np
import polars as pl

from feature_service.inputs import BARS, CALENDAR, SESSION
from feature_service.registry import Feature
from feature_service.shared import Rows, Shared, columns_of, together
from lake import sessions

# Rows up to which one thread computes all columns of a level.
_FEW = 32_768


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
    chosen = tuple(wanted)
    given = bars.collect()
    own = given.columns
    names = [*own, *(feature.name for feature in chosen if feature.name not in own)]
    return computed(given, chosen, known).select(names).lazy()


def computed(bars: pl.DataFrame, wanted: Iterable[Feature], known: int = 0) -> pl.DataFrame:
    """As :func:`compute`, at once; with the parents and what else was added on the way."""
    chosen = tuple(wanted)
    # Level by level and not as one query: polars takes several times as long over a long chain of
    # Python's functions, whatever its optimiser is told.
    wide = _with_calendar(bars, chosen)
    starts = np.zeros(1, dtype=np.intp)
    for level, alone in _steps(chosen, known):
        # Threads that call Python wait for one another, which few rows do not repay.
        add = wide.with_columns if wide.height > _FEW else wide.with_columns_seq
        wide = add(*alone, *_shared(wide, level, starts))
    return wide


def compute_panel(
    bars: pl.DataFrame, wanted: Iterable[Feature], *, threads: int = 2, piece_rows: int = 65_536
) -> pl.DataFrame:
    """Add features to the bars of many symbols: to the bit what :func:`compute` gives for each.

    Features that share a pass over bars (``feature_service.shared``) take a piece of some symbols at a
    time, the others one symbol. The result is not copied together: it has a chunk for each piece.

    Args:
        bars: As for :func:`compute`, and ``symbol``; sorted by ``symbol`` and ``timestamp``.
        wanted: In the order of the columns to add.
        threads: Over which pieces are divided.
        piece_rows: About how many rows of whole symbols a piece has.

    Returns:
        The bars' columns and the wanted ones.
    """
    chosen = list(wanted)
    lengths = bars["symbol"].rle().struct.field("len").to_numpy()
    ends = np.cumsum(lengths)
    # The last symbol of each of the pieces.
    last = np.flatnonzero(np.diff(ends // piece_rows, append=-1))
    bounds = [(0, 0), *((int(ends[one]), int(one) + 1) for one in last)]

    def piece(number: int) -> pl.DataFrame:
        (first, symbol), (end, after) = bounds[number], bounds[number + 1]
        starts = np.cumsum([0, *lengths[symbol : after - 1]])
        return _stacked(bars.slice(first, end - first), chosen, starts)

    with ThreadPoolExecutor(threads) as pool:
        pieces = list(pool.map(piece, range(len(last))))
    return pl.concat(pieces or [_stacked(bars, chosen, np.zeros(1, dtype=np.intp))], rechunk=False)


def _stacked(bars: pl.DataFrame, wanted: Sequence[Feature], starts: Rows) -> pl.DataFrame:
    """Some symbols below one another."""
    own = bars.columns
    if alone := [feature for feature in wanted if feature.shared is None]:
        parts = bars.partition_by("symbol", maintain_order=True) or [bars]
        bars = pl.concat(compute(part.lazy(), alone).collect() for part in parts)
    wide = bars.with_columns(_shared(bars, wanted, starts))
    return wide.select(*own, *(one.name for one in wanted))


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


def _shared(bars: pl.DataFrame, wanted: Iterable[Feature], starts: Rows) -> Iterator[pl.Series]:
    """The columns of those features that are computed together with others."""
    names: dict[Shared, list[str]] = {}
    for feature in wanted:
        if feature.shared is not None:
            names.setdefault(feature.shared, []).append(feature.name)
    for some in together(names):
        found = columns_of(some, [bars[name] for name in some[0].columns], starts)
        yield from (values.alias(name) for one, values in found.items() for name in names[one])


@lru_cache(maxsize=64)
def _steps(wanted: tuple[Feature, ...], known: int) -> list[tuple[list[Feature], list[pl.Expr]]]:
    """The levels of features, and the expressions of those that are computed alone.

    Kept, for making them takes as long as computing a session.
    """
    return [
        (level, [feature.expression(known) for feature in level if feature.shared is None])
        for level in _levels(with_parents(wanted))
    ]


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


def _with_calendar(bars: pl.DataFrame, wanted: tuple[Feature, ...]) -> pl.DataFrame:
    day, read = pl.col("session_date"), _read(with_parents(wanted))
    if read.isdisjoint({SESSION, *CALENDAR}):
        return bars
    numbered = bars.with_columns(
        (day != day.shift(1)).fill_null(value=False).cum_sum().alias(SESSION)
    )
    if read.isdisjoint(CALENDAR):
        return numbered
    first, last = bars.select(low=day.min(), high=day.max()).row(0)
    known = _calendar(first.year, last.year) if first else _calendar(2000, 2000)
    return numbered.join(known, on="session_date", how="left", maintain_order="left")


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
