"""What a source's answer changes: fetched bars beside the stored ones they could touch."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from lake.checking import Checked
from lake.coverage import Covered, subtract
from lake.datasets import Dataset
from lake.ledgers import Ledgers
from lake.scanning import scan
from lake.schema import BAR_SCHEMA, BAR_VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lake.catalog import Catalog
    from lake.planning import DataFile, Planner

KEY = ["symbol", "timestamp"]
#: Of a bar in its table, without its source.
STORED = [*KEY, *BAR_VALUES, "flags", "recorded_at"]
_TIME = pl.Datetime("us", "UTC")
_SCHEMA = {**BAR_SCHEMA, "flags": pl.Int32(), "recorded_at": _TIME, "held_in": pl.String()}
_NONE = pl.DataFrame(schema=_SCHEMA)
_NONE_BEFORE = pl.DataFrame(schema={**_SCHEMA, "kind": pl.String()})


@dataclass(frozen=True)
class Difference:
    """What there is to do.

    Attributes:
        snapshot: Of DuckLake: it holds for as long as that is the newest; None if it cannot be told.
        new: Bars whose keys are free.
        corrected: Bars whose stored values differ.
        before: The stored values of what is corrected or withdrawn, with their ``kind`` and the
            table that holds them (``held_in``).
        unchanged: How many bars are stored as they are.
        bad: Impossible bars that are not in quarantine yet.
        uncovered: Intervals that the ledger does not hold wholly.
        unlisted: Symbols of new bars that the source is not known to have.
    """

    snapshot: int | None
    new: pl.DataFrame
    corrected: pl.DataFrame
    before: pl.DataFrame
    unchanged: int
    bad: pl.DataFrame
    uncovered: list[Covered] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)

    @property
    def withdrawn(self) -> pl.DataFrame:
        """Those of ``before`` that go for good."""
        before = self.before
        return before if before.is_empty() else before.filter(pl.col("kind") == "withdrawn")

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.uncovered and self.adds_only and self.new.is_empty()

    @property
    def adds_only(self) -> bool:
        """Whether nothing that is stored is touched, and nothing is impossible."""
        return self.before.is_empty() and self.bad.is_empty()


class Comparer:
    """Compares what one source answered with what a lake holds of it."""

    def __init__(self, catalog: "Catalog", planner: "Planner", dataset: Dataset) -> None:
        self._catalog, self._planner, self._dataset = catalog, planner, dataset
        self._ledgers = Ledgers(catalog, planner)

    def compare(
        self,
        checked: Checked,
        source: str,
        parts: "Sequence[Covered]",
        *,
        provisional: bool = False,
    ) -> Difference:
        """The difference that committing an answer would make now.

        Args:
            checked: The bars of the answer.
            source: Whose they are.
            parts: What it answered completely.
            provisional: Whether bars of a complete answer stay as they are.
        """
        symbols = sorted({*checked.good["symbol"].unique(), *(part.symbol for part in parts)})
        plan = self._planner.plan(self._dataset.tables, symbols)
        files = [
            (table, file)
            for table in self._dataset.tables
            for file in (plan.files[table] if plan else ())
            if file.may_be_of(source)
        ]
        span = _span(checked.good, parts)
        stored = (
            self._scanned(source, symbols, span)
            if plan is None
            else _stored(files, source, symbols, span)
        )
        difference = self._beside(
            checked, stored, source, parts, plan.snapshot if plan else None, _series(files)
        )
        return self._modest(difference, stored, source) if provisional else difference

    def _beside(
        self,
        checked: Checked,
        stored: pl.DataFrame,
        source: str,
        parts: "Sequence[Covered]",
        snapshot: int | None,
        held: set[str],
    ) -> Difference:
        good = checked.good
        if stored.is_empty():
            new, corrected, before, unchanged = good, good.clear(), _NONE_BEFORE, 0
        else:
            new, corrected, unchanged = _sorted_out(good, stored)
            gone = _inside(stored, parts).join(
                # A quarantined bar does not withdraw the good value we hold for its minute.
                pl.concat([good.select(KEY), checked.bad.select(KEY)]),
                on=KEY,
                how="anti",
            )
            was = stored.join(corrected.select(KEY), on=KEY, how="semi")
            before = pl.concat(
                [
                    was.with_columns(kind=pl.lit("corrected")),
                    gone.with_columns(kind=pl.lit("withdrawn")),
                ]
            )
        unsure = sorted({*new["symbol"].unique()} - held)
        return Difference(
            snapshot=snapshot,
            new=new,
            corrected=corrected,
            before=before,
            unchanged=unchanged,
            bad=self._new_bad(checked.bad, source),
            uncovered=self._uncovered(source, parts),
            unlisted=sorted({*unsure} - self._ledgers.listed(self._dataset.name, source, unsure)),
        )

    def _modest(self, difference: Difference, stored: pl.DataFrame, source: str) -> Difference:
        """The difference that a first word may make."""
        corrected = self._permitted(difference.corrected, stored, source)
        refused = difference.corrected.height - corrected.height
        before = difference.before.join(corrected, on=KEY, how="semi") if refused else None
        return replace(
            difference,
            corrected=corrected,
            before=difference.before if before is None else before,
            unchanged=difference.unchanged + refused,
        )

    def _permitted(
        self, corrected: pl.DataFrame, stored: pl.DataFrame, source: str
    ) -> pl.DataFrame:
        """Corrections by a first word: not of bars that a complete answer has brought.

        The ledger is read after the plan: a commit between the two is newer than the plan's
        snapshot, and then everything is compared anew.
        """
        if corrected.is_empty():
            return corrected
        ledger = self._ledgers.covered(self._dataset.name, source, [*corrected["symbol"].unique()])
        rows = [(symbol, *interval) for symbol, held in ledger.items() for interval in held]
        schema = pl.Schema({"symbol": pl.String(), "start": _TIME, "end": _TIME})
        spans = pl.DataFrame(rows, schema=schema, orient="row").sort("start")
        settled = stored.filter(pl.col("held_in") == self._dataset.name)
        beside = settled.select(KEY).sort("timestamp")
        covered = beside.join_asof(
            spans, left_on="timestamp", right_on="start", by="symbol", check_sortedness=False
        ).filter(pl.col("timestamp") < pl.col("end"))
        return corrected.join(covered, on=KEY, how="anti", maintain_order="left")

    def _scanned(
        self, source: str, symbols: "Sequence[str]", span: "tuple[datetime, datetime] | None"
    ) -> pl.DataFrame:
        """The same by DuckLake's scan, where the files alone do not hold the answer."""
        if span is None:
            return _NONE
        columns = ", ".join(STORED)
        union = " UNION ALL ".join(
            f"SELECT {columns}, '{table}' AS held_in FROM {table} WHERE source = $source"
            " AND list_contains($symbols, symbol) AND timestamp BETWEEN $low AND $high"
            for table in self._dataset.tables
        )
        with self._catalog.reading() as connection:
            values = {"source": source, "symbols": [*symbols], "low": span[0], "high": span[1]}
            return connection.execute(union, values).pl().cast(pl.Schema(_SCHEMA))

    def _new_bad(self, bad: pl.DataFrame, source: str) -> pl.DataFrame:
        """Those bad bars that are not in quarantine already, with the same values."""
        if bad.is_empty():
            return bad
        names = [*BAR_SCHEMA.names(), "rule"]
        with self._catalog.reading() as connection:
            known = connection.execute(
                f"SELECT {', '.join(names)} FROM quarantine WHERE dataset = ? AND source = ?",
                [self._dataset.name, source],
            ).pl()
        return bad.join(known.cast(pl.Schema(bad.schema)), on=names, how="anti", nulls_equal=True)

    def _uncovered(self, source: str, parts: "Sequence[Covered]") -> list[Covered]:
        if not parts:
            return []
        symbols = sorted({part.symbol for part in parts})
        ledger = self._ledgers.covered(self._dataset.name, source, symbols)
        return [part for part in parts if subtract((part.start, part.end), ledger[part.symbol])]


def _span(bars: pl.DataFrame, parts: "Sequence[Covered]") -> "tuple[datetime, datetime] | None":
    """The first and the last moment that the answer could touch."""
    times = bars["timestamp"]
    edges = [times.min(), times.max()] if bars.height else []
    edges += [edge for part in parts for edge in (part.start, part.end)]
    return (min(edges), max(edges)) if edges else None  # type: ignore[type-var, return-value]


def _series(files: "list[tuple[str, DataFile]]") -> set[str]:
    """Symbols that a file of their own says to be known."""
    return {file.symbols[0] for _, file in files if file.symbols and file.exact(file.symbols[0])}


def _stored(
    files: "list[tuple[str, DataFile]]",
    source: str,
    symbols: "Sequence[str]",
    span: "tuple[datetime, datetime] | None",
) -> pl.DataFrame:
    """The stored bars that the answer could touch; more of them do no harm."""
    found = [_NONE]
    if span is not None:
        mine = [
            pl.col("symbol").is_in([*symbols]),
            pl.col("source") == source,
            pl.col("timestamp") >= pl.lit(span[0]).cast(_TIME),
            pl.col("timestamp") <= pl.lit(span[1]).cast(_TIME),
        ]
        for table in dict.fromkeys(name for name, _ in files):
            held = [
                file
                for name, file in files
                if name == table
                and (file.last is None or file.last >= span[0])
                and (file.first is None or file.first <= span[1])
            ]
            if held:
                rows = scan(held, STORED, (None, None), mine)
                found.append(rows.with_columns(held_in=pl.lit(table)).collect())
    return pl.concat(found) if len(found) > 1 else _NONE


def _sorted_out(good: pl.DataFrame, stored: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """New bars, corrected ones, and how many are stored as they are."""
    beside = good.join(
        stored.select(*KEY, *BAR_VALUES, held=pl.lit(value=True)),
        on=KEY,
        how="left",
        suffix="_stored",
        maintain_order="left",
    )
    same = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(f"{name}_stored")) for name in BAR_VALUES
    )
    held = pl.col("held").is_not_null()
    new = beside.filter(~held).select(good.columns)
    corrected = beside.filter(held & ~same).select(good.columns)
    return new, corrected, good.height - new.height - corrected.height


def _inside(stored: pl.DataFrame, parts: "Sequence[Covered]") -> pl.DataFrame:
    inside = pl.lit(value=False)
    for part in parts:
        time = pl.col("timestamp")
        inside |= (pl.col("symbol") == part.symbol) & (time >= part.start) & (time < part.end)
    return stored.filter(inside)
