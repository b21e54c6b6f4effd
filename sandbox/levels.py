"""The daily path of a generated symbol: where each session opens and closes.

Cheap for all sessions at once (a few milliseconds a symbol), so that the minutes of one session
never need those of the sessions before.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from sandbox.bars import Float64s
from sandbox.calendar import Int64s, nyse
from sandbox.market import Action
from sandbox.profiles import FIRST_SESSION, Profile
from sandbox.times import date_of, day_of

YEAR = 252.0
#: Part of a day's variance that happens overnight.
OVERNIGHT = 0.3
#: How much of its distance from the trend a price keeps from day to day: it wanders for about
#: two years, and never so far that it ends as a penny stock.
KEPT = 0.998
VOLATILITY_KEPT, VOLATILITY_NOISE = 0.97, 0.09
QUARTER = 3


def stream(seed: int, *names: object) -> np.random.Generator:
    """Random numbers that depend on the names alone."""
    text = "|".join(map(str, (seed, *names)))
    key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
    return np.random.Generator(np.random.Philox(key=key))


@dataclass(frozen=True)
class Levels:
    """A symbol's sessions since 2016-01-04, a row each, adjusted for splits.

    ``pre``, ``open``, ``close`` and ``post`` are logarithms of the price at 04:00, 09:30, the
    regular close and the end of the session; ``sigma`` is the standard deviation of the session's
    regular return, ``activity`` the volume over the usual one.
    """

    pre: Float64s
    open: Float64s
    close: Float64s
    post: Float64s
    sigma: Float64s
    activity: Float64s
    actions: tuple[Action, ...]


@lru_cache(maxsize=1)
def generated_days() -> Int64s:
    """The sessions that are generated."""
    sessions = nyse()
    return sessions.days[sessions.at_or_after(day_of(FIRST_SESSION)) :]


def daily_levels(profile: Profile, seed: int) -> Levels:
    """The path of a symbol; the same prefix whatever the number of sessions."""
    days = generated_days()
    common = stream(seed, "market", "daily").standard_normal((len(days), 3))
    own = stream(seed, profile.symbol, "daily").standard_normal((len(days), 5))
    dividends = _dividends(profile, days)
    drops = np.zeros(len(days))
    for row, amount in dividends.items():
        drops[row] = math.log1p(-amount / _trend(profile, row))

    rest = math.sqrt(1 - profile.market**2)
    calm = _persistent(0.8 * common[:, 2] + 0.6 * own[:, 2])
    sigma = profile.volatility * np.exp(calm) * math.sqrt(1 - OVERNIGHT)
    night = profile.volatility * np.exp(calm) * math.sqrt(OVERNIGHT)
    regular = sigma * (profile.market * common[:, 0] + rest * own[:, 0])
    gaps = night * (profile.market * common[:, 1] + rest * own[:, 1]) + drops

    opens, closes = _walk(gaps.tolist(), regular.tolist())
    trend = math.log(profile.price) + profile.growth / YEAR * np.arange(len(days))
    post = trend + closes + 0.2 * night * own[:, 3]
    pre = np.concatenate(([trend[0]], post[:-1])) + 0.5 * gaps
    activity = np.exp(0.8 * calm + 0.18 * own[:, 4])
    actions = _actions(profile, days, dividends)
    return Levels(pre, trend + opens, trend + closes, post, sigma, activity, actions)


def _walk(gaps: list[float], regular: list[float]) -> tuple[Float64s, Float64s]:
    opens, closes, level = [], [], 0.0
    for gap, change in zip(gaps, regular, strict=True):
        start = KEPT * level + gap
        level = start + change
        opens.append(start)
        closes.append(level)
    return np.array(opens), np.array(closes)


def _persistent(noise: Float64s) -> Float64s:
    """Calm and nervous weeks: an autoregression around 0."""
    levels, level = [], 0.0
    for shock in noise.tolist():
        level = VOLATILITY_KEPT * level + VOLATILITY_NOISE * shock
        levels.append(level)
    return np.array(levels)


def _trend(profile: Profile, row: int) -> float:
    return profile.price * math.exp(profile.growth / YEAR * row)


def _dividends(profile: Profile, days: Int64s) -> dict[int, float]:
    """Cash per share by the row of its ex date: the first session from a quarter's 10th on."""
    if not profile.dividend_months:
        return {}
    quarter = profile.dividend_months % QUARTER
    rows: dict[int, float] = {}
    for year in range(FIRST_SESSION.year, date_of(int(days[-1])).year + 1):
        for month in (m for m in range(1, 13) if m % QUARTER == quarter):
            row = int(np.searchsorted(days, day_of(date(year, month, 10))))
            if row < len(days):
                rows[row] = round(profile.dividend_yield / 4 * _trend(profile, row), 2)
    return rows


def _actions(profile: Profile, days: Int64s, dividends: dict[int, float]) -> tuple[Action, ...]:
    """Dividends are booked when they are paid, about a month after; a split on its ex date."""
    found = []
    for row, amount in dividends.items():
        paid = date_of(int(days[min(row + 20, len(days) - 1)]))
        ex_date = date_of(int(days[row]))
        found.append(Action(profile.symbol, "cash_dividend", ex_date, paid, amount))
    if profile.split:
        ex_date, ratio = profile.split
        found.append(Action(profile.symbol, "split", ex_date, ex_date, float(ratio)))
    return tuple(action for action in found if action.ex_date > profile.listed)
