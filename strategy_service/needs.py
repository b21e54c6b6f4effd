"""The features that strategies read, by name, in windows of any width.

The catalog has some widths of each window (``sma_20``, ``sma_50``). A name with another width
(``sma_37``) is the same function of the catalog with another parameter, under the same laws.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache

import polars as pl

from feature_service import catalog, engine
from feature_service.expressions import LONGEST_WINDOW
from feature_service.registry import Feature
from lake.errors import ProblemError

_NUMBERED = re.compile(r"(?P<stem>[a-z_]+)_(?P<number>[1-9][0-9]*)(?P<unit>m?)", re.ASCII)


class NeedError(ProblemError):
    """A feature that a strategy reads, and that cannot be."""


@dataclass(frozen=True, eq=False)
class Varied(Feature):
    """A feature of the catalog with another width.

    Attributes:
        origins: The features of ``parents``.
    """

    origins: tuple[Feature, ...]

    @property
    def ancestors(self) -> tuple[Feature, ...]:
        """The features of ``parents``."""
        return self.origins


def features(names: Iterable[str]) -> tuple[Feature, ...]:
    """The features of some names.

    Raises:
        NeedError: There is none of a name, in any width.
    """
    return tuple(feature(name) for name in names)


@cache
def feature(name: str) -> Feature:
    """The catalog's feature of a name, or the one like it in another width.

    Raises:
        NeedError: There is none of that name, in any width.
    """
    known = catalog.features()
    if name in known:
        return known[name]
    parsed = _NUMBERED.fullmatch(name)
    width = int(parsed["number"]) if parsed and len(parsed["number"]) <= len("5000") else 0
    like = _like(parsed, known.values()) if parsed else None
    if like is None:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f" The nearest are {', '.join(near)}." if near else ""
        problem = f"There is no feature {name[:40]!r}, in any width.{hint}"
        raise NeedError(problem)
    if not 1 <= width <= LONGEST_WINDOW:
        problem = f"{name[:40]}: a window is 1 to {LONGEST_WINDOW:,} wide."
        raise NeedError(problem)
    ((key, _),) = like.params.items()
    return _varied(like, key, width)


def widened(bars: pl.DataFrame, wanted: Iterable[Feature]) -> pl.DataFrame:
    """The bars with a column for each feature, as a strategy's ``signals`` takes them.

    Args:
        bars: Of one symbol from the beginning of its history, as :func:`feature_service.engine.compute`
            takes them.
        wanted: ``Rule.features`` of one or of several strategies; the same one counts once.
    """
    by_name = {one.name: one for one in wanted}
    if not by_name:
        return bars
    return engine.compute(bars.lazy(), by_name.values()).collect()


def _like(parsed: re.Match[str], known: Iterable[Feature]) -> Feature | None:
    """The widest feature of the catalog that differs by its width alone."""
    found = []
    for one in known:
        own = _NUMBERED.fullmatch(one.name)
        if own and len(one.params) == 1 and one.shared is None:
            same = (own["stem"], own["unit"]) == (parsed["stem"], parsed["unit"])
            if same and int(own["number"]) in one.params.values():
                found.append(one)
    return max(found, key=lambda one: max(one.params.values()), default=None)


def _varied(like: Feature, key: str, width: int) -> Feature:
    """A feature in another width, and its parents of the same width with it."""
    old = like.params[key]
    name = _renamed(like.name, old, width)
    parents = tuple(
        _varied(one, key, width) if dict(one.params) == {key: old} else one
        for one in like.ancestors
    )
    wider = width - old if key == "bars" else 0
    kept = {one.name: getattr(like, one.name) for one in fields(Feature)}
    changed = {
        "name": name,
        "params": {key: width},
        "null_rule": like.null_rule.replace(str(old), str(width)),
        "null_when": pl.col(name).is_null(),
        # Windows over bars are null, and look back, in step with their width.
        "warm_up": max(like.warm_up + wider, 0),
        "memory": max(like.memory + wider, 0),
        "parents": tuple(one.name for one in parents),
        "origins": parents,
    }
    return catalog.features().get(name) or Varied(**(kept | changed))


def _renamed(name: str, old: int, new: int) -> str:
    return re.sub(rf"_{old}(?=m?$)", f"_{new}", name)
