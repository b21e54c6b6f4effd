"""Saving a lake into a folder while agents write."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.backup import sqlite_copy
from lake.backup.disk import written_to
from lake.backup.errors import (
    BackupBusyError,
    BackupMissingError,
    BackupPlaceError,
    LakeDamagedError,
    LakeMovingError,
)
from lake.backup.manifest import (
    NAME,
    Entry,
    Manifest,
    copy_file,
    hash_file,
    load_manifest,
    sync_folder,
)
from lake.errors import LakeError
from lake.faults import CatalogBusyError, CatalogDamagedError, DiskFullError
from lake.home import Home
from lake.still import Copy, is_still
from lake.verify.listing import FILES

if TYPE_CHECKING:
    from lake.store import Lake

LOCK = "barlake-backup.lock"
_GENERATIONS = "generations"
_TRIES = 5
_HANDS = 4
_LITTLE = 2**20


@dataclass(frozen=True)
class Saved:
    """What a backup did.

    Attributes:
        snapshot: The DuckLake snapshot that was saved.
        files: How many files the backup has, and their ``bytes`` together.
        copied_files: How many of them were not there before, and their ``copied_bytes``.
        removed: Files of the backup before that this one does not need.
        seconds: How long it took.
    """

    snapshot: int
    files: int
    bytes: int
    copied_files: int
    copied_bytes: int
    removed: int
    seconds: float


def backup(lake: "Lake", folder: Path, *, check: bool = False) -> Saved:
    """Save a lake as it is at one moment; only what the last backup in the folder lacks is copied.

    Data files never change, so the catalog is copied first and then the files it names. The manifest
    comes last, by a rename: killed before, the folder still holds the last backup, whole. Writers,
    readers and upkeep may go on; where upkeep takes a file away meanwhile, the catalog is copied again.

    Args:
        lake: Open.
        folder: New, empty, or with a backup of this lake; not inside the home.
        check: Read the files of the last backup again, and copy anew what has changed on its disk.

    Raises:
        BackupPlaceError: The folder is no place for a backup of this lake.
        BackupBusyError: Another process is writing it.
        DiskFullError: There is no room for it. The last backup stays.
        LakeDamagedError: The lake lacks files that its catalog names. The last backup stays.
        LakeMovingError: Upkeep was faster each time; ask again.
    """
    begun = time.perf_counter()
    place = folder.expanduser().resolve()
    _check_place(place, lake.home)
    with written_to(place), _locked(place):
        saving = _Saving(lake.place, place, check=check)
        manifest = saving.run()
        manifest.save(place)
        removed = _remove_unnamed(place, manifest)
    return Saved(
        snapshot=manifest.snapshot,
        files=len(manifest.entries),
        bytes=sum(entry.size for entry in manifest.entries),
        copied_files=saving.copied_files,
        copied_bytes=saving.copied_bytes,
        removed=removed,
        seconds=time.perf_counter() - begun,
    )


class _Saving:
    """One backup on its way."""

    def __init__(self, home: Home, folder: Path, *, check: bool) -> None:
        self._home, self._folder, self._check = home, folder, check
        self._before = _last(folder)
        self._generation = f"{_GENERATIONS}/{_next_generation(folder)}"
        self._fresh: dict[str, Entry] = {}
        self.copied_files = self.copied_bytes = 0

    def run(self) -> Manifest:
        missing: set[str] = set()
        for _ in range(_TRIES):
            created = datetime.now(UTC).isoformat()
            catalog, told = self._catalog()
            self._check_lake(told)
            problems = self._data(told["files"])
            if not problems:
                entries = (catalog, *self._named(told["files"]), *self._others())
                self._sync(entries)
                return Manifest(told["lake"], told["snapshot"], created, entries)
            if again := missing & problems.keys():
                raise LakeDamagedError([problems[path] for path in sorted(again)])
            missing |= problems.keys()
        raise LakeMovingError(_TRIES)

    def _catalog(self) -> tuple[Entry, dict[str, Any]]:
        path = str(self._home.catalog.relative_to(self._home.root))
        target = self._new(path)
        told = copy_database(self._home.catalog, target, str(self._home.parquet))
        self._count(target.stat().st_size)
        return self._entry(path, target, hash_file(target)), told

    def _check_lake(self, told: dict[str, Any]) -> None:
        if self._before is not None and self._before.lake != told["lake"]:
            problem = f"{self._folder} holds the backup of another lake. Choose another folder; nothing was written there."
            raise BackupPlaceError(problem)
        strangers = [path for path, _, relative in told["files"] if not relative]
        if strangers:
            problem = (
                f"The catalog names files outside {self._home.parquet} ({strangers[0]}), which a backup cannot hold. "
                "Move them into the lake first: `barlake export` and `barlake import`."
            )
            raise BackupPlaceError(problem)

    def _data(self, files: Iterable[tuple[str, int, int]]) -> dict[str, str]:
        """Copy what is not there yet; gives what could not be, with the reason."""
        wanted = [(path, size) for path, size, _ in files if path not in self._fresh]
        with ThreadPoolExecutor(_HANDS) as pool:
            results = pool.map(partial(self._one), wanted)
            return {path: problem for path, problem in results if problem}

    def _one(self, wanted: tuple[str, int]) -> tuple[str, str]:
        path, size = wanted
        home_path = f"{self._home.parquet.name}/{path}"
        target = self._folder / home_path
        known = self._known(home_path, target, size)
        if known is not None:
            self._fresh[path] = known
            return path, ""
        try:
            copied, digest = copy_file(
                self._home.parquet / path, target, keep=lambda held, _: held == size
            )
        except FileNotFoundError:
            return path, f"{home_path} is missing"
        if copied != size:
            return path, f"{home_path} has {copied:,} bytes and the catalog says {size:,}"
        self._count(size)
        self._fresh[path] = self._entry(home_path, target, digest, size)
        return path, ""

    def _known(self, path: str, target: Path, size: int) -> Entry | None:
        """The entry of a file that is here already: saved before, or by a backup that was killed."""
        if not target.exists() or target.stat().st_size != size:
            return None
        entry = self._before.entry(path) if self._before else None
        if entry is None:
            return self._entry(path, target, hash_file(target), size)
        return None if self._check and hash_file(target) != entry.sha256 else entry

    def _named(self, files: Iterable[tuple[str, int, int]]) -> Iterator[Entry]:
        for path, _, _ in files:
            yield self._fresh[path]

    def _others(self) -> Iterator[Entry]:
        """The clock, the journal and the models: after the catalog, so that all it names is there."""
        if self._home.clock.exists():
            yield self._small(self._home.clock)
        journal = self._home.catalog.with_name("journal.sqlite")
        if journal.exists():
            path = str(journal.relative_to(self._home.root))
            target = self._new(path)
            copy_database(journal, target)
            self._count(target.stat().st_size)
            yield self._entry(path, target, hash_file(target))
        for file in sorted(self._home.models.rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                yield self._small(file)

    def _small(self, file: Path) -> Entry:
        path = str(file.relative_to(self._home.root))
        entry = self._before.entry(path) if self._before else None
        if entry is not None and hash_file(file) == entry.sha256:
            stored = self._folder / entry.stored
            if stored.exists() and hash_file(stored) == entry.sha256:
                return entry
        target = self._new(path)
        size, digest = copy_file(file, target)
        self._count(size)
        return self._entry(path, target, digest, size)

    def _new(self, path: str) -> Path:
        target = self._folder / self._generation / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _entry(self, path: str, target: Path, digest: str, size: int | None = None) -> Entry:
        length = target.stat().st_size if size is None else size
        return Entry(path, str(target.relative_to(self._folder)), length, digest)

    def _count(self, size: int) -> None:
        self.copied_files += 1
        self.copied_bytes += size

    def _sync(self, entries: Iterable[Entry]) -> None:
        folders = {self._folder}
        for entry in entries:
            folders |= {self._folder / parent for parent in Path(entry.stored).parents}
        for one in folders:
            sync_folder(one)


def copy_database(source: Path, target: Path, parquet: str | None = None) -> dict[str, Any]:
    """Copy a SQLite database of one moment, in a process of its own.

    Args:
        source: The database, which others may be writing.
        target: The copy, which is replaced.
        parquet: The folder of data files, where the database is a catalog.

    Returns:
        For a catalog ``lake``, ``snapshot`` and ``files`` (path, size, whether relative); else nothing.

    Raises:
        CatalogBusyError: It could not be read.
        CatalogDamagedError: It is no database.
        DiskFullError: There is no room for the copy.
    """
    if is_still(source):
        still = Copy(source)
        try:
            return copy_database(still.path, target, parquet)
        finally:
            still.remove()
    for leftover in target.parent.glob(target.name + "*"):
        leftover.unlink()
    arguments = [str(source), str(target), *([parquet] if parquet else [])]
    done = subprocess.run(  # noqa: S603 - our own file, run by our own interpreter
        [sys.executable, "-I", sqlite_copy.__file__, *arguments],
        input=FILES if parquet else "",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise _reason(done.stderr.strip().rpartition("\n")[2], source, target)
    told: dict[str, Any] = json.loads(done.stdout) if parquet else {}
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return told


def _reason(said: str, source: Path, target: Path) -> LakeError:
    for file in (target, source):  # SQLite needs a little room beside what it reads, too
        if "disk" in said and shutil.disk_usage(file.parent).free < _LITTLE:
            return DiskFullError(str(file.parent))
    if "not a database" in said or "malformed" in said:
        return CatalogDamagedError(source, said.partition(": ")[2])
    return CatalogBusyError(said or "the copy was killed")


def _check_place(folder: Path, home: Path) -> None:
    if folder.is_relative_to(home) or home.is_relative_to(folder):
        problem = f"{folder} and the lake's home {home} lie inside each other. Choose another folder for the backup."
        raise BackupPlaceError(problem)
    if not folder.exists():
        return
    if not folder.is_dir():
        problem = f"{folder} is no folder. Choose another place for the backup."
        raise BackupPlaceError(problem)
    ours = (folder / NAME).exists() or (folder / LOCK).exists()
    if not ours and any(folder.iterdir()):
        problem = f"{folder} holds other files and no backup. Choose an empty folder, or a new one."
        raise BackupPlaceError(problem)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupBusyError(folder) from None
        yield


def _last(folder: Path) -> Manifest | None:
    try:
        return load_manifest(folder)
    except BackupMissingError:
        return None


def _next_generation(folder: Path) -> int:
    taken = [int(one.name) for one in (folder / _GENERATIONS).glob("*") if one.name.isdecimal()]
    return max(taken, default=0) + 1


def _remove_unnamed(folder: Path, manifest: Manifest) -> int:
    """Remove what no entry names: files of older backups, and what killed ones left."""
    kept = {folder / entry.stored for entry in manifest.entries} | {folder / NAME, folder / LOCK}
    removed = 0
    for top, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if (file := Path(top, name)) not in kept:
                file.unlink()
                removed += 1
        for name in folders:
            if not any(Path(top, name).iterdir()):
                Path(top, name).rmdir()
    return removed
