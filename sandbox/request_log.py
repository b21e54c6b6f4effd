"""What was asked when: so that a test can prove that no request was early and none was lost."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

#: Requests that are remembered.
MOST_ENTRIES = 200_000


@dataclass
class Entry:
    """One request.

    Args:
        number: Counted from 1; what faults decide by.
        at: When it arrived, real seconds since 1970.
        now: When it arrived, by the sandbox's clock.
        method: HTTP's.
        path: Without the query.
        query: Its parameters.
        account: Whose; empty if it had no right keys.
        status: What was answered; None for nothing.
        fault: What went wrong on purpose.
        early: It came although an answer had told that nothing is left until later.
        over: It was refused by the rate limit: more came than the window has.
        milliseconds: Until the last byte of the answer.
        bytes: Of the answer's body.
    """

    number: int
    at: float
    now: float
    method: str
    path: str
    query: dict[str, str]
    account: str = ""
    status: int | None = None
    fault: str | None = None
    early: bool = False
    over: bool = False
    milliseconds: float | None = None
    bytes: int = 0


class RequestLog:
    """The requests since the start, the oldest forgotten first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)
        self.count = 0

    def begin(self, at: float, now: float, method: str, path: str, query: dict[str, str]) -> Entry:
        """The entry of a request that has just arrived."""
        self.count += 1
        entry = Entry(self.count, at, now, method, path, query)
        self._entries.append(entry)
        return entry

    def after(self, number: int) -> list[dict[str, Any]]:
        """The requests after a number, in order."""
        return [asdict(entry) for entry in self._entries if entry.number > number]

    def clear(self) -> None:
        """Forget all; the numbers go on."""
        self._entries.clear()
