"""Longer bars from sorted bars of one series, by the rules of :mod:`lake.timeframes`.

The same as the SQL of ``timeframes.resampled``, which the views use and which is its oracle in
tests. Rows are sorted, so bars are runs of rows: their edges are looked up and numpy reduces each
run, which takes a fraction of the time of grouping by a key.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from lake.arrays import Array, days_of, midnights_of
from lake.timeframes import WEEK, minutes_of

_MINUTE = 60_000_000
_BLOCK = 32_768
#: What is known of each run, by name: ``weighted`` is vwap times volume, over ``weight`` shares;
#: ``counted`` says how many bars tell their ``trades``.
Sums = dict[str, Array]
# How they are joined; the others are added up.
_JOINED: dict[str, np.ufunc] = {"high": np.maximum, "low": np.minimum, "flags": np.bitwise_or}
# Where DuckDB's time_bucket counts from on a day without a session: Monday, 2000-01-03.
_ORIGIN = 946_857_600_000_000
_UTC = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Calendar:
    """Sessions as arrays, in order: days since 1970 and moments in microseconds."""

    days: Array
    pre_open: Array
    opens: Array
    closes: Array

    @classmethod
    def of(cls, sessions: pl.DataFrame) -> "Calendar":
        """From the lake's table ``sessions``."""
        ordered = sessions.sort("session_date")
        arrays = [
            ordered[name].to_physical().to_numpy()
            for name in ("session_date", "pre_open", "open", "close")
        ]
        return cls(*arrays)


@dataclass(frozen=True)
class _Runs:
    """Runs of rows that become a bar each: where they start and end, and what they are called."""

    starts: Array
    ends: Array  # outside
    labels: Array  # when the bar opens, in microseconds
    days: Array  # its session, in days since 1970
    regular: Array


def resample(
    bars: pl.DataFrame, timeframe: str, calendar: Calendar, *, daily: bool = False
) -> pl.DataFrame:
    """Bars of a timeframe.

    Args:
        bars: ``needed_of`` what is wanted, of one series, sorted by timestamp; minutes, or daily bars of a
            provider (which open at midnight in New York) for a week.
        timeframe: One of ``lake.TIMEFRAMES``, longer than that of the bars.
        calendar: The lake's sessions.
        daily: They are daily bars.

    Returns:
        What the bars have, ``session_date`` and ``is_regular``. ``vwap`` is weighted by the volume of the
        bars that have one (null if none has), ``trade_count`` sums those that are known, ``flags``
        joins all flags.
    """
    bars = bars.rechunk()  # once, and not for each column that becomes an array
    times = bars["timestamp"].to_physical().to_numpy()
    minutes = minutes_of(timeframe)
    if minutes is not None:
        runs = _minute_runs(times, calendar, minutes * _MINUTE)
    elif daily:
        runs = _daily_runs(times)
    else:
        runs = _session_runs(times, calendar)
    sums = _sums(bars, runs)
    if timeframe == WEEK:
        runs = _weeks(runs, calendar)
        sums = _joined(sums, runs)
    return _bars(sums, runs)


def _minute_runs(times: Array, calendar: Calendar, width: int) -> _Runs:
    """Runs of the bars that count minutes, from an origin of their part of the day."""
    edges = _edges(times, calendar)
    cuts = np.append(np.searchsorted(times, edges.times), len(times))
    lengths = np.diff(cuts)
    held = lengths > 0
    lengths = lengths[held]
    part_starts = cuts[:-1][held]
    origins = edges.origins[held]
    starts = _bucket_starts(times, part_starts, origins, width)
    part = np.searchsorted(part_starts, starts, side="right") - 1
    since = origins[part]
    labels = since + (times[starts] - since) // width * width
    labels = np.maximum(labels, edges.earliest[held][part])
    return _Runs(
        starts,
        np.append(starts[1:], len(times)),
        labels,
        edges.days[held][part],
        edges.regular[held][part],
    )


def _bucket_starts(times: Array, part_starts: Array, origins: Array, width: int) -> Array:
    """The rows at which a bar of some width begins, counted anew in each part.

    Some rows after the other: what lies in a processor's cache costs a fraction.
    """
    new = np.empty(len(times), dtype=np.bool_)
    bounds = np.append(part_starts, len(times))
    before = -1  # the first row begins a part, and so a bar
    for first in range(0, len(times), _BLOCK):
        last = min(first + _BLOCK, len(times))
        low = np.searchsorted(part_starts, first, side="right") - 1
        high = np.searchsorted(part_starts, last, side="left")
        lengths = np.diff(np.clip(bounds[low : high + 1], first, last))
        buckets = (times[first:last] - np.repeat(origins[low:high], lengths)) // width
        new[first] = buckets[0] != before
        new[first + 1 : last] = buckets[1:] != buckets[:-1]
        before = buckets[-1]
    new[part_starts] = True
    return np.flatnonzero(new)


@dataclass(frozen=True)
class _Edges:
    """Where the parts of each day begin, in order, and from where their bars are counted."""

    times: Array
    origins: Array
    earliest: Array  # no label is before
    days: Array
    regular: Array


def _edges(times: Array, calendar: Calendar) -> _Edges:
    if not len(times):
        nothing = np.empty(0, dtype=np.int64)
        return _Edges(nothing, nothing, nothing, nothing, nothing.astype(np.bool_))
    span = days_of(times[[0, -1]])
    days = np.arange(span[0], span[1] + 1, dtype=np.int64)
    low, high = np.searchsorted(calendar.days, [days[0], days[-1] + 1])
    traded = calendar.days[low:high].astype(np.int64)
    pre, opens, closes = (
        array[low:high] for array in (calendar.pre_open, calendar.opens, calendar.closes)
    )
    midnights = midnights_of(days)
    origins = np.full(len(days), _ORIGIN)
    origins[traded - days[0]] = pre
    anything = np.iinfo(np.int64).min
    parts = [
        (midnights, origins, np.full(len(days), anything), days, False),
        (pre, opens, pre, traded, False),
        (opens, opens, opens, traded, True),
        (closes, closes, closes, traded, False),
    ]
    order = np.argsort(np.concatenate([part[0] for part in parts]), kind="stable")
    joined = [np.concatenate([part[index] for part in parts])[order] for index in range(4)]
    regular = np.concatenate([np.full(len(part[0]), part[4]) for part in parts])[order]
    return _Edges(joined[0], joined[1], joined[2], joined[3], regular)


def _session_runs(times: Array, calendar: Calendar) -> _Runs:
    """Runs of the regular hours of each session."""
    starts = np.searchsorted(times, calendar.opens)
    ends = np.searchsorted(times, calendar.closes)
    held = ends > starts
    runs = starts[held], ends[held], calendar.opens[held], calendar.days[held].astype(np.int64)
    return _Runs(*runs, np.ones(len(runs[0]), dtype=np.bool_))


def _daily_runs(times: Array) -> _Runs:
    """Each daily bar of a provider as a run of its own."""
    rows = np.arange(len(times))
    return _Runs(rows, rows + 1, times, days_of(times), np.ones(len(times), dtype=np.bool_))


def _weeks(runs: _Runs, calendar: Calendar) -> _Runs:
    """Runs of the sessions of each week; it is called after the week's first session."""
    monday = runs.days - (runs.days + 3) % 7
    starts = np.flatnonzero(np.diff(monday, prepend=monday[:1] - 7))
    first = np.searchsorted(calendar.days, monday[starts])
    return _Runs(
        starts,
        np.append(starts[1:], len(monday)),
        calendar.opens[first],
        calendar.days[first].astype(np.int64),
        runs.regular[starts],
    )


def _sums(bars: pl.DataFrame, runs: _Runs) -> Sums:
    held = bars.columns
    sums = {name: bars[name].to_numpy()[rows] for name, rows in _ends(runs) if name in held}
    for name in ("high", "low", "volume", "flags"):
        if name in held:
            sums[name] = _reduce(_JOINED.get(name, np.add), bars[name].to_numpy(), runs)
    if "trade_count" in held:
        trades, counted = _values(bars["trade_count"])
        sums["trades"] = _reduce(np.add, trades, runs)
        sums["counted"] = (
            runs.ends - runs.starts
            if counted is None
            else _reduce(np.add, counted.astype(np.int64), runs)
        )
    if "vwap" in held:
        volume = bars["volume"].to_numpy()
        vwap, weighs = _values(bars["vwap"])
        sums["weighted"] = _reduce(np.add, vwap * volume, runs)
        sums["weight"] = (
            sums["volume"] if weighs is None else _reduce(np.add, volume * weighs, runs)
        )
    return sums


def _joined(sums: Sums, runs: _Runs) -> Sums:
    """The sums of runs of runs."""
    ends = dict(_ends(runs))
    return {
        name: values[ends[name]]
        if name in ends
        else _reduce(_JOINED.get(name, np.add), values, runs)
        for name, values in sums.items()
    }


def _ends(runs: _Runs) -> tuple[tuple[str, Array], tuple[str, Array]]:
    """The rows that say how a run begins and how it ends."""
    return ("open", runs.starts), ("close", runs.ends[: len(runs.starts)] - 1)


def _bars(sums: Sums, runs: _Runs) -> pl.DataFrame:
    bars: dict[str, Array | pl.Series] = {
        "timestamp": pl.Series(runs.labels, dtype=pl.Int64).cast(_UTC),
        **{name: sums[name] for name in ("open", "high", "low", "close", "volume") if name in sums},
    }
    if "trades" in sums:
        bars["trade_count"] = _only(pl.Series(sums["trades"], dtype=pl.Int64), sums["counted"] > 0)
    if "weighted" in sums:
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = sums["weighted"] / sums["weight"]
        bars["vwap"] = _only(pl.Series(mean, dtype=pl.Float64), sums["weight"] != 0)
    if "flags" in sums:
        bars["flags"] = pl.Series(sums["flags"], dtype=pl.Int32)
    bars["session_date"] = pl.Series(runs.days.astype(np.int32)).cast(pl.Date)
    bars["is_regular"] = runs.regular
    return pl.DataFrame(bars)


def _reduce(operation: np.ufunc, values: Array, runs: _Runs) -> Array:
    """Reduce each run; rows between two runs are left out."""
    if not len(runs.starts):
        return values[:0]
    if np.array_equal(runs.starts[1:], runs.ends[:-1]):
        return np.asarray(operation.reduceat(values[: runs.ends[-1]], runs.starts))
    cuts = np.column_stack((runs.starts, runs.ends)).reshape(-1)[:-1]
    return np.asarray(operation.reduceat(values[: runs.ends[-1]], cuts)[::2])


def _values(column: pl.Series) -> tuple[Array, Array | None]:
    """The values with 0 for null, and where there is one; None if everywhere."""
    if not column.null_count():
        return column.to_numpy(), None
    return column.fill_null(0).to_numpy(), column.is_not_null().to_numpy()


def _only(values: pl.Series, known: Array) -> pl.Series:
    return values if known.all() else values.set(pl.Series(~known), None)
