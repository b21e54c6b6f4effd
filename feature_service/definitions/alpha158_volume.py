"""The factors of Alpha158 over highs and lows, and those that look at volume; see ``alpha158``."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from feature_service.compiled import Values
from feature_service.definitions.alpha158 import (
    BALANCE,
    SHARE,
    SOURCE,
    changing,
    rolling,
)
from feature_service.shared import Shared
from feature_service.spans import Column, Panel, Wanted
from feature_service.spans_merged import (
    CORRELATION,
    DEVIATION,
    GAINED,
    GAINED_LESS_LOST,
    HIGHEST,
    HIGHEST_AFTER_LOWEST,
    HIGHEST_AT,
    LOST,
    LOWEST,
    LOWEST_AT,
    MEAN,
    PLACE,
    SPREAD,
)


def ranges(panel: Panel, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """Highest highs, lowest lows, and how long ago they were."""
    high, low, close = columns
    extremes = {
        "max": HIGHEST,
        "min": LOWEST,
        "rsv": PLACE,
        "imax": HIGHEST_AT,
        "imin": LOWEST_AT,
        "imxd": HIGHEST_AFTER_LOWEST,
    }
    yield from panel.merged(wanted, extremes, high, other=low, over=close)


def volumes(panel: Panel, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """Windows of volume."""
    (volume,) = columns
    traded = np.where(volume > 0, volume, np.nan)
    levels = {"vma": MEAN, "vstd": DEVIATION}
    yield from panel.merged(wanted, levels, volume, over=traded)
    moves = {"vsump": GAINED, "vsumn": LOST, "vsumd": GAINED_LESS_LOST}
    if not wanted.keys().isdisjoint(moves):
        move = volume - panel.before(volume)
        yield from panel.merged(wanted, moves, move, after=1)


def together(panel: Panel, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """How close and volume move together."""
    close, volume = columns
    if "corr" in wanted:
        yield from panel.merged(wanted, {"corr": CORRELATION}, close, other=np.log1p(volume))
    if wanted.keys().isdisjoint(("cord", "wvma")):
        return
    ratio = close / panel.before(close)
    if "cord" in wanted:
        change = _volume_changes(volume, panel.before(volume))
        yield from panel.merged(wanted, {"cord": CORRELATION}, ratio, other=change, after=1)
    yield from panel.merged(wanted, {"wvma": SPREAD}, np.abs(ratio - 1.0) * volume, after=1)


def _volume_changes(volume: Values, before: Values) -> Values:
    """NaN after a bar without volume."""
    return np.log1p(volume / np.where(before > 0, before, np.nan))


def _range(statistic: str, bars: int) -> Shared:
    return Shared(ranges, ("high", "low", "close"), statistic, bars)


def _volume(statistic: str, bars: int) -> Shared:
    return Shared(volumes, ("volume",), statistic, bars)


def _both(statistic: str, bars: int) -> Shared:
    return Shared(together, ("close", "volume"), statistic, bars)


def _untraded(**_: int) -> pl.Expr:
    return pl.col("volume") == 0


def _same(column: pl.Expr, bars: int) -> pl.Expr:
    return column.rolling_max(bars, min_samples=1) == column.rolling_min(bars, min_samples=1)


def _logarithm(column: pl.Expr) -> pl.Expr:
    return column.map_batches(
        lambda values: pl.Series(np.log1p(values.to_numpy())), return_dtype=pl.Float64
    )


def _levels_still(bars: int) -> pl.Expr:
    return _same(pl.col("close"), bars) | _same(_logarithm(pl.col("volume")), bars)


def _changes_still(bars: int) -> pl.Expr:
    close, volume = pl.col("close"), pl.col("volume")
    before = volume.shift(1)
    change = pl.when(before > 0).then(volume / before).fill_null(1.0)
    missing = (before == 0).fill_null(value=False).cast(pl.Float64)
    none = missing.rolling_max(bars, min_samples=1) == 1
    return none | _same(close / close.shift(1), bars) | _same(_logarithm(change), bars)


@rolling("a158_max_{bars}", unit="close", source=f"{SOURCE} MAX", value_range=(0.0, None))
def highest(bars: int) -> Shared:
    """The highest high."""
    return _range("max", bars)


@rolling("a158_min_{bars}", unit="close", source=f"{SOURCE} MIN", value_range=(0.0, None))
def lowest(bars: int) -> Shared:
    """The lowest low."""
    return _range("min", bars)


@rolling("a158_rsv_{bars}", unit="share", source=f"{SOURCE} RSV", value_range=SHARE)
def rsv(bars: int) -> Shared:
    """Where the close lies between the lowest low and the highest high; 0 where the price stood still."""
    return _range("rsv", bars)


@rolling("a158_imax_{bars}", unit="share of the window", source=f"{SOURCE} IMAX", value_range=SHARE)
def imax(bars: int) -> Shared:
    """Which bar of the window has the highest high, from 1; the oldest of equals."""
    return _range("imax", bars)


@rolling("a158_imin_{bars}", unit="share of the window", source=f"{SOURCE} IMIN", value_range=SHARE)
def imin(bars: int) -> Shared:
    """Which bar of the window has the lowest low, from 1; the oldest of equals."""
    return _range("imin", bars)


@rolling(
    "a158_imxd_{bars}", unit="share of the window", source=f"{SOURCE} IMXD", value_range=BALANCE
)
def imxd(bars: int) -> Shared:
    """How many bars after the lowest low the highest high came."""
    return _range("imxd", bars)


@rolling(
    "a158_corr_{bars}",
    unit="correlation",
    source=f"{SOURCE} CORR",
    warm_up=lambda **_: 1,
    value_range=BALANCE,
    null_rule="where close or volume stood still for {bars} bars",
    null_when=_levels_still,
)
def corr(bars: int) -> Shared:
    """Correlation of the close with the logarithm of volume + 1."""
    return _both("corr", bars)


@changing(
    "a158_cord_{bars}",
    unit="correlation",
    source=f"{SOURCE} CORD",
    warm_up=lambda **_: 2,
    value_range=BALANCE,
    null_rule="where close or volume changed at the same rate for {bars} bars, or nothing was traded in one before",
    null_when=_changes_still,
)
def cord(bars: int) -> Shared:
    """Correlation of the close's ratio to the one before with the logarithm of the volume's + 1."""
    return _both("cord", bars)


@rolling(
    "a158_vma_{bars}",
    unit="volume",
    source=f"{SOURCE} VMA",
    value_range=(0.0, None),
    null_rule="where nothing was traded",
    null_when=_untraded,
)
def vma(bars: int) -> Shared:
    """Mean volume over the current one."""
    return _volume("vma", bars)


@rolling(
    "a158_vstd_{bars}",
    unit="volume",
    source=f"{SOURCE} VSTD",
    warm_up=lambda **_: 1,
    value_range=(0.0, None),
    null_rule="where nothing was traded",
    null_when=_untraded,
)
def vstd(bars: int) -> Shared:
    """Standard deviation of the volume (of a sample) over the current one."""
    return _volume("vstd", bars)


@changing(
    "a158_wvma_{bars}",
    unit="mean",
    source=f"{SOURCE} WVMA",
    warm_up=lambda **_: 2,
    value_range=(0.0, None),
)
def wvma(bars: int) -> Shared:
    """Deviation of the absolute returns times volume, over their mean; 0 where the price stood still."""
    return _both("wvma", bars)


@changing(
    "a158_vsump_{bars}",
    unit="share",
    source=f"{SOURCE} VSUMP",
    warm_up=lambda **_: 1,
    value_range=SHARE,
)
def vsump(bars: int) -> Shared:
    """What the volume gained, over all its moves; 0 where it stood still."""
    return _volume("vsump", bars)


@changing(
    "a158_vsumn_{bars}",
    unit="share",
    source=f"{SOURCE} VSUMN",
    warm_up=lambda **_: 1,
    value_range=SHARE,
)
def vsumn(bars: int) -> Shared:
    """What the volume lost, over all its moves; 0 where it stood still."""
    return _volume("vsumn", bars)


@changing(
    "a158_vsumd_{bars}",
    unit="share",
    source=f"{SOURCE} VSUMD",
    warm_up=lambda **_: 1,
    value_range=BALANCE,
)
def vsumd(bars: int) -> Shared:
    """What the volume gained less what it lost, over all its moves; 0 where it stood still."""
    return _volume("vsumd", bars)
