"""The demo's broker and workers, as long as a block lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agents.broker import broker_url, require
from app.up.keeper import clear_orphan
from app.up.locks import Lock, holder
from app.up.parts import broker_part, worker_part
from app.up.place import Place
from app.up.supervisor import Supervisor
from lake.errors import InvalidError
from lake.journal import Journal
from lake.settings import Settings

_PATIENCE = 8.0


class HomeInUseError(InvalidError):
    """Workers with other settings run for the home already."""

    def __init__(self, home: str, pid: int | None) -> None:
        super().__init__(home, pid)
        self.home, self.pid = home, pid

    def __str__(self) -> str:
        who = f" (process {self.pid})" if self.pid else ""
        return (
            f"Barlake runs already for {self.home}{who}, with settings of its own. "
            "Stop that first, then run the demo again."
        )


@contextmanager
def staff(settings: Settings, journal: Journal, say: Callable[[str], None]) -> Iterator[None]:
    """A broker (unless ``REDIS_URL`` names one) and workers for a block; all end with it.

    Raises:
        HomeInUseError: Somebody else keeps the broker of this home.
        BrokerMissingError: ``REDIS_URL`` is set and nothing answers there.
        PartFailedError: One did not start.
    """
    place = Place.of(settings)
    lock = Lock.take(place.keeper_lock, patience=_PATIENCE)
    if lock is None:
        raise HomeInUseError(str(place.home), (holder(place.keeper_lock) or {}).get("pid"))
    with lock:
        lock.note(who="demo", state="running")
        supervisor = Supervisor(lambda *_: None)
        try:
            if settings.redis_url:
                require(broker_url(settings))
            else:
                clear_orphan(place)
                supervisor.start([broker_part(place)])
                supervisor.settle(lambda: False)
            workers = range(1, settings.workers + 1)
            supervisor.start([worker_part(place, journal, number) for number in workers])
            supervisor.settle(lambda: False)
            say(f"Broker and {settings.workers} workers run as processes of their own.")
            yield
        finally:
            lock.note(who="demo", state="stopping")
            supervisor.stop()
