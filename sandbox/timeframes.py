"""Timeframes and how shorter bars roll up into them.

Minutes and hours are made of minutes and counted from midnight in New York, so that no bar spans
two sessions. Weeks and months are made of daily bars; weeks begin on Monday, months are counted
from January. A day made of minutes takes its prices from the regular session and its volume from
all hours; a day opens at midnight in New York.
"""

import re
from dataclasses import dataclass

import numpy as np

from sandbox.bars import EMPTY_BARS, Bars, Float64s, join
from sandbox.calendar import HOUR, Int64s, nyse
from sandbox.errors import BadRequestError
from sandbox.times import midnight

MINUTE = 60
_FORM = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)", re.ASCII)
_LONG = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}
_COUNTS = {
    "Min": range(1, 60),
    "Hour": range(1, 24),
    "Day": (1,),
    "Week": (1,),
    "Month": (1, 2, 3, 4, 6, 12),
}


@dataclass(frozen=True)
class Timeframe:
    """So many minutes, hours, days, weeks or months; ``unit`` is Min, Hour, Day, Week or Month."""

    count: int
    unit: str

    @property
    def letter(self) -> str:
        """How page tokens call the unit."""
        return {"Min": "M", "Hour": "H", "Day": "D", "Week": "W", "Month": "O"}[self.unit]

    @property
    def is_raw(self) -> bool:
        """Whether it is that of the stored bars."""
        return self == ONE_MINUTE

    @property
    def is_intraday(self) -> bool:
        """Whether a session has several bars of it."""
        return self.unit in {"Min", "Hour"}


ONE_MINUTE = Timeframe(1, "Min")
ONE_DAY = Timeframe(1, "Day")


def parse_timeframe(text: str) -> Timeframe:
    """The timeframe of a text like ``5Min`` or ``1D``.

    Raises:
        BadRequestError: Alpaca knows no such timeframe.
    """
    found = _FORM.fullmatch(text)
    if found:
        count, unit = int(found[1]), _LONG.get(found[2], found[2])
        if count in _COUNTS[unit]:
            return Timeframe(count, unit)
    raise BadRequestError(f"invalid timeframe: {text[:40]}")


def first_days(days: Int64s, timeframe: Timeframe) -> Int64s:
    """The day that the bar of each day belongs to: itself, its Monday, or a first of a month."""
    if timeframe.unit == "Week":
        return days - (days + 3) % 7  # day 0 was a Thursday
    if timeframe.unit == "Month":
        months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        first = (months // timeframe.count) * timeframe.count
        return first.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return days


def roll_session(bars: Bars, timeframe: Timeframe, day: int) -> Bars:
    """The bars of some minutes or hours that a session's minutes make."""
    if not len(bars) or timeframe.is_raw:
        return bars
    width = timeframe.count * (MINUTE if timeframe.unit == "Min" else HOUR)
    origin = midnight(day)
    labels, starts = np.unique((bars.time - origin) // width, return_index=True)
    return _group(bars, starts, labels * width + origin)


def roll_days(days: list[Bars], first_day: int) -> Bars:
    """The bar that daily bars make together, opening at the midnight of a day; none of none."""
    traded = [bar for bar in days if len(bar)]
    if not traded:
        return EMPTY_BARS
    return _group(join(traded), np.array([0]), np.array([midnight(first_day)]))


def day_bar(bars: Bars, day: int) -> Bars:
    """The daily bar of a session's minutes: none if nothing traded in its regular hours."""
    sessions = nyse()
    row = sessions.index(day)
    if row is None:
        return EMPTY_BARS
    regular = bars.between(int(sessions.open[row]), int(sessions.close[row]) - 1)
    if not len(regular):
        return EMPTY_BARS
    start, label = np.array([0]), np.array([midnight(day)])
    prices, volumes = _group(regular, start, label), _group(bars, start, label)
    return Bars(
        prices.time, prices.open, prices.high, prices.low, prices.close,
        volumes.volume, volumes.count, volumes.vwap,
    )  # fmt: skip


def _group(bars: Bars, starts: Int64s, labels: Int64s) -> Bars:
    """One bar for the rows from each start to the next, opening at its label."""
    ends = np.append(starts[1:], len(bars)) - 1
    volume = np.add.reduceat(bars.volume, starts)
    turnover = np.add.reduceat(bars.vwap * bars.volume, starts)
    plain = np.add.reduceat(bars.vwap, starts) / (ends - starts + 1.0)
    vwap: Float64s = np.where(volume > 0, turnover / np.maximum(volume, 1e-9), plain)
    return Bars(
        labels.astype(np.int64),
        bars.open[starts],
        np.maximum.reduceat(bars.high, starts),
        np.minimum.reduceat(bars.low, starts),
        bars.close[ends],
        volume,
        np.add.reduceat(bars.count, starts),
        np.round(vwap, 6),
    )
