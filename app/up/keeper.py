"""Keeps the broker and one worker of a home for as long as some process is a member of it.

``python -m app.up.keeper --home HOME`` is started by the first member (see ``membership``), lives in
a session of its own and ends by itself when the last member has left, however that ended.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from threading import Event
from types import FrameType

from agents.broker import answers, broker_url, shut_down
from app.up.locks import Lock, holder
from app.up.parts import broker_part, worker_part
from app.up.place import Place
from app.up.supervisor import Member, PartFailedError, Supervisor
from lake.errors import LakeError
from lake.journal import Journal
from lake.journal.processes import is_dead
from lake.logs import configure_logs, logger
from lake.settings import load_settings

#: Seconds without any member before all is stopped: an API that restarts is back by then.
GRACE = 3.0

_LOOK_EVERY = 0.3
_ORPHAN = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep a home; returns at once if it is kept already."""
    parser = argparse.ArgumentParser(prog="python -m app.up.keeper", description=__doc__)
    parser.add_argument("--home", required=True, help="the home, as in BARLAKE_HOME")
    parser.parse_args(arguments)
    place = Place.of(load_settings())
    if holder(place.up_lock) is not None:
        return 0
    lock = Lock.take(place.keeper_lock, patience=1.0)
    if lock is None:
        return 0
    with lock:
        lock.note(who="keeper", state="running")
        try:
            _keep(place, lock)
        except LakeError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def clear_orphan(place: Place) -> None:
    """End a broker that its supervisor left behind. Only who holds the keeper's lock may ask."""
    url = broker_url(place.settings)
    end = time.monotonic() + _ORPHAN
    while answers(url, patience=0.5) and time.monotonic() < end:
        shut_down(url)
        time.sleep(0.1)


def _keep(place: Place, lock: Lock) -> None:
    stop = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    with Journal.open(place.settings.journal_url or place.home) as journal:
        configure_logs("keeper", home=place.home, journal=journal, stderr=False)
        supervisor = Supervisor(_tell)
        try:
            clear_orphan(place)
            supervisor.start([broker_part(place)])
            supervisor.settle(stop.is_set)
            supervisor.start([worker_part(place, journal, 1)])
            _stay(place, supervisor, stop)
        except PartFailedError as error:
            logger(stage="keeper").error(str(error))
            raise
        finally:
            lock.note(who="keeper", state="stopping")
            supervisor.stop()


def _stay(place: Place, supervisor: Supervisor, stop: Event) -> None:
    alone_since: float | None = None  # who asked for us was a member before it asked
    while not stop.wait(_LOOK_EVERY):
        supervisor.look()
        if _has_members(place):
            alone_since = None
            continue
        alone_since = alone_since or time.monotonic()
        if time.monotonic() - alone_since > GRACE:
            return


def _has_members(place: Place) -> bool:
    alone = Lock.take(place.members_lock)
    if alone is None:
        return True
    alone.release()
    if not place.reloaders.exists():
        return False
    return any(not is_dead(name) for name in place.reloaders.read_text().split("\n") if name)


def _tell(member: Member, words: str) -> None:
    logger(stage="keeper").info(
        f"{member.part.name}: {words}", part=member.part.name, pid=member.pid
    )


if __name__ == "__main__":
    sys.exit(main())
