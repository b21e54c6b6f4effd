"""The 158 factors known as Alpha158: single bars, and where the price lies in windows of closes.

Definitions: Qlib's ``qlib/contrib/data/loader.py`` and ``qlib/data/ops.py``. Windows hold the newest bars up
to the current one, or as many as there are. Where Qlib adds 1e-12 to a divisor that can be zero, the
value here is what that comes to: 0. See ``docs/alpha158.md``.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl

from feature_service.registry import feature
from feature_service.shared import Column, Shared, Wanted
from feature_service.spans import Values, Windows

GROUP = "alpha158"
SOURCE = "Qlib Alpha158"
WIDTHS: tuple[int, ...] = (5, 10, 20, 30, 60)
EACH = [{"bars": bars} for bars in WIDTHS]
#: Of the windows whose lower end Qlib's QTLD looks at; QTLU at as much of the upper end.
FIFTH = 0.2
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


def one_bar(over: Windows, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """The parts of a single bar, over its open, its range or its close."""
    opening, high, low, close = (over.now(one) for one in columns)
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
            yield name, 0, part / opening, 0
        if f"{name}2" in wanted:
            yield f"{name}2", 0, over_or_zero(part, span), 0
    for name, price in (("open0", opening), ("high0", high), ("low0", low)):
        if name in wanted:
            yield name, 0, price / close, 0


def bar_price(over: Windows, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """A price over the close."""
    price, close = (over.now(one) for one in columns)
    for name in wanted:
        yield name, 0, price / close, 0


def closes(over: Windows, wanted: Wanted, columns: Sequence[Values]) -> Iterator[Column]:
    """Windows of closes."""
    (close,) = columns
    yield from _trends(over, wanted, close)
    yield from _places(over, wanted, close)
    yield from _moves(over, wanted, close)


def _trends(over: Windows, wanted: Wanted, close: Values) -> Iterator[Column]:
    now = over.now(close)
    for width in wanted.get("roc", ()):
        yield "roc", width, over.before(close, width) / now, width
    names = ("ma", "std", "beta", "rsqr", "resi")
    widths = set().union(*(wanted.get(name, ()) for name in names))
    for width, window in over.moments(close, widths):
        count, begun = window.count, width - 1
        if width in wanted.get("ma", ()):
            yield "ma", width, window.mean / now, begun
        if width in wanted.get("std", ()):
            yield "std", width, np.sqrt(window.squares / (count - 1)) / now, begun
        if window.slope is None or not any(width in wanted.get(name, ()) for name in names[2:]):
            continue
        moments = count * (count * count - 1) / 12
        slope = window.slope / moments
        if width in wanted.get("beta", ()):
            yield "beta", width, slope / now, begun
        if width in wanted.get("rsqr", ()):
            yield "rsqr", width, np.minimum(slope * window.slope / window.squares, 1.0), begun
        if width in wanted.get("resi", ()):
            line = window.mean + slope * ((count - 1) * 0.5)
            yield "resi", width, (now - line) / now, begun


def _places(over: Windows, wanted: Wanted, close: Values) -> Iterator[Column]:
    now = over.now(close)
    for width, value in over.quantiles(close, wanted.get("qtld", ()), FIFTH):
        yield "qtld", width, value / now, width - 1
    for width, value in over.quantiles(-close, wanted.get("qtlu", ()), FIFTH):
        yield "qtlu", width, -value / now, width - 1
    for width, rank in over.ranks(close, wanted.get("rank", ())):
        yield "rank", width, rank / over.count(width), width - 1


def _moves(over: Windows, wanted: Wanted, close: Values) -> Iterator[Column]:
    before = over.previous(close)
    names = ("cntp", "cntn", "cntd")
    widths = set().union(*(wanted.get(name, ()) for name in names))
    if widths:
        up, down = ((close > before).astype(np.int8), (close < before).astype(np.int8))
        for (width, risen), (_, fallen) in zip(
            over.sums(up, widths), over.sums(down, widths), strict=True
        ):
            count = over.count(width)
            for name, bars in zip(names, (risen, fallen, risen - fallen), strict=True):
                if width in wanted.get(name, ()):
                    yield name, width, bars / count, width
    yield from one_sided(over, wanted, close, ("sump", "sumn", "sumd"))


def one_sided(
    over: Windows, wanted: Wanted, column: Values, names: tuple[str, str, str]
) -> Iterator[Column]:
    """Sums of what a column gained, what it lost, and their difference, over that of all its moves."""
    widths = set().union(*(wanted.get(name, ()) for name in names))
    if not widths:
        return
    move = column - over.previous(column)
    sums = (over.sums(np.maximum(one, 0.0), widths) for one in (move, -move))
    for (width, gained), (_, lost) in zip(*sums, strict=True):
        total = gained + lost
        total += total == 0
        for name, part in zip(names, (gained, lost, gained - lost), strict=True):
            if width in wanted.get(name, ()):
                yield name, width, part / total, width


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
