"""A program's hand on a running sandbox: its clock, its faults, its truth, its log.

with running(SandboxConfig(begin=moment, speed=60)) as url:
    control = Control(url)
    control.set_faults({"http_503": {"rate": 0.1, "count": 5}})
    ...
    held = control.truth("SPY", feed="iex")
    assert not [one for one in control.requests() if one["early"]]
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any

from sandbox.errors import SandboxError

SECONDS = 60


class ControlError(SandboxError):
    """The sandbox refused an order."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(status, said)
        self.status, self.said = status, said

    def __str__(self) -> str:
        return f"The sandbox refused ({self.status}): {self.said}"


class Control:
    """The control routes of a sandbox.

    Args:
        url: Its base URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def stream_url(self, feed: str = "iex") -> str:
        """Where the stream of a feed is, for ``url_override``."""
        return f"{self.url.replace('http', 'ws', 1)}/v2/{feed}"

    def now(self) -> float:
        """The present, in seconds since 1970."""
        return float(self._ask("GET", "clock")["seconds"])

    def set_clock(
        self,
        *,
        now: datetime | None = None,
        advance: float | None = None,
        speed: float | None = None,
    ) -> float:
        """Go on from another moment or so many seconds later, at another speed; returns the present."""
        asked = {
            "now": None if now is None else now.isoformat(),
            "advance": advance,
            "speed": speed,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return float(self._ask("PUT", "clock", content=given)["seconds"])

    def faults(self) -> dict[str, Any]:
        """``seed``, ``faults`` (the plan) and ``happened`` (how often)."""
        return self._ask("GET", "faults")

    def set_faults(self, faults: dict[str, Any], seed: int | None = None) -> None:
        """Another plan from now on; an empty one for none."""
        self._ask("PUT", "faults", content=faults | ({} if seed is None else {"seed": seed}))

    def change_faults(self, faults: dict[str, Any]) -> None:
        """Put some faults into the plan; those that are None are taken out."""
        self._ask("PATCH", "faults", content=faults)

    def truth(
        self,
        symbol: str,
        *,
        feed: str = "sip",
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | float | None = None,
    ) -> dict[str, Any]:
        """What a perfect client holds: ``bars`` and ``malformed``."""
        moments = {"start": start, "end": end, "as_of": as_of}
        asked: dict[str, Any] = {
            name: moment.isoformat() if isinstance(moment, datetime) else str(moment)
            for name, moment in moments.items()
            if moment is not None
        }
        return self._ask("GET", "truth", symbol=symbol, feed=feed, **asked)

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """What was asked after a request's number."""
        found: list[dict[str, Any]] = self._ask("GET", "requests", after=str(after))["requests"]
        return found

    def streams(self) -> dict[str, Any]:
        """``connections`` that are authenticated, and how many ``attempts`` there were."""
        return self._ask("GET", "streams")

    def _ask(
        self, method: str, route: str, content: dict[str, Any] | None = None, **query: str
    ) -> dict[str, Any]:
        address = f"{self.url}/sandbox/{route}?{urllib.parse.urlencode(query)}"
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(address, body, method=method)  # noqa: S310 - our own URL
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as reply:  # noqa: S310
                found: dict[str, Any] = json.load(reply)
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            raise ControlError(error.code, said) from None
        return found
