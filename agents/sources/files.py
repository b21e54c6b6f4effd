"""Bars from files: Parquet or CSV of anyone's making, read batch by batch as ``BAR_SCHEMA``.

Columns are known by their usual names or by a mapping. A time is a time with its zone, a time
without one (whose zone must be said), or seconds since 1970 in any usual unit.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from agents.sources import Abilities
from lake.errors import ProblemError
from lake.schema import BAR_SCHEMA, check_symbol

#: What files can do: anything that they hold, at once, and nothing by itself.
ABILITIES = Abilities(datasets=("bars_1m", "bars_daily"), asset_classes=(), page_bars=200_000)

#: Rows that are in memory at once.
BATCH = ABILITIES.page_bars

#: How others call our columns, in small letters without spaces, hyphens and underscores.
ALIASES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "sym"),
    "timestamp": ("timestamp", "t", "time", "datetime", "date", "ts", "windowstart", "opentime"),
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice"),
    "volume": ("volume", "v", "vol"),
    "trade_count": ("tradecount", "n", "trades", "transactions", "numberoftrades"),
    "vwap": ("vwap", "vw", "wap"),
}
_OPTIONAL = ("trade_count", "vwap")
UNITS: dict[str, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NUMBER = r"^\d{9,19}(\.\d+)?$"
_OFFSET = r"[+-]\d\d:?\d\d$"
_DATE = r"^\d{4}-\d\d-\d\d$"
_AWARE = ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z")
_NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
_SHOWN = 20


class FileBarsError(ProblemError):
    """A file that cannot be taken as bars. Nothing of it was committed."""


@dataclass(frozen=True)
class Form:
    """What a file does not say by itself.

    Attributes:
        columns: Their name of a column to ours, where it is none of the usual ones.
        symbol: Of all bars, for files without such a column.
        zone: Of times that do not say theirs.
        unit: Of numeric times (``s ms us ns``); None: by their size.
        daily: A bar is a day: a date alone is its midnight in New York.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    symbol: str | None = None
    zone: str | None = None
    unit: str | None = None
    daily: bool = False

    def __post_init__(self) -> None:
        if unknown := [ours for ours in self.columns.values() if ours not in BAR_SCHEMA]:
            problem = (
                f"There is no column {', '.join(unknown)} of ours. Map to {', '.join(BAR_SCHEMA)}."
            )
            raise FileBarsError(problem)
        if self.unit is not None and self.unit not in UNITS:
            raise FileBarsError(f"{self.unit[:20]!r} is no unit. Use one of {', '.join(UNITS)}.")
        try:
            ZoneInfo(self.zone or "UTC")
        except (KeyError, ValueError, OSError):
            problem = f"{(self.zone or '')[:40]!r} is no time zone. Use a name like America/New_York or UTC."
            raise FileBarsError(problem) from None
        if self.symbol is not None:
            check_symbol(self.symbol)


def batches(file: Path, form: Form, *, rows: int = BATCH) -> Iterator[pl.DataFrame]:
    """The bars of a file in its order, as ``BAR_SCHEMA``, good or not.

    A number that cannot be read is null: such a bar is quarantined later. Whatever makes it
    doubtful which bar a row is, refuses the file.

    Raises:
        FileBarsError: Unreadable, a column is missing or is there twice, or a time cannot be told.
        SymbolError: A symbol is no ticker.
    """
    try:
        lazy = _scan(file)
        found = lazy.collect_schema().names()
        names = _names(file, found, form)
        wanted = lazy.select(pl.col(theirs).alias(ours) for ours, theirs in names.items())
        unit = form.unit
        for batch in wanted.collect_batches(chunk_size=rows, maintain_order=True):
            for part in batch.iter_slices(rows):
                unit = unit or _unit(part["timestamp"])
                yield _normal(file, part, form, unit)
    except (OSError, pl.exceptions.PolarsError, UnicodeDecodeError, csv.Error) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise FileBarsError(
            f"The file {file} cannot be read as Parquet or CSV ({reason})."
        ) from error


def ignored(file: Path, form: Form) -> list[str]:
    """The columns of a file that no column of ours is taken from.

    Raises:
        FileBarsError: As :func:`batches`.
    """
    try:
        found = _scan(file).collect_schema().names()
    except (OSError, pl.exceptions.PolarsError, UnicodeDecodeError, csv.Error) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise FileBarsError(
            f"The file {file} cannot be read as Parquet or CSV ({reason})."
        ) from error
    taken = set(_names(file, found, form).values())
    return [name for name in found if name not in taken]


def _scan(file: Path) -> pl.LazyFrame:
    with file.open("rb") as opened:
        head = opened.read(1 << 16)
    if not head:
        raise FileBarsError(f"The file {file} is empty.")
    if head.startswith(b"PAR1"):
        return pl.scan_parquet(file, hive_partitioning=False)
    if b"\0" in head:
        raise FileBarsError(f"The file {file} is neither Parquet nor CSV.")
    header = head.decode("utf-8-sig").partition("\n")[0]
    separator = max(",;\t|", key=header.count)
    return pl.scan_csv(file, separator=separator, infer_schema=False)


def _names(file: Path, found: list[str], form: Form) -> dict[str, str]:
    """Our columns to theirs.

    An explicit mapping comes first, then our own name, then a usual one.
    """
    if unknown := [theirs for theirs in form.columns if theirs not in found]:
        problem = f"{file} has no column {', '.join(unknown)}; it has {_list(found)}."
        raise FileBarsError(problem)
    names = {ours: theirs for theirs, ours in form.columns.items()}
    free = [name for name in found if name not in form.columns]
    for ours, aliases in ALIASES.items():
        if ours in names:
            continue
        usual = [name for name in free if re.sub(r"[ _-]", "", name.strip().lower()) in aliases]
        exact = [name for name in usual if name == ours]
        if len(usual) > 1 and not exact:
            problem = f"{file} has several columns that could be {ours}: {_list(usual)}. Say which: --map {usual[0]}={ours}."
            raise FileBarsError(problem)
        if usual:
            names[ours] = (exact or usual)[0]
    _check_names(file, found, form, names)
    return names


def _check_names(file: Path, found: list[str], form: Form, names: dict[str, str]) -> None:
    if form.symbol is not None and "symbol" in names:
        problem = f"{file} has symbols of its own, in column {names['symbol']}. Leave out --symbol."
        raise FileBarsError(problem)
    needed = [name for name in BAR_SCHEMA if name not in _OPTIONAL]
    missing = [name for name in needed if name not in names]
    if missing == ["symbol"]:
        if form.symbol is None:
            problem = f"{file} has no column of symbols; it has {_list(found)}. Say --symbol SPY, or --map theirs=symbol."
            raise FileBarsError(problem)
        return
    if missing := [name for name in missing if name != "symbol"]:
        problem = (
            f"{file} lacks {', '.join(missing)}; its columns are {_list(found)}. "
            f"Name them like --map {found[0]}={missing[0]}."
        )
        raise FileBarsError(problem)


def _list(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _normal(file: Path, batch: pl.DataFrame, form: Form, unit: str | None) -> pl.DataFrame:
    times = _times(file, batch["timestamp"], form, unit)
    if form.symbol is not None:
        symbols = pl.Series("symbol", [check_symbol(form.symbol)]).new_from_index(0, batch.height)
    else:
        symbols = _symbols(file, batch["symbol"])
    numbers = {
        name: (batch[name] if name in batch.columns else pl.Series(name, [None] * batch.height))
        for name in BAR_SCHEMA
        if name not in {"symbol", "timestamp"}
    }
    found = pl.DataFrame([symbols.alias("symbol"), times.alias("timestamp"), *(
        _number(column, name) for name, column in numbers.items()
    )])  # fmt: skip
    return found.select(BAR_SCHEMA.names()).cast(BAR_SCHEMA)


def _number(column: pl.Series, name: str) -> pl.Series:
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    number = column.cast(pl.Float64, strict=False)
    if name == "trade_count":  # a count that is none, like 2.5, is no count
        number = (
            number.to_frame().select(pl.when(number == number.round()).then(number)).to_series()
        )
        return number.cast(pl.Int64, strict=False).alias(name)
    return number.alias(name)


def _symbols(file: Path, column: pl.Series) -> pl.Series:
    names = column.cast(pl.String).str.strip_chars()
    if names.null_count() or (names == "").any():
        raise FileBarsError(f"{file} has a bar without a symbol.")
    return names.replace_strict({name: check_symbol(name) for name in names.unique()})


def _unit(times: pl.Series) -> str | None:
    """The unit of numeric times by their size: none of the four can be another's since 1973."""
    numbers = _numeric(times)
    if numbers is None:
        return None
    most = numbers.max()
    size = float(most) if isinstance(most, int | float) else 0.0
    return next((unit for unit, ones in UNITS.items() if size < 10**11 * ones), "ns")


def _numeric(times: pl.Series) -> pl.Series | None:
    """Times that are numbers, as such; None for others."""
    if times.dtype.is_numeric():
        return times
    if times.dtype != pl.String:
        return None
    text = times.str.strip_chars()
    if not text.is_empty() and text.str.contains(_NUMBER).fill_null(value=False).all():
        whole = not text.str.contains(".", literal=True).any()
        return text.cast(pl.Int64 if whole else pl.Float64)
    return None


def _times(file: Path, column: pl.Series, form: Form, unit: str | None) -> pl.Series:
    """Openings of bars in UTC; each time is told for sure, or the file is refused."""
    numbers = _numeric(column)
    if numbers is not None:
        found = _since_1970(numbers, unit or "s")
    elif column.dtype == pl.Date:
        found = _dates(file, column, form)
    elif isinstance(column.dtype, pl.Datetime):
        zoned = column.dtype.time_zone is not None
        exact = column.cast(pl.Datetime("us", column.dtype.time_zone))
        found = exact.dt.convert_time_zone("UTC") if zoned else _placed(file, exact, form)
    elif column.dtype == pl.String:
        found = _parsed(file, column, form)
    else:
        raise FileBarsError(f"The times of {file} are of type {column.dtype}, which is no time.")
    if found.null_count():
        where = found.is_null().arg_true()[0]
        raise FileBarsError(
            f"{column[where]!r} in {file} is no time. Write it like 2024-05-01T13:30:00Z."
        )
    years = found.dt.year()
    if not years.is_between(1950, 2200).all():
        where = (~years.is_between(1950, 2200)).arg_true()[0]
        problem = f"{column[where]!r} in {file} would be in the year {years[where]}. Say the unit of its times with --unit."
        raise FileBarsError(problem)
    if numbers is not None and (years < 1971).any():  # noqa: PLR2004
        problem = f"The times of {file} would be in 1970. Say their unit with --unit, or write them like 2024-05-01T13:30:00Z."
        raise FileBarsError(problem)
    return found


def _since_1970(numbers: pl.Series, unit: str) -> pl.Series:
    if numbers.dtype.is_float():
        exact = (numbers * (10**6 / UNITS[unit])).round().cast(pl.Int64, strict=False)
    elif unit == "ns":
        exact = numbers.cast(pl.Int64) // 1000
    else:
        exact = numbers.cast(pl.Int64) * (10**6 // UNITS[unit])
    return exact.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _dates(file: Path, dates: pl.Series, form: Form) -> pl.Series:
    if not form.daily:
        problem = (
            f"The times of {file} are dates alone. Days are imported with --dataset bars_daily."
        )
        raise FileBarsError(problem)
    return dates.cast(pl.Datetime("us")).dt.replace_time_zone("America/New_York").dt.convert_time_zone("UTC")  # fmt: skip


def _parsed(file: Path, column: pl.Series, form: Form) -> pl.Series:
    text = column.str.strip_chars()
    if text.str.contains(_DATE).fill_null(value=False).all():
        return _dates(file, text.str.to_date("%Y-%m-%d", strict=False), form)
    text = text.str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T").str.replace("Z$", "+00:00")
    frame = text.alias("text").to_frame().select(
        aware=pl.coalesce(_read(shape) for shape in _AWARE),
        naive=pl.when(~pl.col("text").str.contains(_OFFSET)).then(pl.coalesce(_read(shape) for shape in _NAIVE)),
    )  # fmt: skip
    naive = frame["naive"]
    if naive.null_count() == naive.len():
        return frame["aware"]
    placed = frame["aware"].to_frame().with_columns(placed=_placed(file, naive, form))
    return placed.select(pl.coalesce("aware", "placed")).to_series()


def _read(shape: str) -> pl.Expr:
    return pl.col("text").str.to_datetime(shape, strict=False, time_unit="us")


def _placed(file: Path, naive: pl.Series, form: Form) -> pl.Series:
    """Times without a zone, in the zone that was said for them."""
    if form.zone is None:
        problem = f"The times of {file} do not say their zone. Say it: --zone America/New_York or --zone UTC."
        raise FileBarsError(problem)
    placed = naive.dt.replace_time_zone(form.zone, ambiguous="null", non_existent="null")
    doubtful = naive.is_not_null() & placed.is_null()
    if doubtful.any():
        where = doubtful.arg_true()[0]
        problem = (
            f"{int(doubtful.sum())} times of {file} are not told by the clocks of {form.zone}, which change then "
            f"(first {naive[where]}). Write them in UTC or with an offset."
        )
        raise FileBarsError(problem)
    return placed.dt.convert_time_zone("UTC")
