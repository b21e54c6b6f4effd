"""What can go wrong with a backup."""

from collections.abc import Sequence
from pathlib import Path

from lake.errors import InvalidError, MissingError, ProblemError, TransientError

_SHOWN = 3


class BackupMissingError(MissingError):
    """There is no backup in a folder."""

    def __init__(self, folder: Path | str) -> None:
        super().__init__(str(folder))
        self.folder = str(folder)

    def __str__(self) -> str:
        return f"There is no backup in {self.folder}. `barlake backup {self.folder}` makes one."


class BackupPlaceError(ProblemError):
    """A folder that a backup or a restored lake must not go to."""


class BackupDamagedError(InvalidError):
    """Files of a backup are missing or are not the ones that were saved."""

    def __init__(self, folder: Path | str, problems: Sequence[str]) -> None:
        super().__init__(str(folder), list(problems))
        self.folder, self.problems = str(folder), list(problems)

    def __str__(self) -> str:
        return (
            f"The backup in {self.folder} is damaged and nothing was restored: {_listed(self.problems)}. "
            "Use another backup; or run `barlake backup` again from the lake, which replaces what is damaged."
        )


class LakeDamagedError(InvalidError):
    """Files of the lake itself are missing or damaged, so that a backup of it would be too."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(list(problems))
        self.problems = list(problems)

    def __str__(self) -> str:
        return (
            f"The lake is damaged: {_listed(self.problems)}. The last backup is left as it was; "
            "`barlake verify --repair --backup DIR` mends the lake from it."
        )


class LakeMovingError(TransientError):
    """Upkeep removed files faster than the backup could copy them."""

    def __init__(self, tries: int) -> None:
        super().__init__(tries)
        self.tries = tries

    def __str__(self) -> str:
        return (
            f"Upkeep removed files in each of {self.tries} tries to copy them. "
            "The last backup is left as it was; ask again."
        )


class BackupBusyError(TransientError):
    """Another process writes to the folder of the backup."""

    def __init__(self, folder: Path | str) -> None:
        super().__init__(str(folder))
        self.folder = str(folder)

    def __str__(self) -> str:
        return f"Another process is writing the backup in {self.folder}. Wait for it and ask again."


def _listed(problems: Sequence[str]) -> str:
    more = f" and {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more
