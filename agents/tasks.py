"""The Celery door: a job of the journal goes on the queue, and a worker takes it from there.

``python -m celery -A agents.tasks worker`` and ``... beat`` run it. A message is only a nudge: the
journal says what is to be done, who does it and how it ended. So a message may come twice, late or
never: twice is harmless, and every worker that starts sends anew what the broker does not hold.
"""

import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from celery import Celery, Task
from celery.exceptions import SoftTimeLimitExceeded
from celery.schedules import crontab
from kombu.exceptions import OperationalError

from agents import after_ingest, broker
from agents.work import Outcome, perform
from agents.worker import listen, workshop
from lake.errors import BrokerMissingError, LakeError, LakeMissingError, SettingsError
from lake.journal import Job, Journal, switches
from lake.journal.parts import Piece
from lake.journal.switches import AgentStoppedError
from lake.kinds import KINDS
from lake.settings import Settings, load_settings

#: No task may run longer. It is told at the first limit and killed at the second.
SOFT_LIMIT = timedelta(hours=4)
HARD_LIMIT = SOFT_LIMIT + timedelta(minutes=5)

#: After this long a broker gives an unanswered message to another worker: longer than any task.
VISIBILITY = HARD_LIMIT + timedelta(hours=1)

#: Attempts after the first when the world is busy, with 2, 4, 8 ... up to 60 seconds between.
RETRIES = 8
_LONGEST_PAUSE = 60

#: A little longer than a lease lives: whoever holds the job has shown by then whether it lives.
_HELD_PAUSE = 50

_EXIT_INPUT = 2

#: Who queues a job sends it within this time, if a broker answers.
_FORGOTTEN = timedelta(seconds=30)

#: 04:15 in New York in summer: before extended hours on most days, and long after the close.
_NIGHTLY = crontab(hour="8", minute="15")
_NIGHTLY_QUALITY = crontab(hour="7", minute="45")
_NIGHTLY_GAPS = crontab(hour="6", minute="30")
#: After all that brings or corrects bars.
_NIGHTLY_FEATURES = crontab(hour="7", minute="15")
#: Just after midnight in New York, when providers know the tickers of the new day; before the scan for
#: gaps, which asks when papers were listed.
_NIGHTLY_ACTIONS = crontab(hour="5", minute="15")
_NIGHTLY_INSTRUMENTS = crontab(hour="5", minute="40")
_NIGHTLY_REREAD = crontab(hour="5", minute="30")


class TooLongError(LakeError):
    """A job ran into the time limit."""

    def __str__(self) -> str:
        hours = SOFT_LIMIT.total_seconds() / 3600
        return f"It ran longer than {hours:g} hours. Ask for less at once, like fewer sessions."


class JobFailedError(LakeError):
    """A job failed; the journal and the logs have told it already."""

    def __init__(self, job_id: str, text: str) -> None:
        super().__init__(job_id, text)
        self.job_id, self.text = job_id, text

    def __str__(self) -> str:
        return f"job {self.job_id} failed: {self.text}"


def _configuration() -> dict[str, Any]:
    """Celery's settings, read when they are first needed: importing this module reads none."""
    settings = _settings()
    url = broker.broker_url(settings)
    seconds = int(VISIBILITY.total_seconds())
    return {
        "broker_url": url,
        "result_backend": url,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": _transport(seconds),
        "result_backend_transport_options": {"visibility_timeout": seconds},
        "visibility_timeout": seconds,
        "result_expires": timedelta(days=1),
        "task_queues": {name: {"routing_key": name} for name in broker.QUEUES},
        "task_default_queue": broker.queue_of("upkeep"),
        "task_routes": {kind: {"queue": broker.queue_of(kind)} for kind in KINDS},
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_track_started": True,
        "task_soft_time_limit": SOFT_LIMIT.total_seconds(),
        "task_time_limit": HARD_LIMIT.total_seconds(),
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "timezone": "UTC",
        "beat_schedule": {
            "upkeep every night": {"task": "upkeep", "schedule": _NIGHTLY},
            "quality every night": {"task": "quality", "schedule": _NIGHTLY_QUALITY},
            "gaps every night": {"task": "gaps", "schedule": _NIGHTLY_GAPS},
            "features every night": {"task": "features", "schedule": _NIGHTLY_FEATURES},
            "actions every night": {"task": "actions", "schedule": _NIGHTLY_ACTIONS},
            "instruments every night": {"task": "instruments", "schedule": _NIGHTLY_INSTRUMENTS},
            "the last days every night": {
                "task": "reread",
                "schedule": _NIGHTLY_REREAD,
                "args": ["days"],
            },
            "the last hours every hour": {
                "task": "reread",
                "schedule": crontab(minute="20"),
                "args": ["hours"],
            },
        },
        # Kept after each task: a beat that is killed must not send again what it has just sent.
        "beat_sync_every": 1,
        "beat_schedule_filename": str(settings.home.resolve() / "run" / "beat-schedule"),
    }


def _settings() -> Settings:
    """The settings; for the ``celery`` command an error ends it in one sentence."""
    try:
        return load_settings()
    except SettingsError as error:
        if "celery" not in {Path(sys.argv[0]).name, Path(sys.argv[0]).parent.name}:
            raise
        sys.stderr.write(f"{error}\n")
        raise SystemExit(_EXIT_INPUT) from None


def _transport(visibility: int) -> dict[str, Any]:
    return {
        "visibility_timeout": visibility,
        "socket_connect_timeout": broker.PATIENCE,
        "socket_keepalive": True,
    }


celery = Celery("barlake", set_as_current=True)
celery.add_defaults(_configuration)


def send(job: Job) -> None:
    """Put a job on its queue.

    Raises:
        BrokerMissingError: No broker answered within two seconds. The job stays in the journal,
            and the next worker that starts sends it.
    """
    _send(job.kind, job.id, broker.broker_url(load_settings()))


def ping() -> bool:
    """Whether the broker of the settings answers; waits two seconds at most."""
    return broker.answers(broker.broker_url(load_settings()))


def check_broker() -> None:
    """Return if the broker of the settings answers.

    Raises:
        BrokerMissingError: It does not.
    """
    broker.require(broker.broker_url(load_settings()))


def send_unfinished(journal: Journal) -> int:
    """Send every unfinished job that no live worker holds and no message waits for.

    For the start of a worker: a message that another worker was given may have died with it.

    Returns:
        How many were sent.

    Raises:
        BrokerMissingError: No broker answers.
    """
    return _send_all(journal, journal.orphans(), in_hand=False)


def send_forgotten(journal: Journal) -> int:
    """Send jobs that wait although the broker knows nothing of them; for now and then.

    So a job that was queued while no broker answered, whose broker lost it, or whose worker's
    machine died, is done as well. What a worker holds back for a later attempt is left to it.

    Returns, Raises:
        As :func:`send_unfinished`.
    """
    before = datetime.now(UTC) - _FORGOTTEN
    old = [job for job in journal.orphans() if job.created_at < before]
    running = [job for job in old if job.state == "running"]
    queued = [job for job in old if job.state == "queued"]
    left_behind = _send_all(journal, running, in_hand=False)
    return left_behind + _send_all(journal, queued, in_hand=True)


def _send_all(journal: Journal, jobs: Sequence[Job], *, in_hand: bool) -> int:
    off = {switch.agent for switch in switches.all_of(journal) if switch.state != "running"}
    jobs = [job for job in jobs if job.kind not in off]
    if not jobs:
        return 0
    url = broker.broker_url(load_settings())
    known = broker.waiting(url, in_hand=in_hand)
    lost = [job for job in jobs if job.id not in known]
    for job in lost:
        _send(job.kind, job.id, url)
    return len(lost)


def _send(kind: str, job_id: str, url: str, *, countdown: float | None = None) -> None:
    broker.require(url)
    try:
        with celery.connection_for_write(url) as connection:
            celery.send_task(
                kind,
                args=[job_id],
                task_id=job_id,
                connection=connection,
                countdown=countdown,
                queue=broker.queue_of(kind),
                retry=False,
                ignore_result=True,  # the journal keeps it; a result would need a subscription
            )
    except (OperationalError, OSError) as error:
        raise BrokerMissingError(broker.shown_url(url)) from error


listen(send_again=send_unfinished, send_forgotten=send_forgotten)


@celery.task(name="ingest", bind=True, throws=(LakeError,))
def ingest(self: Task, job_id: str) -> dict[str, Any]:
    """Queue door of :func:`agents.backfill.run`; safe to deliver twice."""
    return _work(self, job_id)


@celery.task(name="features", bind=True, throws=(LakeError,))
def features(self: Task, job_id: str | None = None) -> dict[str, Any]:
    """Queue door of :func:`agents.features.run`; without a job (from the scheduler) it makes one."""
    return _work(self, job_id) if job_id else _periodic(self, "features")


@celery.task(name="train", bind=True, throws=(LakeError,))
def train(self: Task, job_id: str) -> dict[str, Any]:
    """Queue door of :func:`agents.research.train`; safe to deliver twice."""
    return _work(self, job_id)


@celery.task(name="simulate", bind=True, throws=(LakeError,))
def simulate(self: Task, job_id: str) -> dict[str, Any]:
    """Queue door of :func:`agents.research.simulate`; safe to deliver twice."""
    return _work(self, job_id)


@celery.task(name="upkeep", bind=True, throws=(LakeError,))
def upkeep(self: Task, job_id: str | None = None) -> dict[str, Any]:
    """Queue door of :func:`agents.upkeep.run`; without a job (from the scheduler) it makes one.

    What is queued or running already is not begun a second time.
    """
    return _work(self, job_id) if job_id else _periodic(self, "upkeep")


@celery.task(name="quality", bind=True, throws=(LakeError,))
def quality(self: Task, job_id: str | None = None) -> dict[str, Any]:
    """Queue door of :func:`agents.quality.run`; without a job (from the scheduler) it makes one."""
    return _work(self, job_id) if job_id else _periodic(self, "quality")


@celery.task(name="gaps", bind=True, throws=(LakeError,))
def gaps(self: Task, job_id: str | None = None) -> dict[str, Any]:
    """Queue door of :func:`agents.gaps.run`; without a job (from the scheduler) it makes one."""
    return _work(self, job_id) if job_id else _periodic(self, "gaps")


@celery.task(name="reread", throws=(LakeError,))
def reread(window: Literal["hours", "days"]) -> dict[str, Any]:
    """Queue an ingest of what was fetched lately, ``again``; from the scheduler.

    One that is queued or running already is not queued a second time, and none of a stopped agent.

    Args:
        window: ``hours`` or ``days``, as :func:`agents.live.rereading.due` has them.
    """
    from agents.live.rereading import due  # after the fork: they need polars
    from agents.live.watched import watched
    from agents.queueing import queue_ingest

    shop, now = workshop(), datetime.now(UTC)
    state = switches.state(shop.journal, "ingest")
    if state != "running":
        return {"job_id": None, "state": state}
    try:
        lake = shop.lake()
    except LakeMissingError:
        lake = None
    named = watched(shop.settings, lake, now)
    asked = due(window, named, lake, shop.settings.source, now)
    if asked is None:
        return {"job_id": None, "state": "nothing is due"}
    job, new = queue_ingest(
        shop.journal,
        shop.settings,
        asked.symbols,
        asked.first,
        asked.last,
        again=True,
        now=now,
        send=send,
    )
    return {"job_id": job.id, "state": "queued" if new else "held"}


@celery.task(name="actions", bind=True, throws=(LakeError,))
def actions(self: Task, job_id: str | None = None) -> dict[str, Any]:
    """Queue door of :func:`agents.reference.read_actions`; without a job it makes one."""
    return _work(self, job_id) if job_id else _periodic(self, "actions")


@celery.task(name="instruments", bind=True, throws=(LakeError,))
def instruments(self: Task, job_id: str | None = None) -> dict[str, Any]:
    """Queue door of :func:`agents.reference.read_instruments`; without a job it makes one."""
    return _work(self, job_id) if job_id else _periodic(self, "instruments")


def _periodic(task: Task, kind: str) -> dict[str, Any]:
    """Work that the scheduler asks for: not beside the same work, and not of a stopped agent."""
    journal = workshop().journal
    state = switches.state(journal, kind)
    if state != "running":
        return {"job_id": None, "state": state}
    job, new = journal.queue(kind, "", "")
    return _work(task, job.id) if new else {"job_id": job.id, "state": "held"}


def _work(task: Task, job_id: str) -> dict[str, Any]:
    """Work on a job, and say to Celery what became of it."""
    shop = workshop()
    last = task.request.retries >= RETRIES
    try:
        outcome = perform(shop.journal, job_id, _run, pulse=shop.pulse, last=last)
    except AgentStoppedError as error:  # sent again when a user starts it
        return {"job_id": job_id, "state": error.state}
    if outcome.state in {"done", "failed"}:
        _nudge(shop.journal, job_id)
        if not outcome.before:
            after_ingest.follow(shop.journal, job_id, send, shop.lake)
    if outcome.state == "failed":
        raise JobFailedError(job_id, outcome.text)
    if outcome.state == "busy":
        pause = min(2.0 ** (task.request.retries + 1), _LONGEST_PAUSE)
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, guards nothing
        raise task.retry(args=[job_id], countdown=pause * jitter, max_retries=None)
    if outcome.state == "held":
        _watch_over(task, outcome)
    for part in outcome.parts:
        send(part)
    return {"job_id": job_id, "state": outcome.state}


def _nudge(journal: Journal, job_id: str) -> None:
    """After the last part of a job: the whole is to be summed up."""
    parent = journal.job(job_id).parent
    if parent is not None and not any(not part.is_finished for part in journal.parts_of(parent)):
        send(journal.job(parent))


def _watch_over(task: Task, outcome: Outcome) -> None:
    """Come back when the lease of whoever works on it must have been renewed."""
    _send(task.name, outcome.job_id, broker.broker_url(load_settings()), countdown=_HELD_PAUSE)


def _run(job: Job) -> dict[str, Any] | list[Piece]:
    try:
        return workshop().run(job)
    except SoftTimeLimitExceeded:
        raise TooLongError from None
