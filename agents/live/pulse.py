"""The heartbeat of a live agent: its state in a word, and what it is about."""

import socket
import threading
from typing import Any

from lake.errors import LakeError
from lake.journal import Journal
from lake.logs import logger

PERIOD = 5.0


class LivePulse:
    """Beats every five seconds and whenever the state changes, until it is stopped."""

    def __init__(self, journal: Journal, agent: str) -> None:
        self.agent = agent
        self.state = "starting"
        self._journal, self._detail = journal, dict[str, Any]()
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
            self._journal.beat(self.agent, "live", self.state, self._detail)
        except LakeError as error:
            logger(stage="live").warning("heartbeat failed", reason=str(error))


def free_name(journal: Journal) -> str:
    """A name that no living agent has: ``live@host``, or with a number where that one lives."""
    host = socket.gethostname()
    alive = {one.name for one in journal.agents() if not one.stalled and one.state != "stopped"}
    numbers = (f"live-{number}@{host}" for number in range(2, 100))
    return next(name for name in (f"live@{host}", *numbers) if name not in alive)
