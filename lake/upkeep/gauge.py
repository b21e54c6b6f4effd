"""How long upkeep holds the gate: measured at every transaction, and steps that fit themselves to it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lake.catalog import Transaction

if TYPE_CHECKING:
    from lake.store import Lake

#: What one transaction may hold the gate, in seconds: writers wait no longer than that.
HOLD = 0.1
_BREATH = 0.003


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        name: One of ``STEPS``.
        did: What it counted, like ``rows_moved``; in a dry run what it would do.
        transactions: How often it took the gate.
        gate_seconds: How long it held it, together.
        longest_gate_seconds: How long at once.
    """

    name: str
    did: dict[str, int]
    transactions: int = 0
    gate_seconds: float = 0.0
    longest_gate_seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """What a round of upkeep did, step by step."""

    steps: tuple[Step, ...]

    @property
    def did(self) -> dict[str, int]:
        """What all steps counted."""
        return {name: count for step in self.steps for name, count in step.did.items()}

    @property
    def transactions(self) -> int:
        """How often the gate was taken."""
        return sum(step.transactions for step in self.steps)

    @property
    def gate_seconds(self) -> float:
        """How long the gate was held, together."""
        return round(sum(step.gate_seconds for step in self.steps), 4)

    @property
    def longest_gate_seconds(self) -> float:
        """How long the gate was held at once."""
        return max((step.longest_gate_seconds for step in self.steps), default=0.0)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "transactions": self.transactions,
            "gate_seconds": self.gate_seconds,
            "longest_gate_seconds": self.longest_gate_seconds,
            "steps": [asdict(step) for step in self.steps],
        }


@dataclass
class Gauge:
    """The transactions of one step."""

    lake: "Lake"
    holds: list[float] = field(default_factory=list)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction behind the gate, measured from BEGIN to after COMMIT."""
        with self.lake.writing() as transaction:
            begun = time.perf_counter()
            yield transaction
        self.holds.append(time.perf_counter() - begun)
        time.sleep(
            _BREATH
        )  # a freed lock is not handed over: who waits must wake before we ask again

    def step(self, name: str, did: dict[str, int]) -> Step:
        """The report of the step."""
        held = [round(seconds, 4) for seconds in self.holds]
        return Step(name, did, len(held), round(sum(held), 4), max(held, default=0.0))


@dataclass
class Pace:
    """How much one transaction takes on, so that it holds the gate for about ``HOLD``.

    Attributes:
        amount: For the next transaction; it grows slowly and shrinks at once.
        most: And never beyond this.
    """

    amount: int
    most: int

    def learn(self, seconds: float) -> None:
        """Fit the amount to how long the last transaction took."""
        if seconds > HOLD:
            self.amount = max(1, int(self.amount * HOLD / seconds))
        elif seconds < HOLD / 2:
            self.amount = min(self.most, self.amount * 2)
