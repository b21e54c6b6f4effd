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
    descriptor = _locked(path, patience)
    try:
        yield time.monotonic() - asked
    finally:
        os.close(descriptor)


def _locked(path: Path, patience: float) -> int:
    """An open descriptor that holds the lock; whoever waits in vain leaves none behind."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not _wait(descriptor, patience):
            raise GateBusyError(patience) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _wait(descriptor: int, patience: float) -> bool:
    """Wait in line in a thread of its own: a blocking flock cannot be given a time limit.

    The thread may get the lock after nobody wants it any more, because of the time or of an
    interrupt (Ctrl-C, a task's time limit): whoever comes second of the two closes the descriptor.
    """
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
    try:
        waiter.join(patience)
    except BaseException:
        with mine:
            state["given_up"] = True
            if state["locked"]:
                os.close(descriptor)
        raise
    with mine:
        state["given_up"] = not state["locked"]
        return state["locked"]
