"""The disk guard: bars are refused before the disk is full, so that what is there stays whole."""

import re
import shutil
from pathlib import Path

from lake.errors import TransientError

#: Bytes that stay free: room for a merge, for SQLite's write-ahead log and for log lines.
FLOOR = 500_000_000.0
_UNITS = {"": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "%": 0.01}
_ROOM = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?B|%)?", re.IGNORECASE)
_GIGABYTE = 1e9


class DiskLowError(TransientError):
    """So little room is left on the disk of the lake that nothing more is written to it."""

    def __init__(self, home: str, free: float, floor: float) -> None:
        super().__init__(home, free, floor)
        self.home, self.free, self.floor = home, free, floor

    def __str__(self) -> str:
        return (
            f"The disk of {self.home} has {self.free / _GIGABYTE:.2f} GB free, and {self.floor / _GIGABYTE:.2f} GB "
            "stay free. Nothing was written; make room (`barlake upkeep`, `barlake delete SYMBOL`) or lower "
            "BARLAKE_DISK_FLOOR, and ask again."
        )


def check_room(home: Path, floor: float = FLOOR) -> None:
    """Return if the disk of a home has more free than must stay free.

    Args:
        home: Where the lake lies; it is there.
        floor: Bytes; below 1 it is a share of the whole disk. 0 never refuses.

    Raises:
        DiskLowError: It has not.
    """
    if floor <= 0:
        return
    disk = shutil.disk_usage(home)
    wanted = floor if floor >= 1 else floor * disk.total
    if disk.free < wanted:
        raise DiskLowError(str(home), float(disk.free), wanted)


def parse_room(text: str) -> float:
    """What ``BARLAKE_DISK_FLOOR`` says, as :func:`check_room` takes it.

    >>> parse_room("500MB"), parse_room("5%"), parse_room("0")
    (500000000.0, 0.05, 0.0)

    Raises:
        ValueError: It is neither a number of bytes nor a share.
    """
    found = _ROOM.fullmatch(text.strip())
    amount = float(found[1]) * _UNITS[(found[2] or "").upper()] if found else -1.0
    share = found is not None and found[2] == "%"
    if found is None or (share and amount >= 1) or (not share and 0 < amount < 1):
        raise ValueError(f"{text[:40]!r} is no room like 500MB, 2GB or 5%")
    return amount
