"""What all routes share: the lake, the journal and the queue of one home."""

from collections.abc import Callable
from threading import Event, Lock
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from agents import broker
from app.api.joining import Joining
from lake.faults import explained
from lake.home import Home
from lake.journal import Job, Journal
from lake.opening import open_by
from lake.settings import Settings

if TYPE_CHECKING:
    from lake import Lake

_PATIENCE = 10.0  # seconds a request waits for a broker that is just starting


class House:
    """The lake, the journal and the queue, each opened when it is first asked for.

    One per app; its threads share it.

    Args:
        settings: Where everything lies.
        send: What puts a job on its queue; None: the Celery door.
    """

    def __init__(self, settings: Settings, send: Callable[[Job], None] | None = None) -> None:
        self.settings = settings
        self.joining = Joining(settings)
        self.leaving = Event()  # the server was told to stop: nobody should wait any longer
        self._send = send
        self._lock = Lock()
        self._lake: Lake | None = None
        self._mark: tuple[int, int] | None = None
        self._journal: Journal | None = None

    @property
    def lake(self) -> "Lake":
        """The lake of the home, opened anew when it appears or another one takes its place.

        Raises:
            LakeMissingError: There is none yet.
        """
        with self._lock:
            mark = self._current_mark()
            if self._lake is None or mark != self._mark:
                self._lake = open_by(self.settings)
                self._mark = mark or self._current_mark()
            return self._lake

    @property
    def journal(self) -> Journal:
        """The journal of the home, made when it is not there.

        Raises:
            ReadOnlyError: The home cannot be written.
        """
        with self._lock, explained(Home(self.settings.home.resolve())):
            if self._journal is None:
                self._journal = Journal.open(self.settings.journal_url or self.settings.home)
            return self._journal

    def send(self, job: Job) -> None:
        """Put a job on its queue.

        Raises:
            BrokerMissingError: No broker answers.
        """
        if self._send is not None:
            self._send(job)
            return
        from agents.tasks import send

        send(job)

    def send_waiting(self) -> int:
        """Send the jobs that no worker has and no message waits for; tells how many.

        Raises:
            BrokerMissingError: No broker answers.
        """
        if self._send is None:
            from agents.tasks import send_unfinished

            return send_unfinished(self.journal)
        waiting = self.journal.orphans()
        for job in waiting:
            self._send(job)
        return len(waiting)

    def require_broker(self, patience: float = _PATIENCE) -> None:
        """Return if work can be queued, so that nothing is half queued when it cannot.

        Args:
            patience: Seconds to wait for an embedded broker that is just starting.

        Raises:
            BrokerMissingError: No broker answers.
        """
        if self._send is not None:
            return
        self.joining.wait(patience)
        broker.require(broker.broker_url(self.settings))

    def close(self) -> None:
        """Let go of the lake and the journal."""
        with self._lock:
            for opened in (self._lake, self._journal):
                if opened is not None:
                    opened.close()
            self._lake = self._journal = None

    def _current_mark(self) -> tuple[int, int] | None:
        """Which file the catalog is now; None where there is none."""
        try:
            found = Home(self.settings.home).catalog.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


async def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


HouseDep = Annotated[House, Depends(_house)]
