"""The minutes of one generated session, as pure functions of its levels and random numbers."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sandbox.bars import Bars, Float64s
from sandbox.calendar import HOUR, PRE_OPEN, Int64s

#: How the day's trades, and its standard deviation, outside regular hours compare with inside.
PRE_TRADES, POST_TRADES = 0.015, 0.020
PRE_SIGMA, POST_SIGMA = 0.35, 0.25
#: One trade in forty is on IEX, and smaller: a fifty-fold smaller volume.
IEX_TRADES, IEX_SIZE = 1 / 40, 0.8
IEX_OPEN, IEX_CLOSE = 8 * HOUR, 17 * HOUR
#: The pull back to the walk: its size in standard deviations of a minute, what a minute keeps.
PULL, PULL_KEPT = 1.0, 0.92
PULL_KERNEL = np.sqrt(1 - PULL_KEPT**2) * PULL_KEPT ** np.arange(48)

PRE_MINUTES = 330
#: Rows of normal and of uniform random numbers that a session's minutes take.
NORMALS, UNIFORMS = 6, 5

Floats = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Shape:
    """A session's minutes; ``variance`` sums to 1 in each of its three parts.

    ``offsets`` are seconds after midnight in New York, ``trades`` the part of the day's trades,
    ``sigma`` the standard deviation of a minute over that of the regular session, ``edges`` where
    regular hours begin and end and how many minutes there are.
    """

    offsets: Int64s
    variance: Float64s
    trades: Float64s
    sigma: Float64s
    edges: tuple[int, int, int]


@dataclass(frozen=True)
class Anchors:
    """What a session's minutes must meet.

    ``levels`` are logarithms of the price at 04:00, the open, the close and the end, in the day's
    own shares; ``sigma`` is that of the regular return, ``trades`` and ``shares`` are the number of
    trades and the usual size of one.
    """

    levels: tuple[float, float, float, float]
    sigma: float
    trades: float
    shares: float


@dataclass(frozen=True)
class Minutes:
    """All minutes of a session, traded or not: what both feeds are drawn from.

    ``size`` is shares of a trade, ``lean`` where between low and high the vwap lies, ``dice`` two
    uniform rows for the feeds.
    """

    offsets: Int64s
    open: Float64s
    high: Float64s
    low: Float64s
    close: Float64s
    count: Float64s
    size: Float64s
    lean: Float64s
    dice: Floats


@lru_cache(maxsize=8)
def shape(regular: int, post: int) -> Shape:
    """The shape of a session with so many regular and post-market minutes."""
    sizes = [PRE_MINUTES, regular, post]
    early, middle, late = (np.arange(size) for size in sizes)
    to_open, to_close = early[::-1], middle[::-1]
    variance = (
        0.15 + np.exp(-to_open / 70),
        1 + 2.2 * np.exp(-middle / 18) + 0.7 * np.exp(-to_close / 25),
        0.15 + np.exp(-late / 25),
    )
    trades = (
        0.15 + np.exp(-to_open / 60),
        1 + 2.6 * np.exp(-middle / 16) + 3.2 * np.exp(-to_close / 10),
        0.10 + np.exp(-late / 20),
    )
    spread = np.concatenate([part / part.sum() for part in variance])
    parts = zip((PRE_TRADES, 1.0, POST_TRADES), trades, strict=True)
    return Shape(
        offsets=np.arange(sum(sizes), dtype=np.int64) * 60 + PRE_OPEN,
        variance=spread,
        trades=np.concatenate([share * part / part.sum() for share, part in parts]),
        sigma=np.sqrt(spread) * np.repeat((PRE_SIGMA, 1.0, POST_SIGMA), sizes),
        edges=(PRE_MINUTES, PRE_MINUTES + regular, sum(sizes)),
    )


def session_minutes(
    form: Shape, anchors: Anchors, steps: Float64s, normals: Floats, uniforms: Floats
) -> Minutes:
    """The minutes of a session.

    Args:
        form: Its shape.
        anchors: What the minutes meet.
        steps: Normal steps of the walk, a minute each, partly the market's.
        normals: ``NORMALS`` rows of independent normals.
        uniforms: ``UNIFORMS`` rows of independent uniforms.
    """
    sigma = anchors.sigma * form.sigma
    pull = np.convolve(normals[0], PULL_KERNEL)[: len(steps)]
    walk = _pinned(form, anchors.levels, sigma * steps)
    latent = np.exp(walk + PULL * sigma * pull)
    before = np.concatenate(([np.exp(anchors.levels[0])], latent[:-1]))
    width = latent * sigma
    opens = _cents(before + 0.15 * width * normals[1])
    closes = _cents(latent)
    reach = 0.5 * width
    highs = _cents(np.maximum(opens, closes) + reach * np.abs(normals[2]))
    lows = _cents(np.minimum(opens, closes) - reach * np.abs(normals[3]))
    busy = anchors.trades * form.trades * np.exp(0.3 * normals[4] - 0.045)
    count = np.floor(busy * (0.55 + 0.56 * np.abs(steps)) + uniforms[0])
    return Minutes(
        form.offsets, opens, highs, np.maximum(lows, 0.01), closes, count,
        size=anchors.shares * np.exp(0.3 * normals[5]),
        lean=0.3 + 0.2 * (uniforms[1] + uniforms[2]),
        dice=uniforms[3:],
    )  # fmt: skip


def consolidated(minutes: Minutes, midnight: int) -> Bars:
    """The bars of all exchanges (sip): the minutes that had a trade."""
    traded = np.flatnonzero(minutes.count)
    count = minutes.count[traded]
    opens, closes = minutes.open[traded], minutes.close[traded]
    single, few = count == 1, count <= 2  # noqa: PLR2004 - one or two trades are all they show
    opens = np.where(single, closes, opens)
    highs = np.where(few, np.maximum(opens, closes), minutes.high[traded])
    lows = np.where(few, np.minimum(opens, closes), minutes.low[traded])
    return Bars(
        time=minutes.offsets[traded] + midnight,
        open=opens,
        high=highs,
        low=lows,
        close=closes,
        volume=_shares(count, minutes.size[traded]),
        count=count.astype(np.int64),
        vwap=np.round(lows + (highs - lows) * minutes.lean[traded], 6),
    )


def on_iex(minutes: Minutes, midnight: int) -> Bars:
    """The bars of IEX alone: few of the trades, inside what all exchanges saw, 08:00 to 17:00."""
    some = np.floor(minutes.count * IEX_TRADES + minutes.dice[0])
    hours = (minutes.offsets >= IEX_OPEN) & (minutes.offsets < IEX_CLOSE)
    few = np.where(hours, np.minimum(some, minutes.count), 0.0)
    whole = consolidated(minutes, midnight)
    traded = np.flatnonzero(minutes.count)
    here = np.flatnonzero(few[traded])
    count, dice = few[traded][here], minutes.dice[1][traded][here]
    lows, highs = whole.low[here], whole.high[here]
    shift = 0.3 * (highs - lows)
    opens = np.clip(_cents(whole.open[here] + shift * (dice - 0.5)), lows, highs)
    closes = np.clip(_cents(whole.close[here] + shift * (0.5 - dice)), lows, highs)
    opens = np.where(count == 1, closes, opens)
    reach = np.where(count > 2, count / (count + 4), 0.0)  # noqa: PLR2004 - as above
    top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
    top, bottom = _cents(top + reach * (highs - top)), _cents(bottom - reach * (bottom - lows))
    return Bars(
        time=whole.time[here],
        open=opens,
        high=top,
        low=bottom,
        close=closes,
        volume=_shares(count, IEX_SIZE * minutes.size[traded][here]),
        count=count.astype(np.int64),
        vwap=np.round(bottom + (top - bottom) * minutes.lean[traded][here], 6),
    )


def _pinned(form: Shape, levels: tuple[float, ...], moves: Float64s) -> Float64s:
    """The walk of some moves, bent in each part so that it ends at the part's level."""
    bent = np.empty_like(moves)
    start = 0
    for end, first, last in zip(form.edges, levels[:-1], levels[1:], strict=True):
        part = moves[start:end]
        excess = part.sum() - (last - first)
        bent[start:end] = part - form.variance[start:end] * excess
        start = end
    return levels[0] + np.cumsum(bent)


def _cents(prices: Float64s) -> Float64s:
    return np.rint(prices * 100) / 100


def _shares(count: Float64s, size: Float64s) -> Int64s:
    return np.maximum(np.rint(count * size), count).astype(np.int64)
