"""The features there are: those that all modules in ``feature_service.definitions`` declare."""

import difflib
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

from feature_service import definitions
from feature_service.registry import Feature, registered
from lake.errors import InvalidError


class FeatureNameError(InvalidError):
    """Names that no feature has."""

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(tuple(names), tuple(known))
        self.names, self.known = tuple(names), tuple(known)

    def __str__(self) -> str:
        first = self.names[0]
        near = difflib.get_close_matches(first, self.known, n=3)
        hint = f" The nearest are {', '.join(near)}." if near else ""
        return f"There is no feature {first[:40]!r}.{hint} `barlake features list --set wide` shows all."


def features() -> dict[str, Feature]:
    """Every feature there is, by name."""
    for module in iter_modules(definitions.__path__):
        import_module(f"{definitions.__name__}.{module.name}")
    return registered()


def chosen(names: Sequence[str]) -> tuple[Feature, ...]:
    """The features of some names.

    Raises:
        FeatureNameError: There is none; the sentence names the nearest.
    """
    known = features()
    if unknown := [name for name in names if name not in known]:
        raise FeatureNameError(unknown, [name for name in known if not name.startswith("_")])
    return tuple(known[name] for name in names)
