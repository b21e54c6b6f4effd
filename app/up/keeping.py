"""Who keeps the broker of a home: one at a time."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.up.locks import Lock, holder
from app.up.place import Place
from lake.errors import InvalidError

_HANDOVER = 20.0


class AlreadyUpError(InvalidError):
    """Somebody runs broker and workers for a home already."""

    def __init__(self, home: str, pid: int | None) -> None:
        super().__init__(home, pid)
        self.home, self.pid = home, pid

    def __str__(self) -> str:
        who = f" (process {self.pid})" if self.pid else ""
        return (
            f"Barlake runs already for {self.home}{who}. Stop that one with Ctrl-C first, "
            "or set BARLAKE_HOME to another folder and other ports."
        )


@contextmanager
def kept(place: Place, who: str) -> Iterator[None]:
    """Be the one who keeps the broker of a home for a block.

    A keeper that runs for some API hands over and ends; that API finds the new one.

    Raises:
        AlreadyUpError: Somebody keeps it in a terminal: ``barlake up`` or the demo.
    """
    end = time.monotonic() + _HANDOVER
    while (lock := Lock.take(place.keeper_lock, patience=0.2)) is None:
        keeper = holder(place.keeper_lock) or {}
        running, stays = keeper.get("state") == "running", keeper.get("who") != "keeper"
        if time.monotonic() > end or (running and stays):
            raise AlreadyUpError(str(place.home), keeper.get("pid"))
        if running:
            with suppress(ProcessLookupError):
                os.kill(int(keeper["pid"]), signal.SIGTERM)
    with lock:
        lock.note(who=who, state="running")
        try:
            yield
        finally:
            lock.note(who=who, state="stopping")
