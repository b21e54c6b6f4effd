"""Keeping the files of live bars few while a session lasts; the night's upkeep moves them."""

import threading
from collections.abc import Callable

from agents.sources import Log
from lake import Lake
from lake.errors import LakeError
from lake.upkeep import gather_live

#: Seconds between two looks, and how many files may lie there.
_EVERY, _MOST = 60.0, 60


class Gatherer:
    """Merges small files now and then.

    Args:
        lake: Whose.
        active: Whether this process is the one to do it.
        log: Takes one structured line.
    """

    def __init__(self, lake: Lake, active: Callable[[], bool], log: Log) -> None:
        self._lake, self._active, self._log = lake, active, log

    def run(self, stop: threading.Event) -> None:
        """Look again and again until it is stopped; for a thread."""
        while not stop.wait(_EVERY):
            if not self._active():
                continue
            try:
                if merged := gather_live(self._lake, _MOST):
                    self._log(stage="gathering", files=merged)
            except LakeError as error:
                self._log(stage="gathering", level="warning", problem=str(error))
