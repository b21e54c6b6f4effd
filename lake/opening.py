"""Opening the lake of some settings: the one way of every door, so that none forgets one."""

from pathlib import Path

from lake.room import parse_room
from lake.settings import Settings
from lake.store import Lake, open_lake


def open_by(settings: Settings, *, home: Path | None = None, create: bool = False) -> Lake:
    """Open the lake of ``BARLAKE_HOME`` with the room that ``BARLAKE_DISK_FLOOR`` keeps free.

    Args:
        settings: Of the door.
        home: Another home than the settings'.
        create: Make the lake if it is not there.

    Raises:
        LakeMissingError: There is no lake, and none was to be made.
    """
    floor = parse_room(settings.disk_floor)
    return open_lake(home or settings.home, create=create, floor=floor)
