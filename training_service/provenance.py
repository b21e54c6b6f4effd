"""What code and which libraries made a model."""

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

_LIBRARIES = ("polars", "numpy", "scikit-learn", "joblib")


def libraries() -> dict[str, str]:
    """Versions of what computes; another version may give other bits."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


@cache
def code_version(*rooms: str) -> dict[str, str]:
    """The package's version and the hash of the sources of its rooms, as they are imported here."""
    found = hashlib.sha256()
    for room in rooms:
        for name, text in sorted(_sources(files(room), room)):
            found.update(f"{name}\0".encode() + text)
    return {"barlake": version("barlake"), "sources": found.hexdigest()}


def _sources(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found = []
    for item in folder.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            found += _sources(item, f"{path}/{item.name}")
        elif item.name.endswith(".py"):
            found.append((f"{path}/{item.name}", item.read_bytes()))
    return found
