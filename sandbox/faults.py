"""What may go wrong on purpose, and the seeded decisions when it does.

A plan names faults and how often each happens. Whether one happens is decided by the seed and by
what it would happen to (the number of a request, or a symbol's minute), by nothing else: the same
plan and seed spoil the same things again. A fault with ``count`` stops after so many times, so that
a client which tries again ends well.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import orjson

from sandbox.bars import Float64s
from sandbox.errors import BadRequestError, ConfigError
from sandbox.levels import stream
from sandbox.times import parse_start

#: Of requests; decided by the request's number, at most one a request.
REQUEST_FAULTS = {
    "rate_limit": "429 with a reset `seconds` ahead; until then every request is a 429",
    "http_500": "500 with JSON",
    "http_502": "502 with HTML",
    "http_503": "503 with HTML",
    "http_504": "504 with HTML",
    "http_500_html": "500 with HTML",
    "http_503_json": "503 with JSON",
    "reject_keys": "401 as for wrong keys",
    "reset": "the connection is reset before an answer",
    "reset_inside": "the connection is reset in the middle of the answer",
    "stall": "no answer for `seconds`, then it comes",
    "slow_drip": "the answer comes in small pieces over `seconds`",
    "cut_json": "the JSON ends in the middle, as if it were whole",
    "cut_body": "fewer bytes than Content-Length says",
    "empty_body": "200 with no bytes",
    "duplicate_page": "the page before again, with its token",
    "swapped_page": "the next page first, then this one",
    "duplicate_rows": "some rows twice",
    "shuffled_rows": "each symbol's rows, and the symbols, out of order",
    "short_page": "fewer rows than asked for, with a token",
    "empty_page": "no rows, with a token",
    "null_bars": '`"bars": null`, with a token if there are rows',
    "expired_token": "400 for a page token",
    "missing_token": "no member `next_page_token`",
    "outside_bar": "one more row, from a day before the request's start",
    "future_bar": "one more row, an hour ahead of now",
}
#: Of bars; decided by symbol, feed and minute. The first ones change when and whether a bar is seen.
BAR_FAULTS = {
    "hole": "the provider has no bar",
    "halt": "no bar, and status messages around it; give symbols, start and end",
    "late_bar": "the bar appears `delay` seconds after its minute, or at the moment `at`",
    "late_correction": "until `delay` seconds after its minute, or `at`, the bar is another one",
    "null_price": "the close is null",
    "text_price": "the open is a text that is no number",
    "nan_price": "the close is NaN, which is no JSON",
    "missing_count": "no member `n`",
    "missing_vwap": "no member `vw`",
    "low_above_high": "low and high are exchanged, a cent apart at least",
    "negative_volume": "the volume is below zero",
    "zero_price": "all four prices are 0",
    "misaligned": "the timestamp is half a minute late",
}
#: Bars that break a rule; they are mended after ``delay`` seconds, at ``at``, or never.
MALFORMED = tuple(BAR_FAULTS)[4:]
STREAM_FAULTS = {
    "stream_drop": "every connection is reset instead of getting a minute's bars",
    "stream_mute": "every connection that is there gets nothing for `seconds` of the sandbox's clock",
    "stream_duplicate": "a bar comes twice",
    "stream_disorder": "a bar comes with those of the next minute, after them",
    "stream_skip": "a bar does not come",
    "stream_linger": "a connection that broke holds its place for `seconds` (406)",
    "stream_refuse": "an authentication is answered with 402",
    "stream_busy": "an authentication is answered with 406",
}
ACTION_FAULTS = {
    "late_action": "a corporate action is told `delay` seconds after its process date, or at `at`",
}
FAULTS = REQUEST_FAULTS | BAR_FAULTS | STREAM_FAULTS | ACTION_FAULTS
#: The longest day has 25 hours.
MINUTES_A_DAY = 1500
A_WEEK = 7 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of a plan.

    Args:
        name: One of :data:`FAULTS`.
        rate: How often, 0 to 1.
        count: At most so many times; None has no limit. Bars' faults know none.
        numbers: Requests it happens to whatever the rate, counted from 1.
        skip: The first so many requests are spared.
        paths: Only requests to a path that begins with one of these.
        symbols: Only these.
        feeds: Only these.
        start: Only bars that open at this second since 1970 or later, only messages sent from then on.
        end: Only bars that open at this second or before, only messages sent until then.
        delay: Seconds of the sandbox's clock after the bar's minute.
        at: Seconds since 1970 by the sandbox's clock; goes before ``delay``.
        seconds: How long, for the faults that last.
    """

    name: str
    rate: float = 1.0
    count: int | None = None
    numbers: frozenset[int] = frozenset()
    skip: int = 0
    paths: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()
    feeds: frozenset[str] = frozenset()
    start: float = -np.inf
    end: float = np.inf
    delay: float | None = None
    at: float | None = None
    seconds: float = 2.0

    def is_for(self, symbol: str, feed: str) -> bool:
        """Whether a series can be hit at all; without a symbol a whole feed is meant."""
        return (not symbol or not self.symbols or symbol in self.symbols) and (
            not self.feeds or feed in self.feeds
        )


Plan = tuple[Fault, ...]
_OPTIONS = {field.name for field in fields(Fault)} - {"name"}


def parse_plan(text: str | bytes) -> Plan:
    """The plan of a JSON object: names of faults, each with a rate or an object of options.

    Raises:
        ConfigError: It is no such object.
    """
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"The faults are no JSON ({error}).") from None
    if not isinstance(content, dict):
        raise ConfigError('The faults must be an object like {"http_500": 0.1}.')
    return tuple(_fault(name, options) for name, options in sorted(content.items()))


def describe_plan(plan: Plan) -> dict[str, dict[str, Any]]:
    """The plan as a JSON object that :func:`parse_plan` reads back; defaults are left out."""
    told: dict[str, dict[str, Any]] = {}
    for fault in plan:
        plain = Fault(name=fault.name)
        told[fault.name] = {
            name: _plain(getattr(fault, name))
            for name in sorted(_OPTIONS)
            if getattr(fault, name) != getattr(plain, name)
        } | {"rate": fault.rate}
    return told


class Faults:
    """A plan at work.

    Args:
        seed: Decides, together with what a fault would happen to.
        plan: What may happen.
    """

    def __init__(self, seed: int = 1, plan: Plan = ()) -> None:
        self.seed = seed
        self.generation = 0
        self.set(plan)

    def set(self, plan: Plan, seed: int | None = None) -> None:
        """Another plan from now on; the counts begin anew."""
        self.plan = plan
        self.seed = self.seed if seed is None else seed
        self.generation += 1
        self.happened: Counter[str] = Counter()
        self._named = {fault.name: fault for fault in plan}
        self._of_requests = tuple(fault for fault in plan if fault.name in REQUEST_FAULTS)
        self.of_bars = tuple(fault for fault in plan if fault.name in BAR_FAULTS)

    def get(self, name: str) -> Fault | None:
        """A fault of the plan, None if it is not in it."""
        return self._named.get(name)

    def request(
        self, number: int, path: str, applies: Callable[[str], bool] = lambda _: True
    ) -> Fault | None:
        """What happens to a request, if anything.

        Args:
            number: Counted from 1.
            path: Without the query.
            applies: Whether a fault can happen to it at all.
        """
        for fault in self._of_requests:
            if (fault.paths and not path.startswith(fault.paths)) or not applies(fault.name):
                continue
            if number in fault.numbers:
                return fault
            if not fault.numbers and number > fault.skip and self._decide(fault, number):
                return fault
        return None

    def note(self, fault: Fault) -> None:
        """Count a fault that really happened."""
        self.happened[fault.name] += 1

    def strikes(
        self,
        name: str,
        *what: object,
        symbol: str = "",
        feed: str = "",
        moment: float | None = None,
    ) -> Fault | None:
        """A stream's fault if it happens to something; it is counted."""
        fault = self._named.get(name)
        if fault is None or not fault.is_for(symbol, feed):
            return None
        if moment is not None and not fault.start <= moment <= fault.end:
            return None
        if not self._decide(fault, symbol, feed, *what):
            return None
        self.note(fault)
        return fault

    def action_told(self, identity: str, usual: float, processed: float) -> float:
        """From which moment a corporate action is told.

        Args:
            identity: Its UUID.
            usual: From when it is if nothing goes wrong.
            processed: When its process date begins.
        """
        fault = self._named.get("late_action")
        if fault is None or chance(self.seed, fault.name, identity) >= fault.rate:
            return usual
        late = processed + (A_WEEK if fault.delay is None else fault.delay)
        return max(usual, late if fault.at is None else fault.at)

    def minutes_hit(self, fault: Fault, symbol: str, feed: str, day: int) -> Float64s:
        """A uniform number for each minute of a New York day; below the rate means it is hit."""
        random = stream(self.seed, fault.name, symbol, feed, day)
        return random.random(MINUTES_A_DAY)

    def _decide(self, fault: Fault, *what: object) -> bool:
        if fault.count is not None and self.happened[fault.name] >= fault.count:
            return False
        return chance(self.seed, fault.name, *what) < fault.rate


def chance(seed: int, *what: object) -> float:
    """A uniform number in [0, 1) that depends on the arguments alone."""
    text = "|".join(map(str, (seed, *what)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _fault(name: str, options: Any) -> Fault:
    if name not in FAULTS:
        raise ConfigError(f"There is no fault {name[:40]!r}; known are {', '.join(FAULTS)}.")
    if isinstance(options, int | float):
        options = {"rate": options}
    if not isinstance(options, dict):
        raise ConfigError(f"{name} needs a rate or an object of options, not {options!r}.")
    if unknown := sorted(set(options) - _OPTIONS):
        raise ConfigError(
            f"{name} has no option {unknown[0][:40]!r}; known are {', '.join(sorted(_OPTIONS))}."
        )
    fault = Fault(name=name, **{key: _option(name, key, value) for key, value in options.items()})
    if not 0 <= fault.rate <= 1:
        raise ConfigError(f"The rate of {name} must be 0 to 1, was {fault.rate}.")
    if name == "halt" and not (fault.symbols and np.isfinite(fault.start + fault.end)):
        raise ConfigError("A halt needs symbols, start and end.")
    return fault


def _option(name: str, key: str, value: Any) -> Any:
    try:
        if key in {"symbols", "feeds"}:
            return frozenset(map(str, value))
        if key == "numbers":
            return frozenset(map(int, value))
        if key == "paths":
            return tuple(map(str, value))
        if key in {"start", "end", "at"}:
            return float(parse_start(value, key)) if isinstance(value, str) else float(value)
        if key in {"count", "skip"}:
            return None if value is None else int(value)
        return float(value)
    except (TypeError, ValueError, BadRequestError):
        raise ConfigError(f"The {key} of {name} cannot be {value!r}.") from None


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def merged(old: Plan, more: Mapping[str, Any]) -> Plan:
    """A plan with some faults put in or, where they are null, taken out.

    Raises:
        ConfigError: A fault cannot be.
    """
    kept = {fault.name: fault for fault in old}
    for name, options in more.items():
        if options is None:
            kept.pop(name, None)
        else:
            kept[name] = _fault(name, options)
    return tuple(kept[name] for name in sorted(kept))
