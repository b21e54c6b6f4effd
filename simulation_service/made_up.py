"""A year of minutes that is made up: for the page of strategies, where no market's bars may lie.

Nothing but sums, products and rounding to cents makes it, from numbers that no library draws. So it is the
same to the bit on every machine and with every version.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from lake import sessions
from simulation_service.market import Floats, Integers

SYMBOL = "MADE-UP"
_FIRST, _LAST = date(2023, 1, 3), date(2023, 12, 29)
_SEED = 7
_START = 100.0  # USD
_BASIS_POINT = 1e-4
_NOISE = 5.0  # basis points a minute: about one percent a session
_DRAWS = 6  # of each minute: four of its noise, one of its bar's shape, one of its volume
_SHARES = 100_000.0  # of a minute, so that 100,000 USD are a small part of nearly every bar
_SESSION = 390  # minutes of a whole one


@dataclass(frozen=True)
class Stretch:
    """Sessions that are alike.

    Attributes:
        drift: Basis points a minute.
        wild: Noise over the usual one.
        lean: How far the drift wanders by itself, in basis points a minute: short trends.
        pull: Share of the way back to the stretch's first price that is gone each minute.
        gap: Largest gap of a night in basis points; half of it goes on in the two hours after.
    """

    name: str
    drift: float = 0.0
    wild: float = 1.0
    lean: float = 0.0
    pull: float = 0.0
    gap: float = 0.0


#: Of about as many sessions each.
STRETCHES = (
    Stretch("rising, in short trends", drift=0.03, lean=0.3),
    Stretch("a range", pull=0.03),
    Stretch("gaps that go on", gap=120.0),
    Stretch("falling, and wild", drift=-0.04, wild=1.8, lean=0.2),
    Stretch("a range, and calm", wild=0.8, pull=0.03),
    Stretch("rising", drift=0.05, gap=40.0),
)


def year() -> pl.DataFrame:
    """Bars of regular hours of the NYSE's sessions of 2023, one for each minute.

    Returns:
        ``timestamp`` (UTC), ``session_date``, ``open``, ``high``, ``low``, ``close`` (USD, cents) and
        ``volume`` (shares).
    """
    found = sessions.schedule(_FIRST, _LAST).with_columns(
        minutes=(pl.col("close") - pl.col("open")).dt.total_minutes()
    )
    lengths = found["minutes"].to_numpy()
    minute = np.concatenate([np.arange(length) for length in lengths])
    draws = drawn(len(minute) * _DRAWS, _SEED).reshape(-1, _DRAWS)
    opened, closed = _prices(lengths, draws)
    high, low = _shadows(opened, closed, draws[:, 4])
    nights = found.select("session_date", pl.col("open").alias("first"))
    return (
        nights[np.repeat(np.arange(len(lengths)), lengths)]
        .with_columns(
            timestamp=pl.col("first") + pl.Series(minute) * timedelta(minutes=1),
            open=pl.Series(opened),
            high=pl.Series(high),
            low=pl.Series(low),
            close=pl.Series(closed),
            volume=pl.Series(_volume(minute, draws[:, 5], opened, closed)),
        )
        .drop("first")
    )


def drawn(count: int, seed: int) -> Floats:
    """Numbers from 0 (inside) to 1 (outside), by SplitMix64.

    Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (2014).
    """
    state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state += np.uint64(seed)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _prices(lengths: Integers, draws: Floats) -> tuple[Floats, Floats]:
    """Opens and closes: each minute opens where the one before closed, but after a night."""
    four = draws[:, 0] + draws[:, 1] + draws[:, 2] + draws[:, 3]
    noise = (four - 2.0) * math.sqrt(
        3.0
    )  # a sum of four is nearly normal; this one's deviation is 1
    opened, closed = [], []
    price, row, lean = _START, 0, 0.0
    for stretch, days in _in_stretches(lengths):
        level = price
        for length in days:
            jump = (2.0 * draws[row, 5] - 1.0) * stretch.gap
            price *= 1.0 + jump * _BASIS_POINT
            for minute, shock in enumerate(noise[row : row + length].tolist()):
                opened.append(price)
                lean = 0.99 * lean + 0.14 * stretch.lean * shock
                goes_on = jump / 240.0 if minute < 120 else 0.0  # noqa: PLR2004 - two hours
                moved = stretch.drift + lean + goes_on + stretch.wild * _NOISE * shock
                price *= 1.0 + moved * _BASIS_POINT - stretch.pull * (price / level - 1.0)
                closed.append(price)
            row += int(length)
    return np.round(opened, 2), np.round(closed, 2)


def _in_stretches(lengths: Integers) -> Iterator[tuple[Stretch, list[int]]]:
    for stretch, days in zip(STRETCHES, np.array_split(lengths, len(STRETCHES)), strict=True):
        yield stretch, days.tolist()


def _shadows(opened: Floats, closed: Floats, draw: Floats) -> tuple[Floats, Floats]:
    """Highs and lows: what the minute did beyond its open and its close."""
    above, below = draw * 4.0 * _BASIS_POINT, (1.0 - draw) * 4.0 * _BASIS_POINT
    high = np.round(np.maximum(opened, closed) * (1.0 + above), 2)
    low = np.round(np.minimum(opened, closed) * (1.0 - below), 2)
    return high, low


def _volume(minute: Integers, draw: Floats, opened: Floats, closed: Floats) -> Floats:
    """Shares: most at both ends of a session, and where the price moved far."""
    middle = 2.0 * minute / _SESSION - 1.0
    moved = np.abs(closed / opened - 1.0) / (_NOISE * _BASIS_POINT)
    return np.floor(_SHARES * (0.5 + middle * middle) * (0.5 + draw) * (0.5 + moved))
