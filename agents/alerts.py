"""Who watches the watchers: silent agents raise alerts, and a webhook hears of every alert.

Every worker and the scheduler look at all heartbeats from a thread of their own, so that one dead
process is noticed by another. An alert is raised once, whoever sees it first.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2

from lake.errors import LakeError
from lake.journal import Journal, alerts
from lake.journal.alerts import Alert
from lake.journal.records import Agent
from lake.logs import logger

#: Seconds between two looks at the heartbeats.
LOOK_EVERY = 5.0

#: Seconds a webhook has to take a message.
PATIENCE = 10.0

STALLED = "stalled"
_PASSING = "cli"  # a command that was killed: nobody waits for it to come back

#: Looks that are further apart than this are no row: this machine slept, and so did all others on it.
_SLEPT = timedelta(seconds=30)


def raise_one(
    journal: Journal, kind: str, subject: str, message: str, facts: dict[str, Any]
) -> bool:
    """Raise an alert and log it, unless it is open; tells whether it is new."""
    alert = alerts.raise_alert(journal, kind, subject, message, facts)
    if alert is not None:
        named = {name: facts[name] for name in ("symbol", "job_id") if name in facts}
        logger(stage="alert").error(message, alert=alert.number, about=subject, **named)
    return alert is not None


def settle_one(journal: Journal, kind: str, subject: str) -> bool:
    """End an alert and log it, if it is open; tells whether it was."""
    alert = alerts.settle(journal, kind, subject)
    if alert is not None:
        logger(stage="alert").info(f"over: {alert.message}", alert=alert.number, about=subject)
    return alert is not None


class Watch:
    """Looks at heartbeats again and again; each look is short and raises nothing but alerts."""

    def __init__(self, journal: Journal, webhook: str = "") -> None:
        self._journal, self._webhook = journal, webhook
        self._suspects: set[str] = set()
        self._looked: datetime | None = None
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> "Watch":
        """Look from a thread of its own until the process ends."""
        steps = (self.look, self.deliver) if self._webhook else (self.look,)
        for step in steps:  # one thread each: a slow webhook must not make us blind
            name = f"watch-{step.__name__}"
            thread = threading.Thread(target=self._again, args=(step,), daemon=True, name=name)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Look no more; waits for a look that is under way."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def look(self) -> None:
        """Raise an alert for each agent that was silent at two looks in a row; end those that are over.

        Raises:
            JournalBusyError: The journal cannot be used.
        """
        now, before = self._journal.now, self._looked
        self._looked = now
        found = self._journal.agents()
        if before is not None and now - before > _SLEPT:
            self._suspects = set()  # they had no chance to beat; look again
            return
        silent = {agent.name: agent for agent in found if agent.stalled and agent.kind != _PASSING}
        raised = {alert.subject for alert in alerts.read(self._journal, kind=STALLED, limit=1000)}
        for name in sorted(silent.keys() & self._suspects - raised):
            self._raise(silent[name])
        self._suspects = set(silent)
        for name in sorted(raised - silent.keys()):
            settle_one(self._journal, STALLED, name)

    def deliver(self) -> int:
        """Tell the webhook what it has not heard; tells how many alerts it took.

        Raises:
            JournalBusyError: The journal cannot be used.
        """
        if not self._webhook:
            return 0
        waiting = alerts.untold(self._journal)
        if not waiting or not _post(self._webhook, waiting):
            return 0
        alerts.told(self._journal, waiting)
        return len(waiting)

    def _raise(self, agent: Agent) -> None:
        message = (
            f"The agent {agent.name} ({agent.kind}) is stalled: it was last heard {agent.age:.0f} s "
            f"ago, {agent.state}. Its logs may say why; `barlake up` restarts what died."
        )
        facts = {"agent": agent.name, "kind": agent.kind, "host": agent.host, "pid": agent.pid}
        facts |= {name: agent.detail[name] for name in ("job_id", "symbol") if name in agent.detail}
        raise_one(self._journal, STALLED, agent.name, message, facts)

    def _again(self, step: Callable[[], object]) -> None:
        while not self._over.wait(LOOK_EVERY):
            try:
                step()
            except LakeError as error:
                logger(stage="watch").warning("could not look", reason=str(error))
            except Exception:  # noqa: BLE001 - a thread's door: the next look may go well
                logger(stage="watch").exception("broke")


def body(taken: Sequence[Alert]) -> dict[str, Any]:
    """What a webhook gets: ``text`` for chats, ``alerts`` for programs, one entry an alert."""
    return {
        "text": "\n".join(
            f"Barlake: {'' if alert.is_open else 'over: '}{alert.message}" for alert in taken
        ),
        "alerts": [
            {
                "number": alert.number,
                "kind": alert.kind,
                "subject": alert.subject,
                "state": "raised" if alert.is_open else "over",
                "message": alert.message,
                "facts": alert.facts,
                "raised_at": alert.raised_at.isoformat(),
                "over_at": alert.over_at.isoformat() if alert.over_at else None,
            }
            for alert in taken
        ],
    }


def _post(url: str, taken: Sequence[Alert]) -> bool:
    """Whether the webhook took alerts. Its address may hold a secret and is not logged."""
    try:
        with httpx2.Client(timeout=PATIENCE, trust_env=False) as client:
            answer = client.post(url, json=body(taken))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        problem = type(error).__name__
    else:
        if answer.is_success:
            return True
        problem = f"it answered {answer.status_code}"
    logger(stage="alert").warning("the webhook did not take alerts", reason=problem)
    return False
