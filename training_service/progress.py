"""Telling how far a run is, and being stopped on the way."""

from collections.abc import Callable
from dataclasses import dataclass

#: What is being done, and the share done, 0 to 1. What it raises stops the run.
Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class Progress:
    """Who is told, and which part of the whole this work is.

    >>> told = []
    >>> half = Progress(lambda what, share: told.append((what, share))).part(0.5, 1)
    >>> half.at("fold 1 of 2", 0.5)
    >>> told
    [('fold 1 of 2', 0.75)]
    """

    tell: Tell | None = None
    low: float = 0.0
    high: float = 1.0

    def at(self, what: str, share: float) -> None:
        """Say what is being done, and the share of this part that is done."""
        if self.tell is not None:
            self.tell(what, self.low + (self.high - self.low) * share)

    def part(self, low: float, high: float) -> "Progress":
        """A part of this part."""
        width = self.high - self.low
        return Progress(self.tell, self.low + width * low, self.low + width * high)


SILENT = Progress()
