"""At which prices the volume of earlier sessions was traded.

The span from the lowest to the highest price of some whole sessions is cut into 50 bins of the same
width; the volume of each bar counts for the bin of its typical price, (high + low + close) / 3.
``_profile_{sessions}d`` holds what is found in it, as numbers of bins: they do not change with the
scale of the prices. The profile of the session that is under way is not there: it would have to be
made anew with each bar.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import polars as pl

from feature_service.by_session import of_sessions_before, once_a_session, starts_of
from feature_service.compiled import Values
from feature_service.registry import feature
from feature_service.volume_profile import (
    BASE,
    HIGH,
    HVN_ABOVE,
    HVN_BELOW,
    LOW,
    LVN_ABOVE,
    LVN_BELOW,
    POC,
    digits,
    prices_at,
    profiles,
)
from feature_service.windows import mapped

_STEIDLMAYER = "Steidlmayer and Koy, Markets and Market Logic (1986)"
_DALTON = "Dalton, Jones and Dalton, Mind over Markets (1990)"
_SPANS = [{"sessions": 1}, {"sessions": 5}]
_FIRST = (
    "in the first {sessions} sessions of a history, and where nothing was traded in those before"
)
_NO_NODE = f"{_FIRST}, or no such node lies there"


def _too_early(sessions: int) -> pl.Expr:
    return pl.col("session") < sessions


@feature(
    "_span_low_{sessions}d",
    group="profile",
    unit="USD per share",
    source="bars of the sessions before",
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule="in the first {sessions} sessions of a history",
    null_when=_too_early,
)
def span_low(sessions: int) -> pl.Expr:
    """Lowest price of the sessions before."""
    return of_sessions_before("low", "min", sessions)


@feature(
    "_span_high_{sessions}d",
    group="profile",
    unit="USD per share",
    source="bars of the sessions before",
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule="in the first {sessions} sessions of a history",
    null_when=_too_early,
)
def span_high(sessions: int) -> pl.Expr:
    """Highest price of the sessions before."""
    return of_sessions_before("high", "max", sessions)


@feature(
    "_profile_{sessions}d",
    group="profile",
    unit="numbers of bins, in a base of 64",
    source=f"{_STEIDLMAYER}; {_DALTON}",
    each=_SPANS,
    sessions=lambda sessions: sessions,
    parents=["_span_low_{sessions}d", "_span_high_{sessions}d"],
)
def profile(sessions: int) -> pl.Expr:
    """Bins of the point of control, the value area, and the nodes beside the close; 0 without volume."""
    low, high = f"_span_low_{sessions}d", f"_span_high_{sessions}d"
    return mapped(
        partial(profiles, sessions=sessions), "session", "high", "low", "close", "volume", low, high
    )


def _nothing_traded(sessions: int) -> pl.Expr:
    return pl.col(f"_profile_{sessions}d") == 0


def _no_node(sessions: int, place: int) -> pl.Expr:
    unit: int = BASE**place
    return pl.col(f"_profile_{sessions}d").cast(pl.Int64) // unit % BASE == 0


def _level(sessions: int, place: int, edge: float) -> pl.Expr:
    """A price of the profile: where in its bin ``edge`` says, from 0 to 1."""

    def level(codes: Values, bottom: Values, top: Values) -> Values:
        prices = prices_at(digits(codes, place) + (edge - 1.0), bottom, top)
        return np.where(codes > 0, prices, np.nan)

    return once_a_session(level, *_parents(sessions))


def _node(sessions: int, place: int) -> pl.Expr:
    """The centre of a bin beside each close."""

    def nodes(series: Sequence[pl.Series]) -> pl.Series:
        numbers, codes = series[0].to_numpy(), series[1].to_numpy()
        starts = starts_of(numbers)
        bottom, top = (one.gather(starts).to_numpy()[:, None] for one in series[2:])
        centres = prices_at(np.arange(BASE) - 0.5, bottom, top)
        centres[:, 0] = np.nan
        found = np.empty(len(codes))
        for own, (start, end) in zip(centres, pairwise([*starts, len(codes)]), strict=True):
            found[start:end] = own[digits(codes[start:end], place)]
        return pl.Series(found, dtype=pl.Float64, nan_to_null=True)

    return pl.map_batches(["session", *_parents(sessions)], nodes, return_dtype=pl.Float64)


def _parents(sessions: int) -> list[str]:
    return [name.format(sessions=sessions) for name in _READS]


_READS = ("_profile_{sessions}d", "_span_low_{sessions}d", "_span_high_{sessions}d")


@feature(
    "poc_{sessions}d",
    group="profile",
    unit="USD per share",
    source=_STEIDLMAYER,
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_FIRST,
    null_when=_nothing_traded,
    parents=_READS,
)
def poc(sessions: int) -> pl.Expr:
    """Point of control: centre of the bin with most volume; of several the nearest to the middle."""
    return _level(sessions, POC, 0.5)


@feature(
    "value_area_low_{sessions}d",
    group="profile",
    unit="USD per share",
    source=f"{_DALTON}: two bins at a time",
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_FIRST,
    null_when=_nothing_traded,
    parents=_READS,
)
def value_area_low(sessions: int) -> pl.Expr:
    """Lower edge of the bins around the point of control that hold 70 % of the volume."""
    return _level(sessions, LOW, 0.0)


@feature(
    "value_area_high_{sessions}d",
    group="profile",
    unit="USD per share",
    source=f"{_DALTON}: two bins at a time",
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_FIRST,
    null_when=_nothing_traded,
    parents=_READS,
)
def value_area_high(sessions: int) -> pl.Expr:
    """Upper edge of the bins around the point of control that hold 70 % of the volume."""
    return _level(sessions, HIGH, 1.0)


@feature(
    "poc_distance_{sessions}d",
    group="profile",
    unit="share of the level",
    source=_STEIDLMAYER,
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_FIRST,
    null_when=_nothing_traded,
    parents=["poc_{sessions}d", "_profile_{sessions}d"],
)
def poc_distance(sessions: int) -> pl.Expr:
    """How far the close lies above the point of control."""
    return pl.col("close") / pl.col(f"poc_{sessions}d") - 1


@feature(
    "value_area_low_distance_{sessions}d",
    group="profile",
    unit="share of the level",
    source=_DALTON,
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_FIRST,
    null_when=_nothing_traded,
    parents=["value_area_low_{sessions}d", "_profile_{sessions}d"],
)
def value_area_low_distance(sessions: int) -> pl.Expr:
    """How far the close lies above the value area's low."""
    return pl.col("close") / pl.col(f"value_area_low_{sessions}d") - 1


@feature(
    "value_area_high_distance_{sessions}d",
    group="profile",
    unit="share of the level",
    source=_DALTON,
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_FIRST,
    null_when=_nothing_traded,
    parents=["value_area_high_{sessions}d", "_profile_{sessions}d"],
)
def value_area_high_distance(sessions: int) -> pl.Expr:
    """How far the close lies above the value area's high."""
    return pl.col("close") / pl.col(f"value_area_high_{sessions}d") - 1


@feature(
    "hvn_above_{sessions}d",
    group="profile",
    unit="USD per share",
    source=_DALTON,
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_NO_NODE,
    null_when=lambda sessions: _no_node(sessions, HVN_ABOVE),
    parents=_READS,
)
def hvn_above(sessions: int) -> pl.Expr:
    """Nearest high-volume node in a bin above the close's: a peak of the smoothed profile."""
    return _node(sessions, HVN_ABOVE)


@feature(
    "hvn_below_{sessions}d",
    group="profile",
    unit="USD per share",
    source=_DALTON,
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_NO_NODE,
    null_when=lambda sessions: _no_node(sessions, HVN_BELOW),
    parents=_READS,
)
def hvn_below(sessions: int) -> pl.Expr:
    """Nearest high-volume node in a bin below the close's: a peak of the smoothed profile."""
    return _node(sessions, HVN_BELOW)


@feature(
    "lvn_above_{sessions}d",
    group="profile",
    unit="USD per share",
    source=_DALTON,
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_NO_NODE,
    null_when=lambda sessions: _no_node(sessions, LVN_ABOVE),
    parents=_READS,
)
def lvn_above(sessions: int) -> pl.Expr:
    """Nearest low-volume node in a bin above the close's: a valley of the smoothed profile."""
    return _node(sessions, LVN_ABOVE)


@feature(
    "lvn_below_{sessions}d",
    group="profile",
    unit="USD per share",
    source=_DALTON,
    each=_SPANS,
    sessions=lambda sessions: sessions,
    null_rule=_NO_NODE,
    null_when=lambda sessions: _no_node(sessions, LVN_BELOW),
    parents=_READS,
)
def lvn_below(sessions: int) -> pl.Expr:
    """Nearest low-volume node in a bin below the close's: a valley of the smoothed profile."""
    return _node(sessions, LVN_BELOW)
