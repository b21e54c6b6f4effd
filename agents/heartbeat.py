"""The pulse of an agent: a thread that tells the journal it lives, and keeps its job's lease."""

import logging
import threading
from contextlib import suppress
from typing import Any

from lake.errors import LakeError
from lake.journal import Journal, LeaseLostError

PERIOD = 5.0

_log = logging.getLogger(__name__)


class Pulse:
    """Beats every five seconds, idle or at work, until it is stopped.

    A journal that is busy for a while costs beats, never the work.
    """

    def __init__(self, journal: Journal, agent: str, kind: str, **detail: Any) -> None:
        self.agent, self._kind = agent, kind
        self._journal, self._detail = journal, detail
        self._job: str | None = None
        self._symbol: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True, name="pulse")

    def start(self) -> "Pulse":
        """Beat once now, and then from a thread."""
        self._beat()
        self._thread.start()
        return self

    def work_on(self, job_id: str | None, symbol: str | None = None) -> None:
        """Tell which job this agent is on from now on, and hold its lease; None: it is idle."""
        self._job, self._symbol = job_id, symbol
        self._beat()

    def stop(self) -> None:
        """Say goodbye: a stopped agent is not a stalled one."""
        self._stop.set()
        with suppress(LakeError):
            self._journal.beat(self.agent, self._kind, "stopped", self._detail)

    def _live(self) -> None:
        while not self._stop.wait(PERIOD):
            self._beat()
            self._renew()

    def _beat(self) -> None:
        job, symbol = self._job, self._symbol
        state = "working" if job else "idle"
        at_work = {"job_id": job, "symbol": symbol} if job else {}
        try:
            self._journal.beat(self.agent, self._kind, state, self._detail | at_work)
        except LakeError as error:
            _log.warning("heartbeat failed: %s", error)

    def _renew(self) -> None:
        job = self._job
        if job is None:
            return
        try:
            self._journal.renew(job)
        except LeaseLostError:
            return  # the work itself is told when it reports next, or has just finished
        except LakeError as error:
            _log.warning("the lease of job %s was not renewed: %s", job, error)
