"""Copies log lines into the journal, behind the back of who logs them."""

import atexit
import os
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson

from lake.journal.journal import Journal

_PAUSE = 0.5
_BATCH = 500
_KEPT = 10_000
_LAST_WORDS = 2.0


class Copier:
    """Gathers lines and writes them in batches from a thread of its own.

    A journal that is locked, full or gone costs lines, never time or errors of who logs: the
    newest 10,000 wait, older ones are dropped (they stay in the file). After a fork the child's
    copy is mute; the parent's goes on.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: deque[str] = deque(maxlen=_KEPT)
        self._owner = os.getpid()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        atexit.register(self.close)

    def add(self, line: str) -> None:
        """Take one JSON line. Never waits, never raises."""
        if self._closed or self._owner != os.getpid():
            return
        self._waiting.append(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._copy, daemon=True, name="journal-logs")
            with suppress(RuntimeError):  # the interpreter is ending
                self._thread.start()

    def close(self) -> None:
        """Write what waits, for two seconds at most, and stop."""
        if self._closed or self._owner != os.getpid():
            return
        self._closed = True
        atexit.unregister(self.close)
        self._wake.set()
        if self._thread is not None:
            with suppress(RuntimeError):
                self._thread.join(_LAST_WORDS)

    def _copy(self) -> None:
        while not self._closed:
            self._wake.wait(_PAUSE)
            self._flush()
        end = time.monotonic() + _LAST_WORDS
        while self._waiting and time.monotonic() < end and self._flush():
            pass

    def _flush(self) -> bool:
        """Write one batch; False if the journal would not take it."""
        batch: list[str] = []
        while self._waiting and len(batch) < _BATCH:
            batch.append(self._waiting.popleft())
        rows = [row for row in map(_parse, batch) if row is not None]
        try:
            self._journal.log_many(rows)
        except Exception:  # noqa: BLE001 - whatever ails the journal, logging must not spread it
            room = _KEPT - len(self._waiting)
            self._waiting.extendleft(reversed(batch[-room:] if room else []))
            time.sleep(_PAUSE)
            return False
        return True


def _parse(line: str) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = orjson.loads(line)
        return facts | {"timestamp": datetime.fromisoformat(facts["timestamp"])}
    except (ValueError, KeyError, TypeError):
        return None
