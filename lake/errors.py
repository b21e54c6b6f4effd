"""Every error this project raises on purpose.

    LakeError
    ├── MissingError      we do not hold what was asked for      404, never retried
    │   ├── LakeMissingError
    │   ├── BarsMissingError
    │   └── ...                (rooms above add theirs beside their code)
    ├── InvalidError      the input breaks a written rule        422, never retried
    │   ├── ProblemError      the sentence itself
    │   │   ├── RangeError
    │   │   └── SettingsError
    │   ├── SymbolError
    │   ├── TimeframeError
    │   └── BadBarsError
    ├── RefusedError      the provider will not let us           502, never retried
    └── TransientError    the world is busy; ask again later     503, retried
        ├── GateBusyError
        └── BrokerMissingError

Facts go to ``super().__init__`` and words to ``__str__``, so that an error survives pickling and
Celery's JSON results with its text whole.
"""

from datetime import date, datetime
from pathlib import Path


class LakeError(Exception):
    """Base of every error this project raises on purpose."""


class MissingError(LakeError):
    """We do not hold what was asked for."""


class InvalidError(LakeError):
    """The input breaks a written rule."""


class ProblemError(InvalidError):
    """What is wrong, in a sentence that whoever raises it writes; base of many."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class RefusedError(LakeError):
    """A provider refused the request for good: wrong keys, no permission, no such thing."""


class TransientError(LakeError):
    """The world is busy; ask again later."""


class LakeMissingError(MissingError):
    """There is no lake in a home yet."""

    def __init__(self, home: Path | str) -> None:
        super().__init__(str(home))
        self.home = str(home)

    def __str__(self) -> str:
        return (
            f"There is no lake in {self.home} yet. "
            "The first `barlake ingest SYMBOL` makes it; BARLAKE_HOME names another place."
        )


class BarsMissingError(MissingError):
    """No bars of a symbol are stored in a dataset, at all or from one source."""

    def __init__(self, symbol: str, source: str | None = None, dataset: str = "bars_1m") -> None:
        super().__init__(symbol, source, dataset)
        self.symbol, self.source, self.dataset = symbol, source, dataset

    def __str__(self) -> str:
        origin = f" from {self.source}" if self.source else ""
        minutes = self.dataset == "bars_1m"
        kind, option = ("bars", "") if minutes else (self.dataset, f" --dataset {self.dataset}")
        return (
            f"No {kind} of {self.symbol}{origin} are in the lake. "
            f"Fetch them with `barlake ingest {self.symbol}{option}`."
        )


class SymbolError(InvalidError):
    """A name that no ticker can have."""

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.symbol = symbol

    def __str__(self) -> str:
        return (
            f"{self.symbol[:40]!r} is not a ticker. Use 1 to 16 capital letters, digits, "
            "dots or hyphens, beginning with a letter or digit, like SPY or BRK.B."
        )


class RangeError(ProblemError):
    """A range of dates or times that cannot be."""


class ReversedRangeError(RangeError):
    """A range whose end lies before its start."""

    def __init__(self, start: date | datetime, end: date | datetime) -> None:
        super().__init__(f"The range ends ({end}) before it starts ({start}). Swap the two.")
        self.args = (start, end)


class TimeframeError(InvalidError):
    """A timeframe that does not exist."""

    def __init__(self, timeframe: str, known: tuple[str, ...]) -> None:
        super().__init__(timeframe, known)
        self.timeframe, self.known = timeframe, tuple(known)

    def __str__(self) -> str:
        return f"{self.timeframe!r} is not a timeframe. Use one of {', '.join(self.known)}."


class BadBarsError(InvalidError):
    """A frame of bars whose columns or types are not those of a bar."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem}. Nothing was written."


class SettingsError(ProblemError):
    """A setting or the file of settings that cannot be used."""


class GateBusyError(TransientError):
    """Another process held the commit gate too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return (
            f"Another process has held the commit gate for {self.seconds:g} s. "
            "Nothing was written; ask again."
        )


class BrokerMissingError(TransientError):
    """No broker answers, so nothing can be queued."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        start = "Start one with `barlake up`, set REDIS_URL"
        if not self.url.startswith("redis+socket:"):
            start = "Start that server, unset REDIS_URL for the embedded broker"
        return f"No broker answers at {self.url}. {start}, or add --here to work in this process."
