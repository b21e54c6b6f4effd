"""What earlier scans found and how often each hole was asked for: rows of ``gap_scans`` as arrays and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lake import absences, sessions
from lake.absences import ABSENT, CLASSES, Array, micros
from lake.presence import MINUTE, Days
from lake.schema import UTC_TIME

if TYPE_CHECKING:
    from lake.store import Lake

_KEY = ("dataset", "source", "symbol", "session_date")
_COUNTS = ("expected", "present", *CLASSES)
#: So many answers without it make a minute absent for good.
_CERTAIN = 2
_HOLE = {
    "start": UTC_TIME,
    "end": UTC_TIME,
    "class": pl.String(),
    "fetched": pl.Int64(),
    "asked": pl.Int64(),
    "asked_at": UTC_TIME,
}
HOLES = {"session_date": pl.Date(), **_HOLE}
_STORED = {
    **dict.fromkeys(_KEY[:3], pl.String()),
    "session_date": pl.Date(),
    **dict.fromkeys(_COUNTS, pl.Int64()),
    "holes": pl.List(pl.Struct(_HOLE)),
}


@dataclass(frozen=True)
class Memory:
    """What is known of each cell: its class then, complete answers, and when it was asked for again.

    Attributes:
        codes: As :func:`lake.absences.classify` gave them; 0 where there was no hole.
        fetched: Complete answers without it.
        asked: How often it was asked for again.
        asked_at: The last time it was asked for (microseconds since 1970), 0 for never.
    """

    codes: Array
    fetched: Array
    asked: Array
    asked_at: Array

    def asking(self, days: Days, answers: Mapping[date, bool], now: datetime) -> "Memory":
        """The same after some sessions were asked for again, whole.

        An answer counts if it came long enough after the one before, and the second is the last
        that does unless it was due: more of them say no more. An ask that came to nothing counts as
        asked, so that what a provider always refuses is not asked for ever.

        Args:
            days: The sessions of the rows.
            answers: The sessions, and whether the answer was complete.
            now: When.
        """
        asked = np.array([day in answers for day in days.dates], bool)[:, None]
        answered = np.array([answers.get(day, False) for day in days.dates], bool)[:, None]
        hole = asked & (self.codes >= ABSENT)
        apart = micros(now) - self.asked_at >= absences.APART // timedelta(microseconds=1)
        again = hole & absences.due(self.codes, self.asked, self.asked_at, now)
        news = hole & answered & apart & (self.fetched > 0) & (again | (self.fetched < _CERTAIN))
        return Memory(
            self.codes,
            self.fetched + news,
            self.asked + again,
            np.where(news | again, micros(now), self.asked_at),
        )


def load(
    lake: "Lake", dataset: str, source: str, symbols: Sequence[str], days: Days
) -> dict[str, pl.DataFrame]:
    """The newest scan of each session, by symbol, as ``gap_scans`` has it without ``recorded_at``."""
    columns = ", ".join(_STORED)
    with lake.reading() as connection:
        rows = connection.execute(
            f"""SELECT {columns} FROM gap_scans WHERE dataset = $dataset AND source = $source
                  AND symbol IN (SELECT unnest($symbols)) AND session_date BETWEEN $first AND $last
                QUALIFY recorded_at = max(recorded_at) OVER (PARTITION BY symbol, session_date)
                ORDER BY symbol, session_date""",
            {
                "dataset": dataset,
                "source": source,
                "symbols": [*symbols],
                "first": days.dates[0],
                "last": days.dates[-1],
            },
        ).pl()
    found = rows.cast(pl.Schema(_STORED)).partition_by("symbol", as_dict=True)
    empty = pl.DataFrame(schema=_STORED)
    return {symbol: found.get((symbol,), empty) for symbol in symbols}


def remembered(stored: pl.DataFrame, days: Days) -> Memory:
    """What stored rows of one series say of each cell."""
    shape = days.minutes.shape
    codes, fetched, asked, asked_at = (np.zeros(shape, np.int64) for _ in range(4))
    holes = stored.select(pl.col("holes").explode(empty_as_null=False)).unnest("holes")
    if holes.height:
        start, end = (holes[name].to_physical().to_numpy() for name in ("start", "end"))
        rows = np.searchsorted(days.opens, start, side="right") - 1
        width = shape[1]
        lengths = np.minimum((end - start) // MINUTE, width)
        first = rows * width + (start - days.opens[rows]) // MINUTE
        numbers = np.repeat(np.arange(len(first)), lengths)
        cells = first[numbers] + np.arange(len(numbers)) - (np.cumsum(lengths) - lengths)[numbers]
        known = pl.Series([*CLASSES])
        code = holes["class"].replace_strict(known, range(ABSENT, ABSENT + len(known)))
        for array, column in (
            (codes, code),
            (fetched, holes["fetched"]),
            (asked, holes["asked"]),
            (asked_at, holes["asked_at"].to_physical()),
        ):
            array.reshape(-1)[cells] = column.to_numpy()[numbers]
    return Memory(codes, fetched, asked, asked_at)


def holes_of(days: Days, codes: Array, memory: Memory) -> pl.DataFrame:
    """Runs of absent minutes that are alike in all: as ``HOLES``, a row a run, in order."""
    absent = codes >= ABSENT
    facts = (codes, memory.fetched, memory.asked, memory.asked_at)
    begins = absent.copy()
    same = np.ones((codes.shape[0], max(codes.shape[1] - 1, 0)), bool)
    for fact in facts:
        same &= fact[:, 1:] == fact[:, :-1]
    begins[:, 1:] &= ~(same & absent[:, :-1])
    rows, columns = np.nonzero(begins)
    lengths = np.bincount((np.cumsum(begins) - 1)[absent.reshape(-1)], minlength=len(rows))
    start = days.times[rows, columns]
    dates = pl.Series("session_date", [days.dates[row] for row in rows], pl.Date)
    if codes.shape[1] == 1:  # whole days
        nights = [sessions.midnight(day + timedelta(days=1)) for day in dates]
        end = pl.Series(nights, dtype=UTC_TIME)
    else:
        end = pl.Series(start + lengths * MINUTE).cast(UTC_TIME)
    names = [CLASSES[code - ABSENT] for code in codes[rows, columns]]
    return pl.DataFrame(
        {
            "session_date": dates,
            "start": pl.Series(start, dtype=pl.Int64).cast(UTC_TIME),
            "end": end,
            "class": pl.Series(names, dtype=pl.String),
            "fetched": pl.Series(memory.fetched[rows, columns], dtype=pl.Int64),
            "asked": pl.Series(memory.asked[rows, columns], dtype=pl.Int64),
            "asked_at": pl.Series(memory.asked_at[rows, columns], dtype=pl.Int64).cast(UTC_TIME),
        },
        schema=HOLES,
    )


def rows_of(key: tuple[str, str, str], counts: pl.DataFrame, holes: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``gap_scans`` (without ``recorded_at``) of one series.

    Args:
        key: Dataset, source and symbol.
        counts: ``session_date``, ``expected``, ``present`` and the classes.
        holes: As :func:`holes_of`.
    """
    listed = holes.group_by("session_date").agg(holes=pl.struct(*_HOLE))
    named = {name: pl.lit(value) for name, value in zip(_KEY, key, strict=False)}
    empty = pl.lit([], dtype=_STORED["holes"])
    return (
        counts.with_columns(**named)
        .join(listed, on="session_date", how="left", maintain_order="left")
        .with_columns(pl.col("holes").fill_null(empty))
        .select(*_STORED)
        .cast(pl.Schema(_STORED))
    )


def changed(rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """The rows that no stored one is equal to."""
    both = rows.join(stored, on=[*_KEY], how="left", suffix="_before", maintain_order="left")
    differs = [pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in (*_COUNTS, "holes")]
    return rows.filter(both.select(pl.any_horizontal(differs)).to_series())


def store(lake: "Lake", found: Iterable[pl.DataFrame]) -> int:
    """Append rows of ``gap_scans``, in one transaction; none make no snapshot.

    Returns:
        How many there were.

    Raises:
        GateBusyError: Another process held the commit gate too long. Nothing was written.
    """
    parts = [part for part in found if not part.is_empty()]
    if not parts:
        return 0
    rows = pl.concat(parts)
    columns = ", ".join(_STORED)
    with lake.writing() as transaction:
        transaction.connection.register("scanned", rows)
        transaction.connection.execute(
            f"INSERT INTO gap_scans ({columns}, recorded_at) SELECT {columns}, ? FROM scanned",
            [transaction.recorded_at],
        )
    return rows.height
