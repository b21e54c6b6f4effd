"""What every provider over HTTP needs: time limits, patience, the rate budget, one line a request."""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import stamina
from urllib3.exceptions import HTTPError, NewConnectionError

from agents.sources import Log, ProviderBusyError, ProviderRefusedError
from lake.errors import TransientError
from lake.journal.budget import Budget, Window, by_headers

CONNECT_SECONDS, READ_SECONDS, REQUEST_SECONDS = 5.0, 30.0, 120.0
ATTEMPTS, LONGEST_BACKOFF = 8, 60.0
_UNREACHABLE_ATTEMPTS = 3
_TOO_MANY = 429
_SERVER_FAULT = 500
_WINDOW_SECONDS = 60.0
# Clocks that differ by less agree: an answer tells its time in whole seconds.
_AGREE = 1.0
# While it waits for the budget a process looks again now and then: another may have learnt more.
_LOOK_EVERY = 5.0
_LONGEST_SAID = 200
# The budget makes whoever met a limit wait, and all others with it.
_AT_ONCE = 0.01

_T = TypeVar("_T")


@dataclass(frozen=True)
class Answer:
    """What came back, whole.

    Attributes:
        body: The bytes, decompressed.
        facts: For the line of the log.
    """

    body: bytes
    facts: dict[str, Any]


class Patient:
    """Sends requests of one account to one host.

    Args:
        source: As users know it, for sentences.
        budget: Asked before every request, retries too.
        log: Takes one line for each request.
        advice: What to do about a status that refuses, by status.
    """

    def __init__(
        self, source: str, budget: Budget, log: Log, advice: Mapping[int, str] | None = None
    ) -> None:
        self._source, self._budget, self._log = source, budget, log
        self._advice = dict(advice or {})
        self._attempt = 1

    def retried(self, once: Callable[[], _T], attempts: int | None = None) -> _T:
        """Do something with retries where they can help: a limit, a fault of the server, the network.

        Args:
            once: What to do.
            attempts: How often at most; None: as often as what must be known deserves.

        Raises:
            ProviderRefusedError: At once: asking again does not help.
            ProviderBusyError: After the last attempt.
        """
        for attempt in stamina.retry_context(
            on=_backoff,
            attempts=attempts or ATTEMPTS,
            timeout=None,
            wait_initial=0.5,
            wait_max=LONGEST_BACKOFF,
        ):
            with attempt:
                self._attempt = attempt.num
                try:
                    return once()
                except ProviderBusyError as error:
                    error.hopeless = error.unreachable and attempt.num >= _UNREACHABLE_ATTEMPTS
                    raise
        raise AssertionError  # the loop returns or raises

    def send(
        self, session: requests.Session, method: str, url: str, options: Mapping[str, Any]
    ) -> Answer:
        """Send one request when the budget lets it, and read the whole answer.

        Raises:
            ProviderRefusedError, ProviderBusyError: The answer is none.
        """
        self._await_budget()
        started = time.monotonic()
        facts = _asked(url, options) | {"attempt": self._attempt}
        try:
            response = session.request(
                method, url, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True, **options
            )
            body = _read(response, started + REQUEST_SECONDS)
        except (requests.RequestException, HTTPError, TimeoutError, OSError) as error:
            busy = _busy(self._source, url, error)
            self.tell(facts | {"ms": _ms(started), "problem": busy.problem}, level="warning")
            raise busy from error
        self._learn(response)
        facts |= {
            "status": response.status_code,
            "ms": _ms(started),
            "bytes": len(body),
            "budget_left": response.headers.get("X-RateLimit-Remaining"),
            "request_id": response.headers.get("X-Request-ID"),
        }
        self._check(response, body, facts)
        return Answer(body, facts)

    def tell(self, facts: Mapping[str, Any], *, level: str = "info") -> None:
        """Write the line of one request."""
        self._log(stage="request", level=level, **facts)

    def _check(self, response: requests.Response, body: bytes, facts: dict[str, Any]) -> None:
        status = response.status_code
        if status == _TOO_MANY or status >= _SERVER_FAULT:
            problem = f"HTTP {status}"
            self.tell(facts | {"problem": problem}, level="warning")
            raise ProviderBusyError(
                self._source, problem, _AT_ONCE if status == _TOO_MANY else None
            )
        if not response.ok:
            said = body[:_LONGEST_SAID].decode("utf-8", "replace")
            self.tell(facts | {"problem": said}, level="warning")
            advice = self._advice.get(status, "Asking again does not help.")
            raise ProviderRefusedError(self._source, status, said, advice)

    def _await_budget(self) -> None:
        """Wait until every process together may send one request more."""
        while True:
            try:
                wait = self._budget.take()
            except TransientError:  # the journal is busy: not sent until it answers
                wait = _LOOK_EVERY / 10
            if not wait:
                return
            time.sleep(min(wait + _jitter(), _LOOK_EVERY))

    def _learn(self, response: requests.Response) -> None:
        now = time.time()
        told = by_headers(response.headers, now, skew=_skew(response.headers, now))
        if response.status_code == _TOO_MANY:  # whatever it counts, this window is over
            ends = told.ends if told is not None else now + _WINDOW_SECONDS
            most = told.most if told is not None else self._budget.most() or 1
            told = Window(_WINDOW_SECONDS, most, 0, max(ends, now + 0.1))
        with suppress(TransientError):
            if told is not None:
                self._budget.learn(told)
            elif response.ok:
                self._budget.free()


def _asked(url: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a request asks, without who asks: keys are in headers."""
    asked = options.get("params") or {}
    return {
        "path": url.partition("//")[2].partition("/")[2],
        "symbol": asked.get("symbols"),
        "asked": {name: value for name, value in asked.items() if name != "page_token"},
        "page": "next" if "page_token" in asked else "first",
    }


def _busy(source: str, url: str, error: Exception) -> ProviderBusyError:
    """What a failed connection says: no server there at all, or one that broke off."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if not isinstance(reason, NewConnectionError):
        return ProviderBusyError(source, type(error).__name__)
    busy = ProviderBusyError(source, f"{urlsplit(url).netloc} cannot be reached")
    busy.unreachable = True
    return busy


def _backoff(error: Exception) -> bool | float:
    if not isinstance(error, ProviderBusyError) or error.hopeless:
        return False
    return True if error.wait is None else error.wait


def _skew(headers: Mapping[str, str], now: float) -> float:
    """How far our clock is ahead of the provider's, where they surely differ."""
    try:
        ahead = now - parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return 0.0
    return ahead if abs(ahead) > _AGREE else 0.0


def _read(response: requests.Response, deadline: float) -> bytes:
    """The whole body; a read timeout alone would let a slow drip go on for ever."""
    body = bytearray()
    with response:
        while chunk := response.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(body)


def _jitter() -> float:
    return random.uniform(0.02, 0.2)  # noqa: S311 - spreads processes, guards nothing


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
