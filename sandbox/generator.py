"""A market that is generated: the same seed, symbol and session give the same bars, always.

A session's minutes are a random walk pinned to the session's levels (see :mod:`sandbox.levels`),
with a U-shaped variance and volume, a part shared with the market, and a small pull of each price
back to the walk. That pull is the only thing a model can learn; it is worth less than the costs.
"""

import math
from functools import cached_property, lru_cache

import numpy as np

from sandbox.bars import EMPTY_BARS, Bars, Float64s
from sandbox.calendar import Int64s, nyse
from sandbox.daily import official
from sandbox.events import all_events
from sandbox.levels import Levels, daily_levels, generated_days, stream
from sandbox.market import Action, Event, Listing
from sandbox.profiles import DEFAULT_SYMBOLS, Profile, profile_of
from sandbox.session import (
    NORMALS,
    UNIFORMS,
    Anchors,
    Minutes,
    Shape,
    consolidated,
    on_iex,
    session_minutes,
    shape,
)
from sandbox.timeframes import day_bar
from sandbox.times import day_of, midnight


class GeneratedMarket:
    """Generated bars of some symbols for the NYSE's sessions of 2016 to 2029.

    Args:
        seed: Chooses the market.
        symbols: Tickers; empty means :data:`sandbox.profiles.DEFAULT_SYMBOLS`. A ticker without a
            written profile gets one from its name and the seed.
    """

    def __init__(self, seed: int, symbols: tuple[str, ...] = ()) -> None:
        self._seed = seed
        chosen = sorted(set(symbols or DEFAULT_SYMBOLS))
        self._profiles = {symbol: profile_of(symbol, seed) for symbol in chosen}
        self._paths: dict[str, Levels] = {}
        self._market_steps = lru_cache(maxsize=256)(self._draw_market_steps)

    @cached_property
    def listings(self) -> tuple[Listing, ...]:
        """All symbols, sorted."""
        return tuple(
            Listing(
                profile.symbol,
                f"{profile.symbol} of the sandbox",
                profile.exchange,
                profile.listed,
                profile.delisted,
                profile.renamed,
            )
            for profile in self._profiles.values()
        )

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        """All corporate actions, in order of ``process_date``."""
        found = [action for symbol in self._profiles for action in self._path(symbol).actions]
        return tuple(sorted(found, key=lambda action: (action.process_date, action.symbol)))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The corporate actions that change no price, in order of ``process_date``."""
        return all_events(tuple(self._profiles.values()))

    def days(self, symbol: str) -> Int64s:
        """The sessions while a symbol is listed; none for an unknown symbol."""
        profile = self._profiles.get(symbol)
        if profile is None:
            return np.empty(0, np.int64)
        days = generated_days()
        end = len(days)
        if profile.delisted:
            end = int(np.searchsorted(days, day_of(profile.delisted)))
        return days[np.searchsorted(days, day_of(profile.listed)) : end]

    def minutes(self, symbol: str, feed: str, day: int) -> Bars:
        """The bars of one of these sessions; feeds other than sip and iex have none."""
        if feed == "sip":
            return consolidated(self._draw(self._profiles[symbol], day), midnight(day))
        if feed == "iex":
            return on_iex(self._draw(self._profiles[symbol], day), midnight(day))
        return EMPTY_BARS

    def daily_days(self, symbol: str) -> Int64s:
        """The sessions since a symbol was listed."""
        return self.days(symbol)

    def daily(self, symbol: str, feed: str, day: int) -> Bars:
        """The bar of one of these sessions, as a provider makes it; see :mod:`sandbox.daily`."""
        bar = day_bar(self.minutes(symbol, feed, day), day)
        random = stream(self._seed, symbol, feed, "official", day)
        return official(bar, random, auctions=feed == "sip")

    def _path(self, symbol: str) -> Levels:
        if symbol not in self._paths:
            self._paths[symbol] = daily_levels(self._profiles[symbol], self._seed)
        return self._paths[symbol]

    def _draw_market_steps(self, day: int, minutes: int) -> Float64s:
        return stream(self._seed, "market", day).standard_normal(minutes)

    def _draw(self, profile: Profile, day: int) -> Minutes:
        form = _shape_of(day)
        size = form.edges[-1]
        random = stream(self._seed, profile.symbol, day)
        normals = random.standard_normal((NORMALS + 1, size))
        uniforms = random.random((UNIFORMS, size))
        rest = math.sqrt(1 - profile.market**2)
        steps = profile.market * self._market_steps(day, size) + rest * normals[NORMALS]
        anchors = _anchors(profile, self._path(profile.symbol), day)
        return session_minutes(form, anchors, steps, normals, uniforms)


def _shape_of(day: int) -> Shape:
    sessions = nyse()
    row = sessions.at_or_after(day)
    start, close, end = sessions.open[row], sessions.close[row], sessions.post_close[row]
    return shape(int(close - start) // 60, int(end - close) // 60)


def _anchors(profile: Profile, path: Levels, day: int) -> Anchors:
    row = int(np.searchsorted(generated_days(), day))
    unit = _adjusted_shares(profile, day)
    levels = (path.pre[row], path.open[row], path.close[row], path.post[row])
    raw = [float(level) + math.log(unit) for level in levels]
    trades, sigma = profile.trades * float(path.activity[row]), float(path.sigma[row])
    return Anchors((raw[0], raw[1], raw[2], raw[3]), sigma, trades, profile.shares / unit)


def _adjusted_shares(profile: Profile, day: int) -> int:
    """How many of today's shares one share of a day became."""
    return profile.split[1] if profile.split and day < day_of(profile.split[0]) else 1
