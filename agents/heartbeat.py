"""The pulse of an agent: a thread that tells the journal it lives, and keeps its job's lease."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lake.errors import LakeError
from lake.journal import Journal, LeaseLostError, agents

PERIOD = 5.0

_log = logging.getLogger(__name__)


class Pulse:
    """Beats every five seconds, idle or at work, until it is stopped.

    At work it tells how far the job is and what it is doing. A journal that is busy for a while
    costs beats, never the work.

    Args:
        agent: Its name, unique in the journal.
        kind: ``worker``, ``beat``, ``cli`` ...
        next_step: Says in a few words what this agent does next.
        detail: What it adds to every beat, plain JSON.
    """

    def __init__(
        self,
        journal: Journal,
        agent: str,
        kind: str,
        *,
        next_step: Callable[[], str] | None = None,
        **detail: Any,
    ) -> None:
        self.agent, self._kind = agent, kind
        self._journal, self._detail, self._next_step = journal, detail, next_step
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
        try:
            told = self._detail | (self._progress(job, symbol) if job else {})
            if self._next_step is not None:
                told |= {"next": self._next_step()}
            self._journal.beat(self.agent, self._kind, "working" if job else "idle", told)
        except LakeError as error:
            _log.warning("heartbeat failed: %s", error)
        except Exception:  # noqa: BLE001 - a thread's door: the next beat may go well
            _log.exception("heartbeat broke")

    def _progress(self, job_id: str, symbol: str | None) -> dict[str, Any]:
        job = self._journal.job(job_id)
        told = {"job_id": job_id, "symbol": symbol, "done": job.done, "total": job.total}
        return told | {"step": job.message}

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


def next_work(journal: Journal) -> str:
    """What a worker does next, in a few words.

    Raises:
        JournalBusyError: The journal cannot be used.
    """
    with journal.database.reading() as connection:
        waiting = agents.waiting(connection)
    jobs = "1 job waits" if waiting == 1 else f"{waiting:,} jobs wait"
    return jobs if waiting else "waits for work"
