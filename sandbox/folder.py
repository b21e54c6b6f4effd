"""A market that is a folder of Parquet files, ``SYMBOL.parquet`` each.

Daily bars lie in a folder ``bars_1day`` inside it or beside it, with files of the same form; a symbol
without one there has the days its minutes make.

Both feeds serve the same bars: a file does not say which feed it came from. What the files have
is served as it is (zero volume, prices outside the range); only the order is mended, and of two
bars of a minute the later row counts.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from sandbox.actions import read_actions
from sandbox.bars import EMPTY_BARS, Bars
from sandbox.calendar import Int64s
from sandbox.config import TICKER
from sandbox.errors import ConfigError, DataFolderError
from sandbox.market import Action, ByteCache, Event, Listing
from sandbox.timeframes import day_bar

DAILY = "bars_1day"
PRICES = ("open", "high", "low", "close")
REQUIRED = {"timestamp", *PRICES, "volume"}
#: Held decoded; a symbol's ten years are about 60 MB.
CACHE_BYTES = 256 << 20
SHARES_A_TRADE = 100


@dataclass(frozen=True)
class Series:
    """All bars of a symbol; ``starts`` has the first row of each of ``days``, and one end more."""

    bars: Bars
    days: Int64s
    starts: Int64s

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(column.nbytes for column in self.bars.columns()) + 2 * self.days.nbytes


class FolderMarket:
    """The bars of a folder.

    Args:
        folder: Where the files of minutes are.
        symbols: Which to serve; empty means all that have minutes or days.

    Raises:
        DataFolderError: No such folder, no such files, or one that is not Parquet with the columns
            of bars (every file's head is read here, its rows when they are first asked for).
        ConfigError: A symbol has no file.
    """

    def __init__(self, folder: Path, symbols: tuple[str, ...] = ()) -> None:
        if not folder.is_dir():
            raise DataFolderError(folder, "is not a folder")
        minutes, days = _files(folder), _files(_daily_folder(folder))
        if not minutes:
            raise DataFolderError(folder, "has no SYMBOL.parquet file")
        for symbol in symbols:
            if symbol not in minutes | days:
                raise ConfigError(f"There is no {symbol}.parquet in {folder}.")
        self._symbols = sorted(set(symbols or minutes | days))
        self._minutes = {s: minutes[s] for s in self._symbols if s in minutes}
        self._days = {s: days[s] for s in self._symbols if s in days}
        for path in (*self._minutes.values(), *self._days.values()):
            _check(path)
        self.actions: tuple[Action, ...] = tuple(
            action for action in read_actions(folder) if action.symbol in self._symbols
        )
        self.events: tuple[Event, ...] = ()
        self._series: ByteCache[Path, Series] = ByteCache(CACHE_BYTES, lambda series: series.size)

    @cached_property
    def listings(self) -> tuple[Listing, ...]:
        """All symbols, sorted."""
        return tuple(Listing(symbol, f"{symbol} of a folder", "NYSE") for symbol in self._symbols)

    def days(self, symbol: str) -> Int64s:
        """The New York days on which a symbol has minute bars."""
        return self._days_of(self._minutes.get(symbol))

    def minutes(self, symbol: str, feed: str, day: int) -> Bars:
        """The minute bars of a day; feeds other than sip and iex have none."""
        return self._bars_of(self._minutes.get(symbol), feed, day)

    def daily_days(self, symbol: str) -> Int64s:
        """The days of a symbol's daily bars and those of its minutes: one of them may not be over."""
        return np.union1d(self._days_of(self._days.get(symbol)), self.days(symbol))

    def daily(self, symbol: str, feed: str, day: int) -> Bars:
        """The daily bar of the symbol's file, if it has one; without a file that of its minutes."""
        if symbol in self._days:
            return self._bars_of(self._days[symbol], feed, day)
        return day_bar(self.minutes(symbol, feed, day), day)

    def _days_of(self, path: Path | None) -> Int64s:
        return np.empty(0, np.int64) if path is None else self._read(path).days

    def _bars_of(self, path: Path | None, feed: str, day: int) -> Bars:
        if path is None or feed not in {"sip", "iex"}:
            return EMPTY_BARS
        series = self._read(path)
        row = int(np.searchsorted(series.days, day))
        if row == len(series.days) or series.days[row] != day:
            return EMPTY_BARS
        return series.bars.rows(int(series.starts[row]), int(series.starts[row + 1]))

    def _read(self, path: Path) -> Series:
        held = self._series.get(path)
        if held is None:
            held = read_series(path)
            self._series.put(path, held)
        return held


def _files(folder: Path | None) -> dict[str, Path]:
    """The files of a folder by symbol."""
    found = sorted(folder.glob("*.parquet")) if folder else []
    return {path.stem: path for path in found if TICKER.fullmatch(path.stem)}


def _daily_folder(folder: Path) -> Path | None:
    """Where the daily bars of a folder lie, if there are any."""
    places = (folder / DAILY, folder.resolve().parent / DAILY)
    return next((place for place in places if place.is_dir()), None)


def read_series(path: Path) -> Series:
    """The bars of a file; ``trade_count`` and ``vwap`` are derived where it has none.

    Raises:
        DataFolderError: The file's rows cannot be read.
    """
    try:
        frame = _normal(pl.scan_parquet(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataFolderError(path, f"cannot be read ({_first_line(error)})") from None
    volume = frame["volume"].to_numpy()
    if frame["volume"].dtype.is_float() and bool((np.rint(volume) == volume).all()):
        volume = volume.astype(np.int64)
    bars = Bars(
        time=frame["time"].to_numpy(),
        open=frame["open"].to_numpy(),
        high=frame["high"].to_numpy(),
        low=frame["low"].to_numpy(),
        close=frame["close"].to_numpy(),
        volume=volume,
        count=frame["count"].to_numpy(),
        vwap=frame["vwap"].to_numpy(),
    )
    days, starts = np.unique(frame["day"].to_numpy(), return_index=True)
    return Series(bars, days, np.append(starts, len(bars)))


def _normal(frame: pl.LazyFrame) -> pl.DataFrame:
    """Columns time, open, high, low, close, volume, count, vwap, day; sorted, one row a minute."""
    schema = frame.collect_schema()
    stamp = pl.col("timestamp")
    if isinstance(zone := schema["timestamp"], pl.Datetime) and zone.time_zone is None:
        stamp = stamp.dt.replace_time_zone("UTC")
    volume = pl.col("volume").fill_null(0)
    if schema["volume"].is_integer():
        volume = volume.cast(pl.Int64)
    typical = pl.mean_horizontal(*PRICES).round(6)
    guess = (volume / SHARES_A_TRADE).ceil().cast(pl.Int64)
    count = pl.col("trade_count").cast(pl.Int64) if "trade_count" in schema else pl.lit(None)
    vwap = pl.col("vwap").cast(pl.Float64) if "vwap" in schema else pl.lit(None)
    local = stamp.dt.convert_time_zone("America/New_York")
    return (
        frame.select(
            stamp.dt.epoch("s").alias("time"),
            *(pl.col(name).cast(pl.Float64) for name in PRICES),
            volume.alias("volume"),
            pl.coalesce(count, guess).alias("count"),
            pl.coalesce(vwap, typical).alias("vwap"),
            local.dt.date().cast(pl.Int32).cast(pl.Int64).alias("day"),
        )
        .drop_nulls("time")
        .unique("time", keep="last", maintain_order=True)
        .sort("time")
        .collect()
    )


def _check(path: Path) -> None:
    try:
        schema = pl.read_parquet_schema(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataFolderError(path, f"is not readable Parquet ({_first_line(error)})") from None
    if missing := sorted(REQUIRED - set(schema)):
        raise DataFolderError(path, f"has no column {', '.join(missing)}")
    if not isinstance(schema["timestamp"], pl.Datetime):
        raise DataFolderError(path, "has timestamps that are not times")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
