"""Features and sets in words and numbers, as the command line and the API tell them."""

from collections.abc import Mapping
from typing import Any

from feature_service import catalog, sets, user_sets
from feature_service.registry import Feature
from feature_service.sets import FeatureSet
from lake import Lake
from lake.features import definitions

Versions = Mapping[str, list[dict[str, Any]]]


def feature_facts(feature: Feature, versions: Versions | None = None) -> dict[str, Any]:
    """All that a feature declares, its hash, and the versions of it that a lake knows."""
    names = (
        "name",
        "group",
        "unit",
        "warm_up",
        "memory",
        "sessions",
        "intraday",
        "null_rule",
        "source",
        "about",
        "hash",
        "code_reference",
    )
    facts = {name: getattr(feature, name) for name in names}
    low, high = feature.value_range
    return facts | {
        "params": dict(feature.params),
        "parents": list(feature.parents),
        "inputs": list(feature.inputs),
        "lowest": low,
        "highest": high,
        "versions": (versions or {}).get(feature.name, []),
    }


def versions(lk: Lake | None) -> dict[str, list[dict[str, Any]]]:
    """The versions of each feature that were ever built in a lake, oldest first, by its name."""
    found = dict[str, list[dict[str, Any]]]()
    for row in definitions(lk).to_dicts() if lk else []:
        kept = ("version", "hash", "code_reference", "created_at")
        found.setdefault(row["feature_name"], []).append({name: row[name] for name in kept})
    return found


def find_feature(lk: Lake | None, name: str) -> Feature:
    """A feature of the catalog, or of a set that a user of the lake defined.

    Raises:
        FeatureNameError: There is none; the sentence names the nearest.
    """
    known = {one.name: one for one in catalog.features().values() if not one.is_hidden}
    if name in known:
        return known[name]
    own = {one.name: one for told in _defined(lk) if told.set for one in told.set.features}
    if name in own:
        return own[name]
    raise catalog.FeatureNameError([name], [*known, *own])


def set_facts(wanted: FeatureSet) -> dict[str, Any]:
    """A set: its version, its form, and its columns by group."""
    groups = dict[str, list[str]]()
    for feature in wanted.features:
        groups.setdefault(feature.group, []).append(feature.name)
    names = ("name", "version", "timeframe", "hours", "adjust", "context", "warm_up", "about")
    return {name: getattr(wanted, name) for name in names} | {"groups": groups}


def all_sets(lk: Lake | None) -> list[dict[str, Any]]:
    """Every set there is: the built-in ones, then those that users of the lake defined."""
    found = [
        {**_line(one), "built_in": True, "created_at": None, "definition": None, "problem": ""}
        for one in sets.sets().values()
    ]
    for told in _defined(lk):
        line = _line(told.set) if told.set else dict.fromkeys(_LINE) | {"name": told.name}
        found.append(
            {
                **line,
                "built_in": False,
                "created_at": told.created_at,
                "definition": dict(told.definition),
                "problem": told.problem,
            }
        )
    return found


_LINE = ("name", "version", "columns", "timeframe", "hours", "adjust", "context", "about")


def _line(one: FeatureSet) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _LINE} | {"columns": len(one.columns)}


def _defined(lk: Lake | None) -> list[user_sets.Told]:
    return user_sets.defined(lk) if lk else []
