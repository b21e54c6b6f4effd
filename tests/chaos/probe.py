"""Whether a kill left the lake as it was, by the standard library alone: a hundredth of a second.

A commit that did not happen leaves the catalog, once SQLite has recovered it, row for row as it
was. A copy is looked at: whoever checks further is the first to open what the kill left.
"""

import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

_COPIES = ("saved", "out", "again")


def digest_of(home: Path) -> str:
    """All rows of all tables of a lake's catalog, as one number."""
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        for file in (home / "duckdb").glob("lake.sqlite*"):
            if not file.name.endswith("-shm"):
                shutil.copyfile(file, Path(scratch, file.name))
        with closing(sqlite3.connect(Path(scratch, "lake.sqlite"))) as catalog:
            rows = hashlib.sha256()
            for line in catalog.iterdump():
                rows.update(line.encode())
            return rows.hexdigest()


def files_of(home: Path) -> dict[str, int]:
    """The Parquet files of a lake with their sizes."""
    place = home / "parquet"
    return {str(file.relative_to(place)): file.stat().st_size for file in place.rglob("*.parquet")}


def as_before(base: Path, root: Path, digest: str) -> bool:
    """Whether a killed work left the catalog and its files as they were, and nothing was acknowledged.

    False, too, where the work writes more than a lake: then all of it must be looked at.
    """
    if (root / "acknowledged").exists() or any((root / name).exists() for name in _COPIES):
        return False
    if not (root / "home" / "duckdb" / "lake.sqlite").exists():
        return False
    same_files = files_of(base / "home").items() <= files_of(root / "home").items()
    return same_files and digest_of(root / "home") == digest
