"""What code and which libraries made a model."""

import hashlib
import inspect
import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_LIBRARIES = ("polars", "numpy", "scipy", "scikit-learn", "joblib")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def libraries(*more: str) -> dict[str, str]:
    """Versions of what computes; another version may give other bits.

    Args:
        more: Further distributions, of which those that are not installed are left out.
    """
    found = {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
    for name in more:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def origin(kind: type) -> dict[str, str]:
    """Where a class comes from: the hash of its module's source, and its distribution's version."""
    top = kind.__module__.partition(".")[0]
    owners = packages_distributions().get(top, [])
    try:
        text = inspect.getsource(inspect.getmodule(kind) or kind)
    except (OSError, TypeError):
        text = ""
    return {
        "class": f"{kind.__module__}:{kind.__qualname__}",
        "source": hashlib.sha256(text.encode()).hexdigest(),
        **{name: version(name) for name in sorted(set(owners))},
    }


@cache
def code_version(*rooms: str) -> dict[str, str]:
    """The package's version and the hash of the sources of its rooms, as they are imported here."""
    found = hashlib.sha256()
    for room in rooms:
        for name, text in sorted(_sources(files(room), room)):
            found.update(f"{name}\0".encode() + text)
    return {"barlake": version("barlake"), "sources": found.hexdigest()}


def commit(room: str) -> str | None:
    """The commit that the checkout of a room's sources stands at.

    Git is not run, its files are read. What was changed and not committed does not show here: the
    hash of the sources says what ran.

    Returns:
        In hexadecimal; None where the room does not lie at the root of a checkout.
    """
    place = files(room)
    return commit_of(place.parent) if isinstance(place, Path) else None


def commit_of(root: Path) -> str | None:
    """The commit at which a folder with ``.git`` stands, be it a checkout or a worktree of one."""
    try:
        inside = _git_folder(root / ".git")
        head = (inside / "HEAD").read_text(encoding="utf-8").strip()
        name = head.removeprefix("ref: ")
        found = head if name == head else _resolved(inside, name)
    except (OSError, UnicodeDecodeError):
        return None
    return found if found and _COMMIT.fullmatch(found) else None


def _git_folder(place: Path) -> Path:
    """A worktree has a file in the place of the folder, which says where that is."""
    if place.is_dir():
        return place
    said = place.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")
    return place.parent / said


def _resolved(inside: Path, name: str) -> str | None:
    """A branch is a file of its own, or a line among packed ones; worktrees share both."""
    shared = inside / "commondir"
    common = inside / shared.read_text(encoding="utf-8").strip() if shared.is_file() else inside
    for folder in (inside, common):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8").strip()
    packed = (common / "packed-refs").read_text(encoding="utf-8")
    lines = (line.split(" ") for line in packed.splitlines())
    return next((line[0] for line in lines if line[1:] == [name]), None)


def _sources(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found = []
    for item in folder.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            found += _sources(item, f"{path}/{item.name}")
        elif item.name.endswith(".py"):
            found.append((f"{path}/{item.name}", item.read_bytes()))
    return found
