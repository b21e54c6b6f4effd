"""The commit gate: one writer at a time over all processes of one home.

A blocking ``flock`` is fair enough between processes and falls open when its holder dies, even
by ``kill -9``. Polling locks starve writers, and a gate around COMMIT alone is too late.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lake.errors import GateBusyError

PATIENCE = 60.0


@contextmanager
def hold(path: Path, *, patience: float = PATIENCE) -> Iterator[float]:
    """Hold the gate for a block; yields how long it took to get it, in seconds.

    Raises:
        GateBusyError: Somebody else held it for longer than ``patience`` seconds.
    """
    asked = time.monotonic()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if not _lock(descriptor, patience):
        raise GateBusyError(patience)
    try:
        yield time.monotonic() - asked
    finally:
        os.close(descriptor)


def _lock(descriptor: int, patience: float) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _wait(descriptor, patience)
    return True


def _wait(descriptor: int, patience: float) -> bool:
    """Wait in line in a thread of its own: a blocking flock cannot be given a time limit."""
    mine = threading.Lock()
    state = {"locked": False, "given_up": False}

    def stand_in_line() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with mine:
            state["locked"] = True
            if state["given_up"]:
                os.close(descriptor)

    waiter = threading.Thread(target=stand_in_line, daemon=True, name="gate")
    waiter.start()
    waiter.join(patience)
    with mine:
        state["given_up"] = not state["locked"]
        return state["locked"]
