"""The bars of a symbol as a feature set takes them, and what happened to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import polars as pl

from feature_service import engine
from feature_service.sets import FeatureSet
from lake import Lake
from lake.datasets import BARS_1M
from lake.errors import InvalidError, MissingError
from lake.features import changed_sessions
from lake.sessions import Moment

#: Beside the bars, what a build or a live row asks for; all of them are few rows or looked up by key.
_LEDGERS = ("sessions", "changes", "corporate_actions", "feature_builds")


class NoBarsInHoursError(MissingError):
    """A symbol has bars, but none in the hours a set is computed from."""

    def __init__(self, symbol: str, bars: int, feature_set: str) -> None:
        super().__init__(symbol, bars, feature_set)
        self.symbol, self.bars, self.feature_set = symbol, bars, feature_set

    def __str__(self) -> str:
        return (
            f"{self.symbol} has {self.bars:,} bars, but none in the regular hours of NYSE, from "
            f"which {self.feature_set} is computed. The set {self.feature_set}_all takes the bars of all hours."
        )


class TooFewBarsError(InvalidError):
    """A symbol has so few bars that every feature of a set would be null."""

    def __init__(self, symbol: str, bars: int, feature_set: str, needed: int) -> None:
        super().__init__(symbol, bars, feature_set, needed)
        self.symbol, self.bars, self.feature_set, self.needed = symbol, bars, feature_set, needed

    def __str__(self) -> str:
        return (
            f"{self.symbol} has {self.bars:,} bars for {self.feature_set}, whose first value needs "
            f"{self.needed:,}. Nothing was built; fetch more with `barlake ingest {self.symbol} --start DATE`."
        )


@dataclass(frozen=True)
class Reading:
    """The bars of one symbol as a snapshot has them."""

    lake: Lake
    symbol: str
    source: str
    wanted: FeatureSet
    snapshot: int | None = None
    as_of: Moment = None

    @contextmanager
    def at_once(self) -> Iterator[int]:
        """A block whose bars, changes and builds are of one snapshot, the newest, asked for at once.

        Yields:
            The number of that snapshot.
        """
        names = [self.symbol, *([self.wanted.context] if self.wanted.context else [])]
        tables: dict[str, list[str]] = dict.fromkeys(BARS_1M.tables, names)
        for ledger in _LEDGERS:
            tables[ledger] = []
        with self.lake.planner.ahead(tables) as plan:
            yield self.lake.snapshot() if plan is None else plan.snapshot

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

    def enough_bars(self) -> pl.DataFrame:
        """The whole history, if a feature has a value in it.

        Raises:
            NoBarsInHoursError: There are no bars in the hours of the set.
            TooFewBarsError: Every column would be null.
        """
        bars = self.all_bars()
        needed = 1 + min(feature.warm_up for feature in self.wanted.features)
        if bars.height < needed:
            raise TooFewBarsError(self.symbol, bars.height, self.wanted.name, needed)
        return bars

    def changed(self, after: int) -> tuple[date | None, set[str], int]:
        """What happened since a commit, up to the snapshot, to the symbol and to the one beside it.

        Returns:
            The first session that was touched, the kinds of changes and the newest commit; None,
            nothing and ``after`` if nothing did.
        """
        other = self.wanted.context
        found = [changed_sessions(self.lake, self.source, self.symbol, after, self.snapshot)]
        if other is not None:
            origin = self.lake.source_of(other)
            found.append(changed_sessions(self.lake, origin, other, after, self.snapshot))
        days = [day for day, _, _ in found if day is not None]
        kinds = {kind for _, some, _ in found for kind in some}
        return min(days, default=None), kinds, max(commit for _, _, commit in found)
