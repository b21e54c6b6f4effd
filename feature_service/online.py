"""The newest row of a set, for live use: what a build would store last, to the bit, in milliseconds.

The same functions run on the same bars: some earlier sessions, with what recursions had come to in
them, and the newest one, which is computed anew each time, for its bars may still be corrected.
"""

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from feature_service import engine
from feature_service.choosing import choose
from feature_service.continuing import Lead, computed, lead, stored_name
from feature_service.reading import Reading
from feature_service.sets import FeatureSet
from lake import Lake
from lake.features import latest_build
from lake.schema import check_symbol


@dataclass
class _Held:
    """What is remembered of one series between two questions."""

    commit: int
    row: pl.DataFrame
    lead: Lead | None
    session: date


class Online:
    """Newest rows of one set; not for several threads at once.

    Args:
        lk: The lake.
        set_name: The feature set, or its name, with its form.
    """

    def __init__(self, lk: Lake, set_name: str | FeatureSet = "core") -> None:
        self._lake = lk
        self._wanted = (
            set_name if isinstance(set_name, FeatureSet) else choose(self._lake, set_name)
        )
        self._held: dict[tuple[str, str], _Held] = {}
        self._sources: dict[str, str] = {}

    def latest(self, symbol: str, source: str | None = None) -> pl.DataFrame:
        """The features of a symbol's newest bar.

        The first question for a symbol reads what is stored, or computes the whole history where
        nothing is; later ones read the newest session.

        Args:
            symbol: A ticker, in any case.
            source: Provider and feed; None for the one ``bars`` shows.

        Returns:
            One row: ``symbol``, ``timestamp`` (the bar's opening, UTC), ``session_date`` and the
            columns of the set.

        Raises:
            BarsMissingError: The lake has no bars of the symbol.
            NoBarsInHoursError: It has none in the hours of the set.
        """
        ticker = check_symbol(symbol)
        origin = source or self._sources.get(ticker) or self._lake.source_of(ticker)
        if source is None:  # the one that is shown stays with a model that has begun to follow it
            self._sources[ticker] = origin
        read = Reading(self._lake, ticker, origin, self._wanted)
        with read.at_once():
            return self._latest(read).row

    def _latest(self, read: Reading) -> _Held:
        key = read.symbol, read.source
        held = self._held.get(key)
        first, kinds, commit = read.changed(-1 if held is None else held.commit)
        if held is not None and first is None:
            return held
        went_on = None
        if (
            held is not None
            and held.lead is not None
            and first is not None
            and "actions" not in kinds
        ):
            went_on = self._went_on(read, held, first, commit)
        found = went_on or self._begun(read, commit)
        self._held[key] = found
        return found

    def _went_on(self, read: Reading, held: _Held, first: date, commit: int) -> _Held | None:
        """From what is remembered, if nothing before the newest session changed."""
        if held.lead is None or first < held.session:
            return None
        before = held.lead.bars.head(held.lead.known)
        # Splits change nothing of the newest session: what they do to it came with its bars.
        raw = replace(read, wanted=replace(self._wanted, adjust="raw"))
        bars = raw.bars(held.session)
        if bars.is_empty() or bars["session_date"][-1] != held.session:
            return None  # a session is over: its rows are the next one's
        joined = pl.concat([before, bars], how="diagonal")
        frame = computed(joined, self._wanted, held.lead.known)
        return _Held(commit, self._row(read, frame), Lead(joined, held.lead.known), held.session)

    def _begun(self, read: Reading, commit: int) -> _Held:
        """From the newest build, or from the beginning of the history."""
        wanted = self._wanted
        standing = latest_build(self._lake, wanted.name, wanted.version, read.source, read.symbol)
        session: date = self._newest(read)
        if standing is not None:
            first, kinds, _ = read.changed(standing.changes_commit)
            found = lead(read, standing, min(first or session, session), kinds)
            if found is not None:
                return self._remembered(read, found, session, commit)
        return self._remembered(read, Lead(read.all_bars(), 0), session, commit)

    def _remembered(self, read: Reading, found: Lead, session: date, commit: int) -> _Held:
        """Computed; the sessions before the newest become what is known."""
        frame = computed(found.bars, self._wanted, found.known)
        row = self._row(read, frame)
        recursions = engine.recursions(self._wanted.features)
        names = {item.held: stored_name(item, self._wanted) for item in recursions}
        values = frame.select(
            "timestamp", *(pl.col(own).alias(name) for name, own in names.items())
        )
        bars = found.bars.join(
            values, on="timestamp", how="left", suffix=":new", maintain_order="left"
        )
        whole = bars.with_columns(
            pl.coalesce(f"{name}:new", name).alias(name)
            for name in names
            if f"{name}:new" in bars.columns
        ).select(*dict.fromkeys([*found.bars.columns, *names]))
        earlier = whole.filter(pl.col("session_date") < session)
        memory, sessions = engine.reach(self._wanted.features)
        kept = _newest_sessions(earlier, memory, sessions)
        seeded = [item.held for item in recursions if item.always_held]
        if kept is None or any(kept[-1, name] is None for name in seeded):
            return _Held(commit, row, None, session)
        return _Held(commit, row, Lead(kept, kept.height), session)

    def _newest(self, read: Reading) -> date:
        bars = self._lake.bars(
            read.symbol,
            source=read.source,
            timeframe=self._wanted.timeframe,
            columns=["timestamp", "session_date"],
            regular_only=self._wanted.hours == "regular",
            limit=1,
        )
        if bars.is_empty():
            read.all_bars()  # which says so
        newest: date = bars["session_date"][-1]
        return newest

    def _row(self, read: Reading, frame: pl.DataFrame) -> pl.DataFrame:
        keys = ("symbol", "timestamp", "session_date")
        symbol = pl.Series("symbol", [read.symbol])
        return frame.tail(1).insert_column(0, symbol)[[*keys, *self._wanted.columns]]


def _newest_sessions(rows: pl.DataFrame, memory: int, sessions: int) -> pl.DataFrame | None:
    """As many of the newest whole sessions as the next row depends on; None if there are too few."""
    days = rows["session_date"].unique(maintain_order=True).to_list()
    for count in range(max(sessions, 1), len(days) + 1):
        found = rows.filter(pl.col("session_date") >= days[-count])
        if found.height >= memory:
            return found
    return None
