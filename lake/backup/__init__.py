"""Backups: a consistent, incremental copy of a lake while it is in use, and the way back."""

from lake.backup.errors import (
    BackupBusyError,
    BackupDamagedError,
    BackupMissingError,
    BackupPlaceError,
    LakeDamagedError,
    LakeMovingError,
)
from lake.backup.manifest import Entry, Manifest, load_manifest
from lake.backup.restoring import Restored, restore
from lake.backup.saving import Saved, backup

__all__ = [
    "BackupBusyError",
    "BackupDamagedError",
    "BackupMissingError",
    "BackupPlaceError",
    "Entry",
    "LakeDamagedError",
    "LakeMovingError",
    "Manifest",
    "Restored",
    "Saved",
    "backup",
    "load_manifest",
    "restore",
]
