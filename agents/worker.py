"""What a worker process holds: settings, journal, lake, source, heartbeat; and its Celery signals.

All of it is made after the fork, once per process, when it is first needed.
"""

import atexit
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from celery import signals

from agents.alerts import Watch
from agents.broker import QUEUES
from agents.heartbeat import Pulse, next_work
from lake.errors import InvalidError, LakeError, LakeMissingError
from lake.journal import Job, Journal, tallies
from lake.journal.budget import Budget, RateWindow, SharedBudget
from lake.journal.parts import Piece
from lake.logs import close_logs, configure_logs, logger
from lake.settings import Settings, load_settings

if TYPE_CHECKING:
    from agents.sources import Source
    from lake import Lake


#: Sends jobs of a journal to the broker; tells how many.
Send = Callable[[Journal], int]

_MEND_EVERY = 60.0


class OtherSourceError(InvalidError):
    """A job asks for bars of a source that this worker is not set up for."""

    def __init__(self, wanted: str, served: str) -> None:
        super().__init__(wanted, served)
        self.wanted, self.served = wanted, served

    def __str__(self) -> str:
        return (
            f"The job asks for {self.wanted}, but this worker fetches from {self.served}. Start "
            "the workers with the same ALPACA_* settings as who queues, and queue it again."
        )


class Workshop:
    """One process that works on jobs."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.settings = load_settings()
        self._lake: Lake | None = None
        self._asked: dict[str, tuple[int, int]] = {}

    @cached_property
    def journal(self) -> Journal:
        """The journal of the settings."""
        return Journal.open(self.settings.journal_url or self.settings.home)

    @cached_property
    def pulse(self) -> Pulse:
        """The heartbeat of this process, beating."""
        beating = Pulse(
            self.journal,
            self.agent,
            "worker",
            next_step=lambda: next_work(self.journal),
            queues=_queues(),
        )
        return beating.start()

    def run(self, job: Job) -> dict[str, Any] | list[Piece]:
        """Do what a job asks for; returns plain JSON, or the parts to do it in.

        Raises:
            LakeError: As the plain function's.
        """
        try:
            return _WORK[job.kind](self, job)
        finally:
            self._tally()

    def lake(self, *, create: bool = False) -> "Lake":
        """The lake of the home.

        Raises:
            LakeMissingError: There is none yet and ``create`` is false.
        """
        if self._lake is None:
            from lake.opening import open_by

            self._lake = open_by(self.settings, create=create)
        return self._lake

    @cached_property
    def source(self) -> "Source":
        """The provider of bars."""
        from agents.sources import open_source

        def shared(account: str, believed: Sequence[RateWindow]) -> Budget:
            return SharedBudget(self.journal, account, believed)

        return open_source(self.settings, self._heard, shared)

    def _heard(self, **facts: Any) -> None:
        """Takes the source's lines: each is logged, and requests are counted by symbol."""
        if facts.get("stage") == "request" and facts.get("symbol"):
            requests, failures = self._asked.get(facts["symbol"], (0, 0))
            self._asked[facts["symbol"]] = requests + 1, failures + ("problem" in facts)
        _tell_log(**facts)

    def _tally(self) -> None:
        """Keep how the requests went; a journal that is busy costs the count, never the work."""
        asked, self._asked = self._asked, {}
        with suppress(LakeError):
            for symbols, (requests, failures) in asked.items():
                names = symbols.split(",")
                tallies.count(self.journal, self.settings.source, names, requests, failures)


def _ingest(shop: Workshop, job: Job) -> dict[str, Any] | list[Piece]:
    from agents import ingest

    if job.source != shop.settings.source:
        raise OtherSourceError(job.source, shop.settings.source)
    return ingest.Ingest(shop.lake(create=True), shop.source, shop.journal, _tell_log).work(
        job, history=shop.settings.history, now=datetime.now(UTC)
    )


def _features(shop: Workshop, job: Job) -> dict[str, Any]:
    from agents import features

    try:
        lake = shop.lake()
    except LakeMissingError:
        if job.symbol:
            raise
        return {"builds": 0, "rebuilt": 0, "left": {}}  # the scheduler asks everywhere
    return features.run(lake, shop.journal, job)


def _train(shop: Workshop, job: Job) -> dict[str, Any]:
    from agents import research

    return research.train(shop.lake(), shop.journal, job)


def _simulate(shop: Workshop, job: Job) -> dict[str, Any]:
    from agents import research

    return research.simulate(shop.lake(), shop.journal, job)


def _upkeep(shop: Workshop, job: Job) -> dict[str, Any]:
    from agents import upkeep

    try:
        lake = shop.lake()
    except LakeMissingError:
        return {"transactions": 0, "steps": []}
    planned = upkeep.plan(shop.settings, datetime.now(UTC))
    return upkeep.run(lake, shop.journal, job, planned, mirror=shop.settings.mirror)


def _quality(shop: Workshop, job: Job) -> dict[str, Any]:
    from agents import quality

    try:
        lake = shop.lake()
    except LakeMissingError:
        return {"series": 0, "days": 0}
    return quality.run(lake, shop.journal, job)


def _gaps(shop: Workshop, job: Job) -> dict[str, Any]:
    from agents import gaps, missing
    from agents.sources import KeysMissingError

    try:
        lake = shop.lake()
    except LakeMissingError:
        return {"series": 0, "asked": 0}
    asked = gaps.asked_by(job)
    source = None
    with suppress(
        KeysMissingError
    ):  # then nobody is asked, and what is absent is named all the same
        source = shop.source

    def tell(done: int, total: int, message: str) -> None:
        shop.journal.progress(job.id, done, total, message)

    now = datetime.now(UTC)
    try:
        return gaps.run(lake, source, now=now, **asked, tell=tell, log=_tell_log, job_id=job.id)
    finally:
        missing.judge(lake, shop.journal, asked.get("symbols", ()))


def _actions(shop: Workshop, job: Job) -> dict[str, Any]:
    from agents import reference
    from agents.sources import KeysMissingError

    try:
        lake, source = shop.lake(), shop.source
    except (LakeMissingError, KeysMissingError):  # nothing to read about, or nobody to ask
        return {"symbols": 0, "changed": 0}
    tell = partial(shop.journal.progress, job.id)
    now = reference.present(source, datetime.now(UTC))
    return reference.read_actions(lake, source, now=now, **job.params, tell=tell, log=_tell_log)


def _instruments(shop: Workshop, job: Job) -> dict[str, Any]:
    from agents import reference
    from agents.sources import KeysMissingError

    try:
        source = shop.source
    except KeysMissingError:
        return {"papers": 0, "changed": 0}
    return reference.read_instruments(
        shop.lake(create=True),
        source,
        shop.journal,
        now=reference.present(source, datetime.now(UTC)),
        tell=partial(shop.journal.progress, job.id),
        log=_tell_log,
        job_id=job.id,
    )


_WORK: dict[str, Callable[[Workshop, Job], dict[str, Any] | list[Piece]]] = {
    "ingest": _ingest,
    "features": _features,
    "train": _train,
    "simulate": _simulate,
    "upkeep": _upkeep,
    "quality": _quality,
    "gaps": _gaps,
    "actions": _actions,
    "instruments": _instruments,
}


def _queues() -> list[str]:
    """What this worker takes work from: all queues, or those that ``-Q`` names."""
    from celery import current_app

    return sorted(current_app.amqp.queues.consume_from) or [*QUEUES]


class _Here:
    """What this process is; a fork makes it another one."""

    name = "beat" if "beat" in sys.argv else "worker"
    pid = 0
    shop: Workshop | None = None
    beat: Pulse | None = None


def workshop() -> Workshop:
    """The workshop of this process."""
    if _Here.shop is None or _Here.pid != os.getpid():
        _Here.shop, _Here.pid = Workshop(_Here.name), os.getpid()
    return _Here.shop


def listen(send_again: Send, send_forgotten: Send) -> None:
    """Connect to Celery's signals: logs, heartbeats, and sending anew what got lost.

    Args:
        send_again: Sends unfinished jobs as a worker process starts.
        send_forgotten: Sends jobs that the broker does not know; called every minute.
    """

    def begin(sender: str | None = None, **_: Any) -> None:
        _begin_process(sender)
        _send_lost(send_again)
        mending = Thread(target=_mend, args=(send_forgotten,), daemon=True, name="mending")
        mending.start()

    signals.celeryd_init.connect(_name_worker, weak=False)
    signals.setup_logging.connect(_log_main, weak=False)
    signals.worker_process_init.connect(begin, weak=False)
    signals.worker_process_shutdown.connect(_end_process, weak=False)
    signals.beat_init.connect(_begin_beat, weak=False)


def _name_worker(sender: str, **_: Any) -> None:
    _Here.name = sender


def _log_main(**_: Any) -> None:
    """Celery's main process: no journal here, for it forks, and SQLite must not see a fork."""
    settings = load_settings()
    settings.home.joinpath("run").mkdir(parents=True, exist_ok=True)
    _configure(settings, None)


def _begin_process(sender: str | None) -> None:
    from billiard import current_process  # type: ignore[import-untyped]

    index = getattr(current_process(), "index", 0) or 0
    _Here.name = f"{sender or _Here.name}" + (f"-{index + 1}" if index else "")
    shop = workshop()
    _configure(shop.settings, shop.journal)
    logger(stage="start").info("worker is ready", pid=os.getpid(), pulse=shop.pulse.agent)
    _watch(shop)


def _send_lost(send: Send) -> None:
    try:
        sent = send(workshop().journal)
    except LakeError as error:
        logger(stage="start").warning("unfinished jobs were not sent again", reason=str(error))
    else:
        if sent:
            logger(stage="start").info("unfinished jobs were sent again", jobs=sent)


def _mend(send: Send) -> None:
    while True:
        time.sleep(_MEND_EVERY)
        _send_lost(send)


def _end_process(**_: Any) -> None:
    shop = workshop()
    with suppress(LakeError):
        shop.pulse.stop()
    close_logs()


def _begin_beat(sender: Any, **_: Any) -> None:
    shop = workshop()
    _configure(shop.settings, shop.journal)
    # Its own application: to the thread of the pulse the current one is another.
    step = partial(_next_task, sender.app)
    _Here.beat = Pulse(shop.journal, shop.agent, "beat", next_step=step).start()
    atexit.register(_Here.beat.stop)
    _watch(shop)


def _next_task(app: Any) -> str:
    """The periodic task that is due next, and when (UTC)."""
    from celery.schedules import maybe_schedule

    now = datetime.now(UTC)
    entries = app.conf.beat_schedule.values()
    due = {entry["task"]: maybe_schedule(entry["schedule"]) for entry in entries}
    left = {task: schedule.remaining_estimate(now) for task, schedule in due.items()}
    task = min(left, key=lambda one: left[one])
    return f"{task} at {now + left[task]:%Y-%m-%dT%H:%MZ}"


def _watch(shop: Workshop) -> None:
    Watch(shop.journal, shop.settings.alert_webhook.get_secret_value()).start()


def _configure(settings: Settings, journal: Journal | None) -> None:
    secrets = [settings.alpaca_key, settings.alpaca_secret, settings.iex_token]
    secrets.append(settings.alert_webhook)
    shown = [secret.get_secret_value() for secret in secrets]
    configure_logs(_Here.name, home=settings.home, journal=journal, secrets=shown)


def _tell_log(**facts: Any) -> None:
    """Takes the structured lines of plain code: ``stage`` and what it has to tell."""
    message = facts.pop("message", None) or str(facts.get("stage") or "")
    level = str(facts.pop("level", "info"))
    getattr(logger(), level, logger().info)(message, **facts)
