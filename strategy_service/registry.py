"""Finding strategies, sizings and risk rules by name."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from lake.errors import InvalidError
from strategy_service.parameters import Configured

T = TypeVar("T", bound=Configured)
Own = TypeVar("Own", bound=Configured)


class NoSuchNameError(InvalidError):
    """A name that no strategy, sizing or risk rule has."""

    def __init__(self, kind: str, name: str, known: Sequence[str]) -> None:
        super().__init__(kind, name, tuple(known))
        self.kind, self.name, self.known = kind, name, tuple(known)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name, self.known, n=1)
        hint = f" The nearest is {near[0]}." if near else ""
        return (
            f"There is no {self.kind} {self.name[:40]!r}.{hint} There are {', '.join(self.known)}."
        )


class Registry(Generic[T]):
    """Classes of one kind by their names.

    Args:
        kind: What one of them is called.
        package: Whose modules declare them.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self._package = kind, package
        self._by_name: dict[str, type[T]] = {}

    def __call__(self, key: str) -> Callable[[type[Own]], type[Own]]:
        """Register a class by a name.

        Raises:
            ValueError: Another class has that name.
        """

        def register(found: type[Own]) -> type[Own]:
            known = self._by_name.get(key)
            if known is not None and known.__qualname__ != found.__qualname__:
                message = f"{key} is declared twice: {known.__qualname__} and {found.__qualname__}"
                raise ValueError(message)
            found.key = key
            self._by_name[key] = found  # type: ignore[assignment]
            return found

        return register

    def all(self) -> dict[str, type[T]]:
        """Every class there is, by name."""
        package = import_module(self._package)
        for module in iter_modules(getattr(package, "__path__", ())):
            import_module(f"{self._package}.{module.name}")
        return dict(sorted(self._by_name.items()))

    def find(self, name: str) -> type[T]:
        """The class of a name.

        Raises:
            NoSuchNameError: There is none; the sentence names the nearest.
        """
        found = self._by_name.get(name) or self.all().get(name)
        if found is None:
            raise NoSuchNameError(self.kind, name, sorted(self._by_name))
        return found

    def make(self, name: str, parameters: Mapping[str, Any] | None = None) -> T:
        """One of a name, with some parameters and the others as usual.

        Raises:
            NoSuchNameError: There is none of that name.
            ParameterError: A parameter cannot be.
        """
        return self.find(name).of(parameters or {})
