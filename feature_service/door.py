"""What the ``main`` modules have in common: a sentence and exit code 2 instead of a traceback."""

import sys
from collections.abc import Callable

from lake.errors import LakeError

BAD_INPUT = 2


def say(line: str) -> None:
    """Print a line for the user, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(error: LakeError) -> int:
    """Print what is wrong to stderr; the exit code for it."""
    sys.stderr.write(f"{error}\n")
    return BAD_INPUT


def answer(work: Callable[[], int | None]) -> int:
    """Do the work of a command; its exit code."""
    try:
        return work() or 0
    except LakeError as error:
        return complain(error)
