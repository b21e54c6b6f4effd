"""Joining the embedded broker and worker of a home while the API already answers."""

from threading import Event, Thread

import structlog

from agents.broker import broker_url, shown_url
from lake.errors import BrokerMissingError
from lake.settings import Settings

_TRY_AGAIN = 10.0  # seconds after a failure
_LEAVE_WITHIN = 30.0  # seconds a stop waits for the worker to end


class Joining:
    """Starts or joins the embedded broker and one worker in a thread of its own.

    A start takes seconds and reading needs neither, so nobody waits but who queues. One thread
    enters and leaves, for locks and connections belong to their thread.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._decided, self._leave = Event(), Event()
        self._thread: Thread | None = None
        self.failure: Exception | None = None

    @property
    def pending(self) -> bool:
        """Whether a start is under way and not decided yet."""
        return self._thread is not None and not self._decided.is_set()

    def start(self) -> None:
        """Begin to join; returns at once."""
        self._thread = Thread(target=self._stay, name="joining", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until the broker runs, where one is being joined.

        Raises:
            BrokerMissingError: It did not come up, or not in time.
        """
        if self._thread is None:
            return
        if not self._decided.wait(seconds) or self.failure is not None:
            raise BrokerMissingError(shown_url(broker_url(self._settings)))

    def leave(self) -> None:
        """Leave, and wait a while for what the last one to leave stops."""
        self._leave.set()
        if self._thread is not None:
            self._thread.join(_LEAVE_WITHIN)

    def _stay(self) -> None:
        while not self._leave.is_set():
            try:
                from app.up import join

                with join(self._settings):
                    self.failure = None
                    self._decided.set()
                    self._leave.wait()
            except Exception as error:  # noqa: BLE001 - a door: reading goes on without a broker
                self._note(error)
                self._leave.wait(_TRY_AGAIN)

    def _note(self, error: Exception) -> None:
        self.failure = error
        self._decided.set()
        said = "The embedded broker did not start; reading works, queueing does not"
        structlog.get_logger().error(said, stage="join", exc_info=error)
