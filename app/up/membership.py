"""How an API gets the embedded broker and a worker, and lets go of them.

Members share a lock; a keeper process holds its own, runs the broker and one worker, and ends when
no member is left. Locks end with their process, so ``kill -9`` of anybody is seen by the others.
"""

import multiprocessing
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from agents.broker import answers, broker_url, shown_url
from app.up import launch
from app.up.locks import Lock, holder
from app.up.place import Place
from lake.errors import BrokerMissingError
from lake.journal.processes import identity, is_dead
from lake.settings import Settings

_PATIENCE = 20.0
_LOOK_EVERY = 2.0
_PAUSE = 0.1
_ANOTHER_TRY = 3.0
_LOCK_PATIENCE = 5.0


class Membership:
    """Being a member of a home: its broker runs, and a worker is there or on its way.

    A context manager. Leaving is quick: the keeper, seeing the last one go, stops what it keeps a
    few seconds later, so that an API under ``--reload`` finds it again.
    """

    def __init__(self, settings: Settings) -> None:
        self._place = Place.of(settings)
        self._url = broker_url(settings)
        self._lock: Lock | None = None
        self._asked = 0.0
        self._left = threading.Event()
        self._watch: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Join; waits until the broker answers.

        Raises:
            BrokerMissingError: It does not come up; ``HOME/logs/keeper.log`` may say why.
        """
        self._lock = Lock.take(self._place.members_lock, shared=True, patience=_LOCK_PATIENCE)
        self._note_reloader()
        end = time.monotonic() + _PATIENCE
        while not self._is_kept() or not answers(self._url, patience=0.5):
            if time.monotonic() > end:
                self._leave()
                raise BrokerMissingError(shown_url(self._url))
            self._ask()
            time.sleep(_PAUSE)
        self._watch = threading.Thread(target=self._stay, daemon=True, name="membership")
        self._watch.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self._left.set()
        if self._watch is not None:
            self._watch.join(_LOOK_EVERY)
        if self._lock is not None:
            self._lock.release()

    def _stay(self) -> None:
        """Look after the keeper: should it be killed, another one is asked for."""
        while not self._left.wait(_LOOK_EVERY):
            if not self._is_kept():
                self._ask()

    def _is_kept(self) -> bool:
        keeper = holder(self._place.keeper_lock)
        return keeper is not None and keeper.get("state") == "running"

    def _ask(self) -> None:
        """Start a keeper, unless one is there, or was asked for a moment ago, or ``up`` begins."""
        now = time.monotonic()
        kept = holder(self._place.keeper_lock) is not None
        if kept or now - self._asked < _ANOTHER_TRY or holder(self._place.up_lock) is not None:
            return
        self._asked = now
        keeper = (sys.executable, "-m", "app.up.keeper", "--home", str(self._place.home))
        with (self._place.logs / "keeper.log").open("ab") as log:
            subprocess.run(  # noqa: S603 - our own command
                [sys.executable, "-I", launch.__file__, "free", *keeper],
                env=self._place.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )

    def _note_reloader(self) -> None:
        """Under ``uvicorn --reload`` the parent stays while APIs come and go: it counts as a member."""
        parent = multiprocessing.parent_process()
        if parent is None or parent.pid is None or not _is_uvicorn(parent.pid):
            return
        file, name = self._place.reloaders, identity(parent.pid)
        known = file.read_text().split("\n") if file.exists() else []
        alive = [line for line in known if line and not is_dead(line)]
        if name not in alive:
            draft = file.with_suffix(f".{time.monotonic_ns()}")
            draft.write_text("\n".join([*alive, name]))
            draft.replace(file)


def join(settings: Settings) -> Membership:
    """A membership of the home of some settings, to be entered; for who runs without ``REDIS_URL``.

    The first member starts the embedded broker and one worker, later ones find them; there is one
    of each per home. They end when the last member leaves, by whatever way.
    """
    return Membership(settings)


def _is_uvicorn(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        asked = subprocess.run(  # noqa: S603 - a number we made
            ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
        )
        command = asked.stdout
    return b"uvicorn" in command
