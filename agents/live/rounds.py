"""What goes on in rounds beside the agent, in a thread of its own: REST, asked again and again."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass

from agents.sources import Log, ProviderRefusedError
from lake.errors import LakeError
from lake.logs import logger


@dataclass(frozen=True)
class Pauses:
    """Seconds.

    Attributes:
        looks: Between two looks whether it is time.
        apart: After a round, however fast the market's clock.
        failed: After one that failed.
        refused: After one that the provider refused.
    """

    looks: float
    apart: float
    failed: float
    refused: float


class Rounds(ABC):
    """Does a round whenever it is time, and outlives whatever goes wrong in it.

    Args:
        symbols: All that are watched.
        stage: What it does, in the logs.
        pauses: Between rounds.
        log: Takes one structured line.

    Attributes:
        active: It may begin rounds.
        problem: Why the newest round failed.
    """

    def __init__(self, symbols: Collection[str], stage: str, pauses: Pauses, log: Log) -> None:
        self._symbols = tuple(sorted(symbols))
        self._stage, self._pauses, self._log = stage, pauses, log
        self._not_before = 0.0
        self.active = False
        self.problem: str | None = None

    def watch(self, symbols: Collection[str]) -> None:
        """From the next round on others are watched."""
        self._symbols = tuple(sorted(symbols))

    @abstractmethod
    def is_due(self) -> bool:
        """Whether it is time for a round."""

    @abstractmethod
    def round(self) -> None:
        """Do what is due now.

        Raises:
            LakeError: It failed; the next round may go well.
        """

    def failed(self, error: Exception) -> None:  # noqa: B027 - most have nothing to add
        """Is told why a round failed, before ``problem`` says it."""

    def run(self, stop: threading.Event) -> None:
        """Go on until it is stopped; for a thread."""
        while not stop.wait(self._pauses.looks):
            if not self.active or time.monotonic() < self._not_before or not self.is_due():
                continue
            try:
                self.round()
            except LakeError as error:
                self._fail(error, str(error))
            except Exception as error:  # noqa: BLE001 - a thread's door: the next may go well
                if stop.is_set():  # what it works with is closed already
                    return
                logger(stage="live").exception(f"{self._stage} broke")
                self._fail(error, f"{type(error).__name__} (the logs have it)")

    def _well(self, problem: str | None = None) -> None:
        """A round went well; it may have something to tell all the same."""
        self.problem = problem
        self._not_before = time.monotonic() + self._pauses.apart

    def _fail(self, error: Exception, problem: str) -> None:
        self.failed(error)
        if problem != self.problem:
            self._log(stage=self._stage, level="warning", problem=problem)
        self.problem = problem
        refused = isinstance(error, ProviderRefusedError)
        self._not_before = time.monotonic() + (
            self._pauses.refused if refused else self._pauses.failed
        )
