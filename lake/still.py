"""Databases in folders that cannot be written: SQLite reads them only beside files of its own.

A copy among the temporary files serves instead, for reading alone.
"""

import atexit
import os
import shutil
import tempfile
import time
from pathlib import Path

from lake.faults import CatalogBusyError

_TRIES, _PAUSE = 40, 0.05
_SETTLED_NS = 50_000_000
_Facts = tuple[tuple[int, int, int] | None, ...]


def is_still(database: Path) -> bool:
    """Whether this process cannot write to the folder of a database."""
    return not os.access(database.parent, os.W_OK)


class Copy:
    """A copy of a SQLite database as it is now, gone with the process that made it.

    Raises:
        CatalogBusyError: Somebody who may write it did so all the while.
    """

    def __init__(self, database: Path) -> None:
        self._database, self._owner = database, os.getpid()
        self._folder = Path(tempfile.mkdtemp(prefix="barlake-"))
        self._facts = self._take()
        atexit.register(self.remove)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._folder / self._database.name

    @property
    def is_old(self) -> bool:
        """Whether the database has changed since, or can be read where it lies."""
        return _facts(self._database) != self._facts or not is_still(self._database)

    def remove(self) -> None:
        """Remove it; a forked child leaves it to its parent."""
        if self._owner == os.getpid():
            shutil.rmtree(self._folder, ignore_errors=True)
            atexit.unregister(self.remove)

    def _take(self) -> _Facts:
        for _ in range(_TRIES):
            before = _facts(self._database)
            for file in _files(self._database):
                (self._folder / file.name).unlink(missing_ok=True)
                if file.exists():
                    shutil.copyfile(file, self._folder / file.name)
            settled = all(one is None or one[2] < time.time_ns() - _SETTLED_NS for one in before)
            if settled and before == _facts(self._database):
                return before
            time.sleep(_PAUSE)
        self.remove()
        raise CatalogBusyError("it changed while it was copied out of its read-only folder")


def _files(database: Path) -> tuple[Path, Path]:
    return database, database.with_name(f"{database.name}-wal")


def _facts(database: Path) -> _Facts:
    found: list[tuple[int, int, int] | None] = []
    for file in _files(database):
        try:
            facts = file.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((facts.st_ino, facts.st_size, facts.st_mtime_ns))
    return tuple(found)
