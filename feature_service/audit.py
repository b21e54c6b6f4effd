"""Looking stored features over: are they what their definitions give, and did they know the future?

At some moments the history is cut off, as it was for somebody who lived then, and computed from its
beginning; the rows up to the cut must have the bits that are stored.
"""

import random
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from feature_service.build import compute_set, read_bars
from feature_service.choosing import choose
from feature_service.sets import FeatureSet
from lake import Lake
from lake.features import (
    FeaturesMissingError,
    StoredBuild,
    content_hash,
    latest_build,
    note_audit,
    read_features,
)
from lake.pins import SnapshotMissingError
from lake.schema import check_symbol

#: Moments at which the history is cut, and rows before each that are compared.
CUTS, ROWS = 5, 2_000
_KEYS = ("timestamp", "session_date")


@dataclass(frozen=True)
class Verdict:
    """What an audit found.

    Attributes:
        build_id: What was looked over.
        clean: Nothing differs, and what is stored has the hash that was noted.
        intact: What is stored has the hash that was noted.
        cuts: The last bars before the future was cut off (UTC).
        rows: How many were compared, at all cuts together.
        differing: By column: how many rows differ, and the first of them.
        bars_as_stored: The bars were read as they were for the build; else its snapshot has expired, and
            bars corrected since may be why something differs.
    """

    build_id: str
    symbol: str
    feature_set: str
    set_version: str
    clean: bool
    intact: bool
    cuts: tuple[datetime, ...]
    rows: int
    differing: dict[str, dict[str, Any]]
    bars_as_stored: bool

    @property
    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        facts = asdict(self)
        facts["cuts"] = [cut.isoformat() for cut in self.cuts]
        return facts


def audit(
    lk: Lake,
    symbol: str,
    set_name: str | FeatureSet = "core",
    source: str | None = None,
    cuts: int = CUTS,
) -> Verdict:
    """Compare what is stored of a set with what its definitions give for a history cut off at some moments.

    The verdict goes into the build's metadata (``feature_builds.params``, under ``audit``).

    Args:
        lk: The lake.
        symbol: A ticker, in any case.
        set_name: The feature set, or its name, with its form.
        source: Provider and feed; None for the one ``bars`` shows.
        cuts: At how many moments; the end of the history is one of them. Which the others are
            follows from what is stored, so that a repeated audit is the same.

    Raises:
        FeaturesMissingError: The set, as it is defined now, was not built for the symbol.
        GateBusyError: Another process held the commit gate too long; the verdict was not written.
    """
    wanted = set_name if isinstance(set_name, FeatureSet) else choose(lk, set_name)
    ticker = check_symbol(symbol)
    origin = lk.source_of(ticker, source)
    build = latest_build(lk, wanted.name, wanted.version, origin, ticker)
    if build is None:
        raise FeaturesMissingError(ticker, wanted.name, source)
    stored = read_features(lk, ticker, wanted.name, source=origin, set_version=wanted.version).drop(
        "symbol"
    )
    bars, as_stored = _bars(lk, build, wanted)
    ends = _ends(bars.height, cuts, build.content_hash)
    differing: dict[str, dict[str, Any]] = {}
    compared = 0
    for end in ends:
        expected = compute_set(bars.head(end), wanted).tail(ROWS)
        compared += expected.height
        _compare(expected, stored, wanted.columns, differing)
    intact = content_hash(stored) == build.content_hash
    verdict = Verdict(
        build_id=build.build_id,
        symbol=ticker,
        feature_set=wanted.name,
        set_version=wanted.version,
        clean=intact and not differing and stored.height == bars.height,
        intact=intact,
        cuts=tuple(bars["timestamp"][end - 1] for end in ends),
        rows=compared,
        differing=differing,
        bars_as_stored=as_stored,
    )
    note_audit(lk, build.build_id, verdict.facts)
    return verdict


def _bars(lk: Lake, build: StoredBuild, wanted: FeatureSet) -> tuple[pl.DataFrame, bool]:
    """The bars a build was made from, and whether they are as they were then."""
    try:
        return read_bars(lk, build.symbol, wanted, build.source, snapshot=build.snapshot), True
    except SnapshotMissingError:
        return read_bars(lk, build.symbol, wanted, build.source), False


def _ends(rows: int, cuts: int, seed: str) -> list[int]:
    """How many rows each cut leaves."""
    chance = random.Random(seed)  # noqa: S311 - which rows are looked at is no secret
    return sorted({rows, *(chance.randint(1, rows) for _ in range(cuts - 1))})


def _compare(
    expected: pl.DataFrame,
    stored: pl.DataFrame,
    columns: tuple[str, ...],
    differing: dict[str, dict[str, Any]],
) -> None:
    both = expected.join(
        stored, on="timestamp", how="left", suffix=":stored", maintain_order="left"
    )
    for name in columns:
        rows = both.filter(pl.col(name).ne_missing(pl.col(f"{name}:stored")))
        if rows.height:
            first = rows["timestamp"][0].isoformat()
            known = differing.setdefault(name, {"rows": 0, "first": first})
            known["rows"] += rows.height
