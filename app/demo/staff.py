"""The demo's broker and workers, as long as a block lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agents.broker import broker_url, require
from app.up.keeper import clear_orphan
from app.up.keeping import kept
from app.up.parts import broker_part, worker_part
from app.up.place import Place
from app.up.supervisor import Supervisor
from lake.journal import Journal
from lake.settings import Settings


@contextmanager
def staff(settings: Settings, journal: Journal, say: Callable[[str], None]) -> Iterator[None]:
    """A broker (unless ``REDIS_URL`` names one) and workers for a block; all end with it.

    Raises:
        AlreadyUpError: Somebody else keeps the broker of this home.
        BrokerMissingError: ``REDIS_URL`` is set and nothing answers there.
        PartFailedError: One did not start.
    """
    place = Place.of(settings)
    with kept(place, "demo"):
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
            supervisor.stop()
