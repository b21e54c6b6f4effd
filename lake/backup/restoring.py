"""Making a lake of a backup, at any path."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lake.backup.disk import written_to
from lake.backup.errors import BackupBusyError, BackupDamagedError, BackupPlaceError
from lake.backup.manifest import Manifest, load_manifest, sync_folder
from lake.home import Home

_HANDS = 4


@dataclass(frozen=True)
class Restored:
    """What a restore did.

    Attributes:
        snapshot: The DuckLake snapshot that the lake has.
        created_at: When the backup was made, RFC 3339.
        files: How many files were copied and checked, and their ``bytes`` together.
        seconds: How long it took.
    """

    snapshot: int
    created_at: str
    files: int
    bytes: int
    seconds: float


def restore(folder: Path, home: Path) -> Restored:
    """Make a lake of a backup, in a home where there is none.

    Every file is checked by size and hash on its way. The home appears whole, by one rename, or not
    at all; killed before, the restore is repeated from the start.

    Args:
        folder: Of the backup.
        home: Of the new lake: a folder that is not there yet or is empty.

    Raises:
        BackupMissingError: There is no backup in that folder.
        BackupPlaceError: The home is not empty.
        BackupDamagedError: Files of the backup are missing or damaged; the error lists them.
        DiskFullError: There is no room for it; nothing was made.
        BackupBusyError: Another process is restoring into that home.
    """
    begun = time.perf_counter()
    manifest = load_manifest(folder)
    target = home.expanduser().resolve()
    _check_home(target)
    with written_to(target.parent), _draft(target) as draft:
        problems = _copy(manifest, folder, draft)
        if problems:
            shutil.rmtree(draft)
            raise BackupDamagedError(folder, problems)
        Home(draft).parquet.mkdir(exist_ok=True)
        draft.rename(target)
        sync_folder(target.parent)
    return Restored(
        snapshot=manifest.snapshot,
        created_at=manifest.created_at,
        files=len(manifest.entries),
        bytes=sum(entry.size for entry in manifest.entries),
        seconds=time.perf_counter() - begun,
    )


def check_backup(folder: Path) -> list[str]:
    """What is wrong with the files of a backup, a sentence each; nothing is written."""
    from lake.backup.manifest import hash_file

    problems = []
    for entry in load_manifest(folder).entries:
        try:
            if hash_file(folder / entry.stored) != entry.sha256:
                problems.append(f"{entry.stored} is not the file that was saved")
        except FileNotFoundError:
            problems.append(f"{entry.stored} is missing")
    return problems


def _copy(manifest: Manifest, folder: Path, draft: Path) -> list[str]:
    with ThreadPoolExecutor(_HANDS) as pool:
        results = pool.map(lambda one: one.copy(folder, draft / one.path), manifest.entries)
        problems = [problem for problem in results if problem]
    for top, _, _ in os.walk(draft):
        sync_folder(Path(top))
    return problems


def _check_home(home: Path) -> None:
    if not home.exists():
        return
    if Home(home).catalog.exists():
        problem = f"There is a lake in {home} already. Restore into another home with --home; nothing was touched."
        raise BackupPlaceError(problem)
    if not home.is_dir() or any(home.iterdir()):
        problem = f"{home} is not an empty folder. Restore into a new one with --home; nothing was touched."
        raise BackupPlaceError(problem)


@contextmanager
def _draft(home: Path) -> Iterator[Path]:
    """An empty folder beside the home that only this process fills."""
    draft = home.with_name(home.name + ".restoring")
    draft.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupBusyError(draft) from None
        for leftover in draft.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        try:
            yield draft
        except OSError:  # a full disk needs the room
            shutil.rmtree(draft, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)
