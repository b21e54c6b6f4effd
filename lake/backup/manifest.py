"""The manifest: which files a backup has, and how they are copied and checked."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from lake.backup.errors import BackupMissingError

NAME = "barlake-backup.json"
PART = ".part"
_VERSION = 1
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file of a backup.

    Attributes:
        path: Where it belongs, relative to the home of the lake.
        stored: Where it lies, relative to the folder of the backup.
        size: In bytes.
        sha256: Of its bytes.
    """

    path: str
    stored: str
    size: int
    sha256: str

    def copy(self, folder: Path, target: Path) -> str | None:
        """Copy it out of a backup, whole or not at all.

        Returns:
            What is wrong with it in the backup; None if it is right and was copied.
        """
        try:
            size, digest = copy_file(folder / self.stored, target, keep=self._matches)
        except FileNotFoundError:
            return f"{self.stored} is missing"
        if (size, digest) == (self.size, self.sha256):
            return None
        if size != self.size:
            return f"{self.stored} has {size:,} bytes and not {self.size:,}"
        return f"{self.stored} has other bytes than those that were saved"

    def _matches(self, size: int, digest: str) -> bool:
        return (size, digest) == (self.size, self.sha256)


@dataclass(frozen=True)
class Manifest:
    """What a backup holds; it is the backup: what it does not name does not count.

    Attributes:
        lake: The lake's own id, so that no backup takes the place of another lake's.
        snapshot: The newest DuckLake snapshot in it.
        created_at: When the catalog was copied, RFC 3339.
        entries: Its files.
    """

    lake: str
    snapshot: int
    created_at: str
    entries: tuple[Entry, ...] = field(default=())
    version: int = _VERSION

    def entry(self, path: str) -> Entry | None:
        """The file that belongs to a path in the home."""
        return self._by_path.get(path)

    @cached_property
    def _by_path(self) -> dict[str, Entry]:
        return {entry.path: entry for entry in self.entries}

    def save(self, folder: Path) -> None:
        """Put it into place: from here on this is the backup."""
        part = folder / (NAME + PART)
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / NAME)
        sync_folder(folder)


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        BackupMissingError: There is none, or none that can be read.
    """
    try:
        told = json.loads((folder / NAME).read_text(encoding="utf-8"))
        entries = tuple(Entry(**entry) for entry in told.pop("entries"))
        return Manifest(entries=entries, **told)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupMissingError(folder) from error


def copy_file(
    source: Path, target: Path, *, keep: Callable[[int, str], bool] | None = None
) -> tuple[int, str]:
    """Copy a file under another name, and give it its own when it is whole and on the disk.

    Args:
        source: The file.
        target: Its new place; folders are made.
        keep: Asked with size and hash whether the copy shall take its place; None for always.

    Returns:
        Size and SHA-256 of what was read.
    """
    with source.open("rb") as reading:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + PART)
        digest, size = hashlib.sha256(), 0
        try:
            with part.open("wb") as writing:
                while chunk := reading.read(_CHUNK):
                    digest.update(chunk)
                    size += writing.write(chunk)
                writing.flush()
                os.fsync(writing.fileno())
            if keep is None or keep(size, digest.hexdigest()):
                part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return size, digest.hexdigest()


def hash_file(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as reading:
        return hashlib.file_digest(reading, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
