"""The heartbeat of a live agent: its state in a word, and what it is about."""

import fcntl
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from lake.errors import LakeError
from lake.home import Home
from lake.journal import Journal
from lake.logs import logger

PERIOD = 5.0


class LivePulse:
    """Beats every five seconds and whenever the state changes, until it is stopped."""

    def __init__(self, journal: Journal, agent: str) -> None:
        self.agent = agent
        self.state = "starting"
        self.journal, self._detail = journal, dict[str, Any]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True, name="pulse")

    def start(self) -> None:
        """Beat once now, and then from a thread."""
        self._beat()
        self._thread.start()

    def tell(self, state: str, **detail: Any) -> bool:
        """Be in a state; tells whether it is another one than before."""
        changed = state != self.state or detail.get("problem") != self._detail.get("problem")
        self.state, self._detail = state, detail
        if changed:
            self._beat()
        return changed

    def stop(self) -> None:
        """Say goodbye: a stopped agent is not a stalled one."""
        self._stop.set()
        self.state = "stopped"
        self._beat()

    def _live(self) -> None:
        while not self._stop.wait(PERIOD):
            self._beat()

    def _beat(self) -> None:
        try:
            self.journal.beat(self.agent, "live", self.state, self._detail)
        except LakeError as error:
            logger(stage="live").warning("heartbeat failed", reason=str(error))


@contextmanager
def named(journal: Journal, home: Path) -> Iterator[str]:
    """A name that no other living agent has: ``live@host``, with a number where that one lives.

    A lock on a file holds it, so that two that start at once have two, and ends with the process.
    """
    host, folder = socket.gethostname(), Home(home).run
    folder.mkdir(parents=True, exist_ok=True)
    alive = {one.name for one in journal.agents() if not one.stalled and one.state != "stopped"}
    for number in count(1):
        name = f"live-{number}@{host}" if number > 1 else f"live@{host}"
        with (folder / f"live-{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if name not in alive:  # of another home with the same journal
                yield name
                return
