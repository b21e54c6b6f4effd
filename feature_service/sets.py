"""Named sets of features, and the forms a set comes in: timeframe, hours, adjustment."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal, get_args

from feature_service import catalog
from feature_service.fingerprint import digest
from feature_service.registry import GROUPS, Feature
from lake import TIMEFRAMES
from lake.errors import InvalidError
from lake.schema import check_symbol

Hours = Literal["regular", "all"]
Adjust = Literal["raw", "split"]

#: A list of names, not "all there are": a new feature elsewhere must not change this set.
_CORE = """
    sma_5 sma_20 sma_50 sma_200 ema_12 ema_26
    rsi_14
    std_20 bb_lower_20 bb_middle_20 bb_upper_20 bb_width_20 bb_percent_20 volatility_20
    return_1 return_5 return_15 return_30 return_5m return_30m return_60m
    log_return_1 log_return_5 log_return_15
    close_lag_1 close_lag_2 close_lag_3 close_lag_5 close_lag_10
    return_lag_1 return_lag_2 return_lag_3 return_lag_5 return_lag_10
    volume_sma_20 relative_volume_20 volume_zscore_20
"""
_WHOLE_SESSIONS = ("1d", "1week")
#: Beside whom features of ``context`` look, unless their set's name says otherwise.
CONTEXT, BESIDE = "SPY", "_vs_"
_OWN = "1min"
#: Groups that are not in ``wide``: they need another symbol's bars, or are a set of their own.
_CONTEXTUAL = "context"
_APART = (_CONTEXTUAL, "alpha158")


class FeatureSetError(InvalidError):
    """A name that no feature set has."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        parts = (self.name, self.name.partition("_")[0])
        near = [one for part in parts for one in difflib.get_close_matches(part, self.known, n=1)]
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"There is no feature set {self.name[:40]!r}.{hint} The sets are {', '.join(self.known)}."


class FeatureFormError(InvalidError):
    """A form that no feature set has."""

    def __init__(self, what: str, given: str, known: Sequence[str]) -> None:
        super().__init__(what, given, tuple(known))
        self.what, self.given, self.known = what, given, tuple(known)

    def __str__(self) -> str:
        return f"A feature set has no {self.what} {self.given[:40]!r}; choose one of {', '.join(self.known)}."


class NothingInSetError(InvalidError):
    """A set none of whose features has a meaning in the form asked for."""

    def __init__(self, name: str, timeframe: str) -> None:
        super().__init__(name, timeframe)
        self.name, self.timeframe = name, timeframe

    def __str__(self) -> str:
        return (
            f"No feature of the set {self.name} has a meaning for bars of {self.timeframe}: "
            "they say where in a session a bar lies. Ask for a timeframe of minutes or hours."
        )


@dataclass(frozen=True)
class FeatureSet:
    """A named list of features and what they are computed from.

    Attributes:
        name: As users write it; a form that is not the usual one is part of it, ``core_1h_all_raw``.
        features: In the order of the columns.
        hours: ``regular``: bars of the regular session, each window running on from the close of
            one session to the open of the next. ``all``: extended hours too, in one series.
        adjust: How prices are adjusted; ``split`` also divides volumes, so that a split leaves no
            step in any window. A later split changes all values before it alike.
        timeframe: Of the bars.
        context: The other symbol whose bars some of the features read; None if none does.
        about: For whom, in one sentence.
    """

    name: str
    features: tuple[Feature, ...]
    hours: Hours = "regular"
    adjust: Adjust = "split"
    timeframe: str = _OWN
    context: str | None = None
    about: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the feature columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each feature by its name."""
        return {feature.name: feature.hash for feature in self.features}

    @cached_property
    def version(self) -> str:
        """The hash of everything the values depend on, but for the bars."""
        beside = [] if self.context is None else [self.context]
        return digest([list(self.hashes.items()), self.hours, self.adjust, self.timeframe, *beside])

    @property
    def warm_up(self) -> int:
        """Rows at the beginning of a history in which some column is null."""
        return max(feature.warm_up for feature in self.features)

    def of_groups(self, groups: Sequence[str]) -> tuple[str, ...]:
        """The columns of some groups.

        Raises:
            FeatureFormError: The set has none of a group.
        """
        own = list(dict.fromkeys(feature.group for feature in self.features))
        for group in groups:
            if group not in own:
                raise FeatureFormError("group", group, own)
        return tuple(feature.name for feature in self.features if feature.group in groups)

    def beside(self, symbol: str) -> "FeatureSet":
        """The set with another context symbol, under the name that says so.

        Raises:
            FeatureFormError: None of its features reads another symbol's bars.
        """
        ticker = check_symbol(symbol)
        if self.context is None:
            raise FeatureFormError("context symbol", symbol, [_CONTEXTUAL])
        if ticker == self.context:
            return self
        name = f"{self.name}{BESIDE}{ticker.lower().replace('.', '_').replace('-', '_')}"
        return replace(self, name=name, context=ticker)

    def formed(self, timeframe: str, hours: Hours, adjust: Adjust) -> "FeatureSet":
        """The set in another form, under the name that says so.

        Raises:
            NothingInSetError: None of its features has a meaning for such bars.
        """
        whole = timeframe in _WHOLE_SESSIONS
        kept = tuple(feature for feature in self.features if not (whole and feature.intraday))
        if not kept:
            raise NothingInSetError(self.name, timeframe)
        parts = [
            self.name,
            *([timeframe] if timeframe != self.timeframe else []),
            *([hours] if hours != self.hours else []),
            *([adjust] if adjust != self.adjust else []),
        ]
        return replace(
            self,
            name="_".join(parts),
            features=kept,
            timeframe=timeframe,
            hours=hours,
            adjust=adjust,
        )


@cache
def sets() -> dict[str, FeatureSet]:
    """Every feature set there is, by name, in its usual form: minutes, regular hours, split-adjusted."""
    known = [feature for feature in catalog.features().values() if not feature.is_hidden]
    wide = tuple(feature for feature in known if feature.group not in _APART)
    found = {
        "core": FeatureSet("core", catalog.chosen(_CORE.split()), about="the first wide set"),
        "wide": FeatureSet("wide", wide, about="every feature of a symbol's own bars"),
    }
    for group, about in GROUPS.items():
        own = tuple(feature for feature in known if feature.group == group)
        if own:
            beside = CONTEXT if group == _CONTEXTUAL else None
            found[group] = FeatureSet(group, own, context=beside, about=about)
    return found


@cache
def feature_set(
    name: str,
    *,
    timeframe: str | None = None,
    hours: str | None = None,
    adjust: str | None = None,
    context: str | None = None,
) -> FeatureSet:
    """The set of a name, in the form that the name and the arguments say.

    Args:
        name: ``core``, or with a form: ``core_all``, ``wide_1h``, ``context_vs_qqq_1d_raw``.
        timeframe: One of ``lake.TIMEFRAMES``; by default what the name says, else the set's own, ``1min``.
        hours: ``regular`` or ``all``.
        adjust: ``split`` or ``raw``.
        context: The symbol beside which features of the group ``context`` look, SPY by default.

    Raises:
        FeatureSetError: There is none; the sentence names the nearest.
        FeatureFormError: No set has such a form.
        NothingInSetError: Nothing is left of the set in this form.
    """
    return set_among(sets(), name, timeframe=timeframe, hours=hours, adjust=adjust, context=context)


def set_among(
    known: Mapping[str, FeatureSet],
    name: str,
    *,
    timeframe: str | None = None,
    hours: str | None = None,
    adjust: str | None = None,
    context: str | None = None,
) -> FeatureSet:
    """As :func:`feature_set`, of other sets than those that are built in, by name."""
    base, said = _parted(name, known)
    base = base.beside(context) if context else base
    form = {
        "timeframe": timeframe or said.get("timeframe", base.timeframe),
        "hours": hours or said.get("hours", base.hours),
        "adjust": adjust or said.get("adjust", base.adjust),
    }
    for what, forms in FORMS.items():
        if form[what] not in forms:
            raise FeatureFormError(what, form[what], forms)
    return base.formed(form["timeframe"], form["hours"], form["adjust"])  # type: ignore[arg-type]


#: What the name of a set may say after its own, one word of each.
FORMS: dict[str, tuple[str, ...]] = {
    "timeframe": tuple(TIMEFRAMES),
    "hours": get_args(Hours),
    "adjust": get_args(Adjust),
}


def _parted(name: str, known: Mapping[str, FeatureSet]) -> tuple[FeatureSet, dict[str, str]]:
    """The set that a name begins with, and the form that the rest of it says."""
    said = dict[str, str]()
    rest = name
    while rest not in known:
        own, between, other = rest.partition(BESIDE)
        head, _, last = rest.rpartition("_")
        what = next((what for what, values in FORMS.items() if last in values), None)
        if head and what and what not in said and last != other:  # ALL is a ticker too
            rest, said[what] = head, last
        elif between and own in known and other:
            return known[own].beside(other.replace("_", ".").upper()), said
        else:
            raise FeatureSetError(name, sorted(known))
    return known[rest], said
