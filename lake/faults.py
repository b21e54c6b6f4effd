"""What the world does to a lake, in a sentence: a full disk, a lock, a damaged file, a read-only folder.

DuckDB, SQLite and the system say it in their own words, each in several; here they become one error
each, before anybody has to read them.
"""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from lake.errors import InvalidError, LakeError, TransientError
from lake.home import Home


class CatalogBusyError(TransientError):
    """The catalog could not be opened or read because another process holds it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"The lake's catalog is busy ({self.reason}). Nothing was written; ask again."


class DiskFullError(TransientError):
    """There is no room on a disk."""

    def __init__(self, place: str = "the lake") -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return f"The disk of {self.place} is full. Nothing was written; make room and ask again."


class ReadOnlyError(LakeError):
    """A lake, or a folder for one, that cannot be written."""

    def __init__(self, home: Path | str, reason: str) -> None:
        super().__init__(str(home), reason)
        self.home, self.reason = str(home), reason

    def __str__(self) -> str:
        return (
            f"{self.home} cannot be written ({self.reason}). Nothing was changed; make the folder writable, "
            "or name another one with BARLAKE_HOME. What is in it can still be read."
        )


class CatalogVersionError(InvalidError):
    """A catalog whose DuckLake is not ours."""

    def __init__(self, version: str, known: str) -> None:
        super().__init__(version, known)
        self.version, self.known = version, known

    def __str__(self) -> str:
        return (
            f"This lake's catalog is of DuckLake {self.version} and this Barlake works with {self.known}. "
            "Use the Barlake that wrote it; nothing was touched."
        )


class CatalogDamagedError(LakeError):
    """A catalog that is none: cut off, emptied, or overwritten."""

    def __init__(self, catalog: Path | str, reason: str) -> None:
        super().__init__(str(catalog), reason)
        self.catalog, self.reason = str(catalog), reason

    def __str__(self) -> str:
        return (
            f"{self.catalog} is damaged ({self.reason}), and it says which files make up the lake. Nothing was "
            "touched; leave the folder as it is and make the lake anew with `barlake restore DIR --home NEW`."
        )


class DataFileError(LakeError):
    """A data file of the lake is gone, or is not what was written."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return (
            f"{self.path} {self.reason}. `barlake verify` names all that is wrong with the lake, and "
            "`barlake verify --repair` mends it; other symbols are not affected."
        )


@contextmanager
def explained(home: Home) -> Iterator[None]:
    """Turn what the world did to a lake in a block into an error that says so; all else passes."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if (known := recognised(error, home)) is not None:
            raise known from error
        raise
    except RuntimeError as error:
        # What DuckDB makes of Ctrl-C while a query runs.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise


def recognised(error: Exception, home: Home) -> LakeError | None:
    """Our error for one of DuckDB or the system; None where it is something else."""
    if isinstance(error, OSError):
        return _of_system(error, home)
    words = " ".join(str(error).split())
    return _of_disk(words, home) or _of_file(words, home) or _of_catalog(words, home)


_LITTLE = 2**20
_FULL = ("No space left", "disk is full", "File too large")
_READ_ONLY = ("Read-only file system", "readonly database", "read-only mode", "Permission denied")
_VERSION = re.compile(r"catalog version is (\S+), but the extension requires version (\S+?)\.? ")
_FILE = re.compile(r"['\"](/[^'\"]+\.parquet)['\"]")
_DAMAGED = ("file is not a database", "disk image is malformed")


def _of_system(error: OSError, home: Home) -> LakeError | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFullError()
    inside = isinstance(error.filename, str) and _inside(Path(error.filename), home)
    if inside and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ReadOnlyError(home.root, error.strerror or "no permission")
    return None


def _of_disk(words: str, home: Home) -> LakeError | None:
    if any(sign in words for sign in _FULL) or ("disk I/O error" in words and _is_full(home)):
        return DiskFullError()
    found = next((sign for sign in _READ_ONLY if sign in words), None)
    file = _FILE.search(words)
    if found is None or (file and Path(file[1]).is_file()):  # a file that is there was to be read
        return None
    return ReadOnlyError(home.root, found)


def _is_full(home: Home) -> bool:
    """Whether there is not even room for what SQLite puts beside a database that it reads."""
    return shutil.disk_usage(home.root).free < _LITTLE


def _of_file(words: str, home: Home) -> LakeError | None:
    file = _FILE.search(words)
    if file is None or not _inside(Path(file[1]), home):
        return None
    path = Path(file[1])
    return DataFileError(str(path.relative_to(home.root)), broken(path, words.partition("'")[0]))


def broken(path: Path, words: str) -> str:
    """What is the matter with a file that could not be read, as the end of a sentence about it."""
    if not path.exists():
        return "is missing"
    return f"is damaged ({' '.join(words.split()).rstrip('.:;, ')[:120]})"


def _of_catalog(words: str, home: Home) -> LakeError | None:
    if "database is locked" in words or "database schema is locked" in words:
        return CatalogBusyError("database is locked")
    if version := _VERSION.search(words):
        return CatalogVersionError(version[1], version[2])
    if damage := next((sign for sign in _DAMAGED if sign in words), None):
        return CatalogDamagedError(home.catalog, damage)
    return None


def _inside(path: Path, home: Home) -> bool:
    return path.is_relative_to(home.root) or home.root.is_relative_to(path)
