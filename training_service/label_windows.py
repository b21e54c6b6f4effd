"""Where the window of a label ends, how far prices usually move, and which barrier they touch."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from feature_service.compiled import Values, compiled, given
from lake.sessions import schedule
from training_service.label_bars import LabelBars, Whole

NONE = -1
#: Returns that a volatility is made of.
RETURNS = 100
_MICROSECONDS = 60_000_000
_BAR = timedelta(minutes=1)


@dataclass(frozen=True)
class Span:
    """How far a label looks ahead: so many bars, minutes of the clock, or sessions."""

    length: int
    unit: Literal["bars", "minutes", "sessions"]

    @property
    def name(self) -> str:
        """As it is written in a label's name: ``15``, ``15m`` or ``next_session``."""
        endings = {"bars": f"{self.length}", "minutes": f"{self.length}m"}
        return endings.get(self.unit, "next_session")

    @property
    def about(self) -> str:
        """In words."""
        if self.unit == "sessions":
            return "From this session's close to the next session's."
        one = self.unit.removesuffix("s") if self.length == 1 else self.unit
        return f"Within the next {self.length} {one} of the session."


@dataclass(frozen=True)
class Window:
    """The rows between which a label compares prices.

    Attributes:
        base: Whose close the later one is compared with.
        end: Of the last bar looked at; ``NONE`` where there is no label.
    """

    base: Whole
    end: Whole


def window_of(bars: LabelBars, span: Span) -> Window:
    """The window of each bar."""
    own = np.arange(len(bars.times), dtype=np.int64)
    if span.unit == "sessions":
        return Window(bars.last, _next_session(bars))
    if span.unit == "bars":
        end = own + span.length
        return Window(own, np.where(end <= bars.last, end, NONE))
    moment = bars.times + span.length * _MICROSECONDS
    end = np.searchsorted(bars.times, moment, side="right").astype(np.int64) - 1
    over = np.array(moment > bars.times[bars.last], dtype=bool)
    return Window(own, np.where(over, NONE, end))


def _next_session(bars: LabelBars) -> Whole:
    """The last bar of the calendar's next session, where that has bars and is over."""
    count = len(bars.days)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    days = schedule(bars.days[0], bars.days[-1])
    places = {day: place for place, day in enumerate(days["session_date"])}
    found = np.full(count, NONE, dtype=np.int64)
    for session in range(count - 1):
        own, later = (places.get(bars.days[one]) for one in (session, session + 1))
        if own is not None and later == own + 1:
            found[session] = bars.ends[session + 1]
    if count > 1 and found[count - 2] != NONE:
        closing = days["close"][-1] - _BAR
        if bars.times[-1] < closing.timestamp() * 1_000_000:
            found[count - 2] = NONE  # the newest session may go on
    return np.repeat(found, np.diff(bars.ends, prepend=-1))


def usual_move(bars: LabelBars, span: Span) -> Values:
    """The standard deviation of a return over the span, from what is known at each bar's close.

    The root of the mean square of the newest 100 returns from bar to bar within sessions, times
    the root of the span: realized volatility, see Andersen and others, "The Distribution of
    Realized Exchange Rate Volatility", JASA 96 (2001). For minutes of the clock the squares are
    divided by the minutes between the bars instead of by their number.

    Returns:
        A share of the close; NaN before there are 100 returns and where no price moved.
    """
    first = np.r_[True, bars.last[1:] != bars.last[:-1]] if len(bars.last) else np.empty(0, bool)
    before = np.r_[np.nan, bars.close[:-1]] if len(bars.close) else bars.close
    squares = np.where(first, np.nan, (bars.close / before - 1) ** 2)
    clock = span.unit == "minutes"
    minutes = np.diff(bars.times, prepend=bars.times[:1]) / _MICROSECONDS
    lengths = minutes if clock else np.ones(len(squares))
    found = np.empty(len(squares))
    _mean_of_newest(given(squares), given(lengths), RETURNS, found)
    return np.where(found > 0, np.sqrt(found * span.length), np.nan)


@compiled
def _mean_of_newest(squares: Values, lengths: Values, count: int, found: Values) -> None:
    """Sum of the newest squares that are there over the sum of their lengths.

    Each window is summed anew, so that it depends on nothing before it.
    """
    kept = np.empty((2, len(squares)))
    size = 0
    for row in range(len(squares)):
        if not np.isnan(squares[row]):
            kept[0, size], kept[1, size] = squares[row], lengths[row]
            size += 1
        if size < count:
            found[row] = np.nan
        else:
            total, length = 0.0, 0.0
            for one in range(size - count, size):
                total += kept[0, one]
                length += kept[1, one]
            found[row] = total / length


@dataclass(frozen=True)
class Touches:
    """The first barrier that prices touch.

    Attributes:
        side: 1 the upper, -1 the lower, 0 neither; NaN where there is no label.
        end: The row of the touch, or of the last bar of the window; ``NONE`` as in a window.
    """

    side: Values
    end: Whole


def first_touch(
    bars: LabelBars, window: Window, up: Values, down: Values, *, closes: bool
) -> Touches:
    """Which barrier around each bar's close is touched first by the bars that follow.

    A bar whose range holds both barriers counts as touching the lower one, for nothing in a bar
    says which came first.

    Args:
        bars: With ``high`` and ``low``, unless ``closes``.
        window: Its end is the vertical barrier, that bar included.
        up: Distance of the upper barrier, a share of the close; NaN gives no label.
        down: As ``up``, of the lower.
        closes: Whether closes touch, instead of highs and lows.
    """
    side, end = np.empty(len(up)), np.empty(len(up), dtype=np.int64)
    high, low = (bars.close, bars.close) if closes else (bars.high, bars.low)
    upper, lower = given(bars.close * (1 + up)), given(bars.close * (1 - down))
    _first_touch(given(high), given(low), upper, lower, window.end, side, end)
    return Touches(side, end)


@compiled
def _first_touch(
    highs: Values,
    lows: Values,
    uppers: Values,
    lowers: Values,
    last: Whole,
    side: Values,
    end: Whole,
) -> None:
    for row in range(len(side)):
        upper, lower = uppers[row], lowers[row]
        side[row], end[row] = np.nan, -1
        if last[row] < 0 or np.isnan(upper) or np.isnan(lower):
            continue
        side[row], end[row] = 0.0, last[row]
        for later in range(row + 1, last[row] + 1):
            high, low = highs[later], lows[later]
            if np.isnan(high) or np.isnan(low):
                side[row], end[row] = np.nan, -1
                break
            if low <= lower:
                side[row], end[row] = -1.0, later
                break
            if high >= upper:
                side[row], end[row] = 1.0, later
                break
