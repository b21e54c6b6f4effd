"""Feature sets of users: named lists of features, groups and expressions, written in TOML or sent as JSON.

A definition is checked whole before it is stored, and read again with the features there are now:
a set of which something has gone since says so when it is asked for.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from feature_service import catalog, engine, sets
from feature_service.expressions import derived
from feature_service.inputs import CONTEXT
from feature_service.registry import GROUPS, Feature
from feature_service.sets import BESIDE, FORMS, FeatureFormError, FeatureSet, FeatureSetError
from lake import Lake
from lake.errors import MissingError, ProblemError
from lake.features import StoredSet, store_set, stored_sets
from lake.schema import check_symbol

#: With every form that a name may have behind it, a name is no longer than a table's may be.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,17}", re.ASCII)
_MOST_COLUMNS = 2_000
_LISTS, _TEXTS = ("features", "groups"), ("about", "timeframe", "hours", "adjust", "context")
_FIELDS = (*_LISTS, "expressions", *_TEXTS)
_EXAMPLE = '[sets.mine] with features = ["sma_20", "rsi_14"]'


class UserSetError(ProblemError):
    """A definition of a feature set that cannot be."""


class NoSuchUserSetError(MissingError):
    """A set that is to be dropped and is none of a user's."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        there = f"Those there are: {', '.join(self.known)}." if self.known else "There are none."
        return f"No feature set {self.name[:40]!r} was defined. {there}"


@dataclass(frozen=True)
class UserSet:
    """What a user wrote.

    Attributes:
        name: Of the set.
        features: Of the catalog, by name.
        groups: All features of these, after those.
        expressions: Columns by name, after those; each may read features and expressions above it.
        about: For whom, in a sentence.
        timeframe: As for :class:`FeatureSet`, as the next three.
    """

    name: str
    features: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    expressions: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    timeframe: str = "1min"
    hours: str = "regular"
    adjust: str = "split"
    context: str | None = None

    @property
    def definition(self) -> str:
        """JSON, the same for the same set however it was written."""
        return json.dumps({name: getattr(self, name) for name in _FIELDS}, ensure_ascii=False)

    def feature_set(self) -> FeatureSet:
        """The set itself, of the features there are now.

        Raises:
            InvalidError: Something it names is not there, or an expression is not allowed.
        """
        columns = self._columns()
        needed = engine.with_parents(columns).values()
        beside = any(CONTEXT[0] in one.inputs for one in needed)
        if self.context and not beside:
            problem = f"{self.name}: context is {self.context}, but no feature reads another symbol's bars."
            raise UserSetError(problem)
        return FeatureSet(
            self.name,
            columns,
            hours=self.hours,  # type: ignore[arg-type]
            adjust=self.adjust,  # type: ignore[arg-type]
            timeframe=self.timeframe,
            context=(self.context or sets.CONTEXT) if beside else None,
            about=self.about or "a set that was defined here",
        )

    def _columns(self) -> tuple[Feature, ...]:
        known = catalog.features()
        public = {name: one for name, one in known.items() if not one.is_hidden}
        if hidden := [name for name in self.features if name in known and name not in public]:
            raise catalog.FeatureNameError(hidden, list(public))
        found = {one.name: one for one in catalog.chosen(self.features)}
        for group in self.groups:
            if group not in GROUPS:
                raise FeatureFormError("group", group, list(GROUPS))
            found |= {one.name: one for one in public.values() if one.group == group}
        own = dict[str, Feature]()
        for name, text in self.expressions.items():
            own[name] = derived(name, text, {**known, **own})
        found |= own
        if not 0 < len(found) <= _MOST_COLUMNS:
            problem = (
                f"{self.name} has {len(found):,} columns: name features, groups or expressions, "
                f"1 to {_MOST_COLUMNS:,} columns together."
            )
            raise UserSetError(problem)
        return tuple(found.values())


def read_toml(path: Path) -> list[UserSet]:
    """The sets of a file: a table ``[sets.NAME]`` for each.

    Raises:
        InvalidError: It cannot be read, has none, or one of them cannot be. The sentence says which.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or error}."
        raise UserSetError(problem) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = f"{path} is no TOML ({error}). A set is written as {_EXAMPLE}."
        raise UserSetError(problem) from None
    found = content.get("sets")
    if not isinstance(found, dict) or not found or len(content) > 1:
        other = next((name for name in content if name != "sets"), None)
        problem = f"{path} has {other or 'no sets'}: write each set as {_EXAMPLE}."
        raise UserSetError(problem)
    return [from_facts(name, facts) for name, facts in found.items()]


def from_facts(name: str, facts: Any) -> UserSet:
    """A set as TOML or JSON says it, checked whole.

    Raises:
        InvalidError: It cannot be; the sentence says why.
    """
    _check_name(name)
    if not isinstance(facts, dict):
        problem = f"{name} must be a table of {', '.join(_FIELDS)}, like {_EXAMPLE}."
        raise UserSetError(problem)
    if unknown := [key for key in facts if key not in _FIELDS]:
        problem = f"{name} has a field {unknown[0]!r}; a set has {', '.join(_FIELDS)}."
        raise UserSetError(problem)
    given = {key: _field(name, key, value) for key, value in facts.items() if value is not None}
    for what, forms in FORMS.items():
        if what in given and given[what] not in forms:
            raise FeatureFormError(what, given[what], forms)
    if "context" in given:
        given["context"] = check_symbol(given["context"])
    made = UserSet(name, **given)
    # What the set is in its own form: nothing may be left of it there.
    sets.set_among({name: made.feature_set()}, name)
    return made


def define(lk: Lake, new: UserSet) -> bool:
    """Store a set; a later definition of its name stands for it. What was built of it stays.

    Returns:
        Whether that is news.
    """
    return store_set(lk, new.name, new.definition)


def drop(lk: Lake, name: str) -> None:
    """Forget a set's name; what was built of it stays readable until its versions are dropped.

    Raises:
        NoSuchUserSetError: There is none of that name.
    """
    held = [one.name for one in stored_sets(lk)]
    if name not in held:
        raise NoSuchUserSetError(name, held)
    store_set(lk, name, None)


@dataclass(frozen=True)
class Told:
    """A stored set as lists show it.

    Attributes:
        set: None if it cannot be computed any more.
        problem: Why not; empty otherwise.
    """

    name: str
    set: FeatureSet | None
    definition: Mapping[str, Any]
    created_at: datetime
    problem: str = ""


def defined(lk: Lake) -> list[Told]:
    """Every set that users defined, by name."""
    return [told(one) for one in stored_sets(lk)]


def told(stored: StoredSet) -> Told:
    """A stored set as lists show it."""
    definition = json.loads(stored.definition)
    try:
        made = read(stored)
    except (ProblemError, catalog.FeatureNameError, FeatureFormError) as error:
        return Told(stored.name, None, definition, stored.created_at, str(error))
    return Told(stored.name, made, definition, stored.created_at)


def read(stored: StoredSet) -> FeatureSet:
    """The set of a stored definition, of the features there are now."""
    return from_facts(stored.name, json.loads(stored.definition)).feature_set()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        problem = (
            f"{name[:40]!r} cannot name a feature set of yours. Use at most 18 small letters, digits and _, "
            "beginning with a letter, like mine."
        )
        raise UserSetError(problem)
    last = name.rpartition("_")[2]
    if name in GROUPS or BESIDE in f"{name}_" or any(last in forms for forms in FORMS.values()):
        problem = f"The name {name} is taken by a built-in set, or says a form of one. Take another, like my_{name[:15]}."
        raise UserSetError(problem)
    try:
        sets.feature_set(name)
    except FeatureSetError:
        return
    problem = f"{name} is a built-in set. Take another name."
    raise UserSetError(problem)


def _field(name: str, key: str, value: Any) -> Any:
    if key in _LISTS:
        if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            return tuple(value)
        kind = 'a list of names, like ["sma_20", "rsi_14"]'
    elif key == "expressions":
        if isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
            return dict(value)
        kind = 'a table of texts, like trend = "sma_20 / sma_50 - 1"'
    elif isinstance(value, str):
        return value
    else:
        kind = "a text"
    problem = f"{name}: {key} must be {kind}."
    raise UserSetError(problem)
