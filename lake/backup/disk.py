"""The disk a backup is written to: what it does to us, in a sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lake.backup.errors import BackupPlaceError
from lake.faults import DiskFullError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """Say what is wrong with the disk of a folder that a block writes to.

    Raises:
        DiskFullError: It has no room.
        BackupPlaceError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(str(folder)) from error
        touched = Path(error.filename) if isinstance(error.filename, str) else folder
        ours = touched.is_relative_to(folder) or folder.is_relative_to(touched)
        if ours and error.errno in _CLOSED:
            problem = f"{folder} cannot be written ({error.strerror}). Choose another folder, or make it writable."
            raise BackupPlaceError(problem) from error
        raise
