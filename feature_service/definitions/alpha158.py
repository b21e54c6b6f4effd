"""The 158 factors known as Alpha158: single bars, and where the price lies in windows of closes.

Definitions: Qlib's ``qlib/contrib/data/loader.py`` and ``qlib/data/ops.py``. Windows hold the newest bars up
to the current one, or as many as there are. Where Qlib adds 1e-12 to a divisor that can be zero, the
value here is what that comes to: 0. See ``docs/alpha158.md``.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl

from feature_service.compiled import Values
from feature_service.registry import feature
from feature_service.shared import Shared
from feature_service.spans import Column, Panel, Wanted
from feature_service.spans_merged import (
    DEVIATION,
    EXPLAINED,
    FELL,
    GAINED,
    GAINED_LESS_LOST,
    LOST,
    MEAN,
    RESIDUAL,
    ROSE,
    ROSE_LESS_FELL,
    SLOPE,
)
from feature_service.spans_sorted import LOWER_FIFTH, RANK, UPPER_FIFTH

GROUP = "alpha158"
SOURCE = "Qlib Alpha158"
WIDTHS: tuple[int, ...] = (5, 10, 20, 30, 60)
EACH = [{"bars": bars} for bars in WIDTHS]
SHARE: tuple[float, float] = (0.0, 1.0)
BALANCE: tuple[float, float] = (-1.0, 1.0)

_single = partial(feature, group=GROUP)
#: Windows of bars, the first of which may be shorter.
rolling = partial(feature, group=GROUP, each=EACH, memory=lambda bars: bars - 1)
#: Windows of differences between bars, which need one bar more.
changing = partial(feature, group=GROUP, each=EACH, memory=lambda bars: bars)


def over_or_zero(part: Values, whole: Values) -> Values:
    """A quotient, 0 where both are zero."""
    found: Values = part / (whole + (whole == 0))
    return found


def one_bar(_: Panel, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """The parts of a single bar, over its open, its range or its close."""
    opening, high, low, close = columns
    span = high - low
    top, bottom = high - np.maximum(opening, close), np.minimum(opening, close) - low
    parts = {
        "kmid": close - opening,
        "klen": span,
        "kup": top,
        "klow": bottom,
        "ksft": 2.0 * close - high - low,
    }
    for name, part in parts.items():
        if name in wanted:
            yield name, 0, part / opening
        if f"{name}2" in wanted:
            yield f"{name}2", 0, over_or_zero(part, span)
    for name, price in (("open0", opening), ("high0", high), ("low0", low)):
        if name in wanted:
            yield name, 0, price / close


def bar_price(_: Panel, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """A price over the close."""
    price, close = columns
    for name in wanted:
        yield name, 0, price / close


def closes(panel: Panel, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """Windows of closes."""
    (close,) = columns
    for width in wanted.get("roc", ()):
        yield "roc", width, panel.before(close, width) / close
    lines = {"ma": MEAN, "std": DEVIATION, "beta": SLOPE, "rsqr": EXPLAINED, "resi": RESIDUAL}
    yield from panel.merged(wanted, lines, close, over=close)
    places = {"qtlu": UPPER_FIFTH, "qtld": LOWER_FIFTH, "rank": RANK}
    yield from panel.sorted(wanted, places, close, close)
    counts = {"cntp": ROSE, "cntn": FELL, "cntd": ROSE_LESS_FELL}
    moves = {"sump": GAINED, "sumn": LOST, "sumd": GAINED_LESS_LOST}
    if not wanted.keys().isdisjoint(counts | moves):
        move = close - panel.before(close)
        yield from panel.merged(wanted, moves, move, after=1)
        # A history's first bar has neither risen nor fallen, and counts.
        yield from panel.merged(wanted, counts, np.nan_to_num(np.sign(move)))


def _bar(statistic: str) -> Shared:
    return Shared(one_bar, ("open", "high", "low", "close"), statistic)


def _close(statistic: str, bars: int) -> Shared:
    return Shared(closes, ("close",), statistic, bars)


def _still(bars: int) -> pl.Expr:
    """The close stood still in the window."""
    close = pl.col("close")
    return close.rolling_max(bars, min_samples=1) == close.rolling_min(bars, min_samples=1)


@_single("a158_kmid", unit="share of the open", source=f"{SOURCE} KMID")
def kmid() -> Shared:
    """From open to close."""
    return _bar("kmid")


@_single("a158_klen", unit="share of the open", source=f"{SOURCE} KLEN", value_range=(0.0, None))
def klen() -> Shared:
    """From low to high."""
    return _bar("klen")


@_single("a158_kmid2", unit="share of the range", source=f"{SOURCE} KMID2", value_range=BALANCE)
def kmid2() -> Shared:
    """From open to close; 0 where the bar has no range."""
    return _bar("kmid2")


@_single("a158_kup", unit="share of the open", source=f"{SOURCE} KUP", value_range=(0.0, None))
def kup() -> Shared:
    """The wick above open and close."""
    return _bar("kup")


@_single("a158_kup2", unit="share of the range", source=f"{SOURCE} KUP2", value_range=SHARE)
def kup2() -> Shared:
    """The wick above open and close; 0 where the bar has no range."""
    return _bar("kup2")


@_single("a158_klow", unit="share of the open", source=f"{SOURCE} KLOW", value_range=(0.0, None))
def klow() -> Shared:
    """The wick below open and close."""
    return _bar("klow")


@_single("a158_klow2", unit="share of the range", source=f"{SOURCE} KLOW2", value_range=SHARE)
def klow2() -> Shared:
    """The wick below open and close; 0 where the bar has no range."""
    return _bar("klow2")


@_single("a158_ksft", unit="share of the open", source=f"{SOURCE} KSFT")
def ksft() -> Shared:
    """How far the close lies above the middle of the bar, twice."""
    return _bar("ksft")


@_single("a158_ksft2", unit="share of the range", source=f"{SOURCE} KSFT2")
def ksft2() -> Shared:
    """How far the close lies above the middle of the bar, twice; 0 where the bar has no range."""
    return _bar("ksft2")


@_single("a158_open0", unit="close", source=f"{SOURCE} OPEN0", value_range=(0.0, None))
def open0() -> Shared:
    """The open over the close."""
    return _bar("open0")


@_single("a158_high0", unit="close", source=f"{SOURCE} HIGH0", value_range=(0.0, None))
def high0() -> Shared:
    """The high over the close."""
    return _bar("high0")


@_single("a158_low0", unit="close", source=f"{SOURCE} LOW0", value_range=(0.0, None))
def low0() -> Shared:
    """The low over the close."""
    return _bar("low0")


@_single(
    "a158_vwap0",
    unit="close",
    source=f"{SOURCE} VWAP0",
    value_range=(0.0, None),
    null_rule="where the bar has no VWAP",
    null_when=lambda: pl.col("vwap").is_null(),
)
def vwap0() -> Shared:
    """The bar's volume-weighted average price over the close."""
    return Shared(bar_price, ("vwap", "close"), "vwap0")


@changing(
    "a158_roc_{bars}",
    unit="close",
    source=f"{SOURCE} ROC",
    warm_up=lambda bars: bars,
    value_range=(0.0, None),
)
def roc(bars: int) -> Shared:
    """The close so many bars before, over the current one."""
    return _close("roc", bars)


@rolling("a158_ma_{bars}", unit="close", source=f"{SOURCE} MA", value_range=(0.0, None))
def ma(bars: int) -> Shared:
    """Mean of the closes."""
    return _close("ma", bars)


@rolling(
    "a158_std_{bars}",
    unit="close",
    source=f"{SOURCE} STD",
    warm_up=lambda **_: 1,
    value_range=(0.0, None),
)
def std(bars: int) -> Shared:
    """Standard deviation of the closes (of a sample)."""
    return _close("std", bars)


@rolling("a158_beta_{bars}", unit="close a bar", source=f"{SOURCE} BETA", warm_up=lambda **_: 1)
def beta(bars: int) -> Shared:
    """Slope of the straight line through the closes."""
    return _close("beta", bars)


@rolling(
    "a158_rsqr_{bars}",
    unit="share",
    source=f"{SOURCE} RSQR",
    warm_up=lambda **_: 1,
    value_range=SHARE,
    null_rule="where the close stood still for {bars} bars",
    null_when=_still,
)
def rsqr(bars: int) -> Shared:
    """How much of the closes' variance the straight line through them explains."""
    return _close("rsqr", bars)


@rolling("a158_resi_{bars}", unit="close", source=f"{SOURCE} RESI", warm_up=lambda **_: 1)
def resi(bars: int) -> Shared:
    """How far the close lies above the straight line through the closes."""
    return _close("resi", bars)


@rolling("a158_qtlu_{bars}", unit="close", source=f"{SOURCE} QTLU", value_range=(0.0, None))
def qtlu(bars: int) -> Shared:
    """The price that four fifths of the closes lie below."""
    return _close("qtlu", bars)


@rolling("a158_qtld_{bars}", unit="close", source=f"{SOURCE} QTLD", value_range=(0.0, None))
def qtld(bars: int) -> Shared:
    """The price that one fifth of the closes lie below."""
    return _close("qtld", bars)


@rolling("a158_rank_{bars}", unit="share", source=f"{SOURCE} RANK", value_range=SHARE)
def rank(bars: int) -> Shared:
    """Rank of the close, from lowest to highest, over the bars; the average of equals."""
    return _close("rank", bars)


@changing("a158_cntp_{bars}", unit="share", source=f"{SOURCE} CNTP", value_range=SHARE)
def cntp(bars: int) -> Shared:
    """How many bars closed higher than the one before; a history's first did not."""
    return _close("cntp", bars)


@changing("a158_cntn_{bars}", unit="share", source=f"{SOURCE} CNTN", value_range=SHARE)
def cntn(bars: int) -> Shared:
    """How many bars closed lower than the one before; a history's first did not."""
    return _close("cntn", bars)


@changing("a158_cntd_{bars}", unit="share", source=f"{SOURCE} CNTD", value_range=BALANCE)
def cntd(bars: int) -> Shared:
    """How many more bars closed higher than lower."""
    return _close("cntd", bars)


@changing(
    "a158_sump_{bars}",
    unit="share",
    source=f"{SOURCE} SUMP",
    warm_up=lambda **_: 1,
    value_range=SHARE,
)
def sump(bars: int) -> Shared:
    """What the close gained, over all its moves; 0 where it stood still."""
    return _close("sump", bars)


@changing(
    "a158_sumn_{bars}",
    unit="share",
    source=f"{SOURCE} SUMN",
    warm_up=lambda **_: 1,
    value_range=SHARE,
)
def sumn(bars: int) -> Shared:
    """What the close lost, over all its moves; 0 where it stood still."""
    return _close("sumn", bars)


@changing(
    "a158_sumd_{bars}",
    unit="share",
    source=f"{SOURCE} SUMD",
    warm_up=lambda **_: 1,
    value_range=BALANCE,
)
def sumd(bars: int) -> Shared:
    """What the close gained less what it lost, over all its moves; 0 where it stood still."""
    return _close("sumd", bars)
