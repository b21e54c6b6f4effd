"""``barlake up``: the whole house in the foreground, until Ctrl-C."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from agents.broker import broker_url, require
from agents.sources import require_keys
from app.up.keeper import clear_orphan
from app.up.keeping import AlreadyUpError, kept
from app.up.locks import Lock, holder
from app.up.parts import (
    Part,
    api_part,
    beat_part,
    broker_part,
    check_ports,
    live_part,
    ui_part,
    worker_part,
)
from app.up.place import Place
from app.up.screen import Screen, screen
from app.up.supervisor import Supervisor
from lake.journal import Journal
from lake.logs import configure_logs, logger
from lake.settings import Settings

_LOOK_EVERY = 0.25


class Stop:
    """What signals asked for: to stop, or, asked twice, to stop at once."""

    def __init__(self) -> None:
        self.asked = 0

    def is_asked(self) -> bool:
        """Whether to stop."""
        return self.asked > 0

    def is_urgent(self) -> bool:
        """Whether it was asked for again."""
        return self.asked > 1


def up(settings: Settings, echo: Callable[[str], None]) -> None:
    """Run broker, workers, scheduler, API and UI until SIGINT, SIGTERM or SIGHUP; then stop all.

    With ``REDIS_URL`` set no broker is started. A part that dies is started again. Should this
    process be killed, its parts end as well.

    Args:
        echo: Takes plain lines where standard output is no terminal.

    Raises:
        AlreadyUpError: Another one runs for this home.
        PortTakenError: A port is in use.
        KeysMissingError: BARLAKE_WATCH names symbols, and no keys are set. In these cases nothing
            was started.
        BrokerMissingError: ``REDIS_URL`` is set and nothing answers there.
        PartFailedError: A part did not start; all others are stopped again.
    """
    place = Place.of(settings)
    lock = Lock.take(place.up_lock, patience=0.5)
    if lock is None:
        raise AlreadyUpError(str(place.home), (holder(place.up_lock) or {}).get("pid"))
    with lock:
        lock.note()
        check_ports(place)
        if settings.watch:
            require_keys(settings)
        with kept(place, "up"), Journal.open(settings.journal_url or place.home) as journal:
            configure_logs("up", home=place.home, journal=journal, stderr=False)
            with screen(echo) as shown, _stopping() as stop:
                _run(place, journal, shown, stop)


def _run(place: Place, journal: Journal, shown: Screen, stop: Stop) -> None:
    supervisor = Supervisor(shown.tell)
    shown.show(supervisor.members)
    try:
        if place.settings.redis_url:
            require(broker_url(place.settings))
        else:
            clear_orphan(place)
            supervisor.start([broker_part(place)])
            supervisor.settle(stop.is_asked)
        if not stop.is_asked():
            supervisor.start(_parts(place, journal))
            supervisor.settle(stop.is_asked)
        if not stop.is_asked():
            logger(stage="up").info("the house is up")
            shown.say(f"Everything runs for {place.home}. Ctrl-C stops it.")
        while not stop.is_asked():
            supervisor.look()
            time.sleep(_LOOK_EVERY)
        shown.say("Stopping ...")
    finally:
        supervisor.stop(stop.is_urgent)
        logger(stage="up").info("the house is down")
    shown.say("Everything is stopped.")


def _parts(place: Place, journal: Journal) -> list[Part]:
    numbers = range(1, place.settings.workers + 1)
    workers = [worker_part(place, journal, number) for number in numbers]
    live = [live_part(place, journal)] if place.settings.watch else []
    return [*workers, beat_part(place, journal), *live, api_part(place), ui_part(place)]


@contextmanager
def _stopping() -> Iterator[Stop]:
    """Listen to the signals that end us; as before again afterwards."""
    stop = Stop()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.asked += 1

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
