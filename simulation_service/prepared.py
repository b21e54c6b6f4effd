"""What a simulation runs on, whoever says what to do: markets, and what was said at each bar."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from lake import sessions
from lake.errors import ProblemError
from lake.features import content_hash
from lake.sessions import Moment
from simulation_service.market import Market, Mode, as_specified, realistic
from simulation_service.trading import Said, Trading, shared_alike
from strategy_service.costs import Costs
from strategy_service.rules.buy_and_hold import BuyAndHold
from strategy_service.signals import Direction

MODES = ("as_specified", "realistic", "both")
_FEW_SESSIONS = 20
_YEAR = timedelta(days=365)


class SimulationError(ProblemError):
    """A simulation that cannot be."""


@dataclass(frozen=True)
class Terms:
    """What is asked for beside the strategy.

    Attributes:
        start: A New York session date, or a time with its zone; None for the earliest that is right.
        end: As ``start``, both included; None for the newest session with bars of all symbols.
        cash: USD at the beginning.
        costs: Of the realistic mode.
        participation: Share of a bar's volume that one order may take in the realistic mode; 0 for
            no cap.
        sources: Where the bars of a symbol come from; those ``bars`` shows where it says nothing.

    Raises:
        SimulationError: The cash cannot be.
        RangeError: The range cannot be.
    """

    start: Moment = None
    end: Moment = None
    cash: float = 100_000.0
    costs: Costs = field(default_factory=Costs)
    participation: float = 0.0
    sources: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sessions.window(self.start, self.end)
        if not (math.isfinite(self.cash) and self.cash > 0):
            problem = f"The cash to begin with must be above 0 USD, was {self.cash:g}."
            raise SimulationError(problem)

    def modes(self, name: str) -> list[Mode]:
        """The modes of a name.

        Raises:
            SimulationError: There is none of that name.
        """
        if name not in MODES:
            problem = f"There is no mode {name[:40]!r}. The modes are {', '.join(MODES)}."
            raise SimulationError(problem)
        both = [as_specified(), realistic(self.costs, participation=self.participation)]
        return both if name == "both" else [each for each in both if each.name == name]


@dataclass(frozen=True)
class Prepared:
    """Everything a run depends on but its mode.

    Attributes:
        name: Of the strategy, for a person to read and for the ledger to count by.
        facts: What decides what it says, as JSON.
        model_id: Of a model that speaks; None for a rule.
        markets: One a symbol, in the order they were named.
        said: What was said at each bar, one a market.
        snapshot: Of the lake.
        warnings: What makes the figures worth less than they look, in sentences.
    """

    name: str
    facts: dict[str, Any]
    model_id: str | None
    markets: tuple[Market, ...]
    said: tuple[Said, ...]
    trading: Trading
    snapshot: int
    warnings: tuple[str, ...] = ()

    @property
    def symbol(self) -> str:
        """Of one market, or of several with ``+`` between."""
        return "+".join(one.symbol for one in self.markets)

    @property
    def start(self) -> datetime:
        """Opening of the first bar (UTC)."""
        first: datetime = min(one.bars["timestamp"][0] for one in self.markets)
        return first

    @property
    def end(self) -> datetime:
        """Opening of the last bar (UTC)."""
        last: datetime = max(one.bars["timestamp"][-1] for one in self.markets)
        return last

    @property
    def days(self) -> pl.Series:
        """Session dates with a bar, ascending."""
        return pl.concat([one.bars["session_date"] for one in self.markets]).unique().sort()

    @property
    def sessions_per_year(self) -> int:
        """Of the calendar, in the year up to the last session."""
        return in_year_to(self.days[-1])

    @property
    def hashes(self) -> dict[str, Any]:
        """Of all bars and of all that was said, and whose they are."""
        spoken = [_hash(*each) for each in zip(self.markets, self.said, strict=True)]
        return {
            "symbols": [one.symbol for one in self.markets],
            "market_hash": [one.content_hash for one in self.markets],
            "signals_hash": spoken,
        }

    @property
    def holding(self) -> "Prepared":
        """The same markets, bought at once in equal shares of the cash and held."""
        buy = (Said.plainly([int(Direction.BUY)] * len(one.close)) for one in self.markets)
        trading = Trading(sizing=shared_alike(len(self.markets)))
        return replace(self, name=BuyAndHold().name, said=tuple(buy), trading=trading)

    def delayed(self) -> "Prepared":
        """The same, said one bar later; what was said at a session's last bar is never heard."""
        return replace(self, said=tuple(map(_delayed, self.said, self.markets)))


def in_year_to(last: date) -> int:
    """Sessions of the calendar in the year up to a day."""
    return sessions.schedule(last - _YEAR, last).height


def _hash(market: Market, said: Said) -> str:
    columns = {name: pl.Series(each) for name, each in vars(said).items() if each is not None}
    return content_hash(market.bars.select("timestamp", "session_date").with_columns(**columns))


def _delayed(said: Said, market: Market) -> Said:
    same = np.append(False, market.session[1:] == market.session[:-1])
    directions = np.where(same, np.roll(said.directions, 1), Direction.HOLD).astype(np.int8)
    if said.strengths is None:
        return replace(said, directions=directions)
    strengths = np.where(same, np.roll(said.strengths, 1), 0.0)
    return replace(said, directions=directions, strengths=strengths)


def warnings_of(markets: Sequence[Market]) -> list[str]:
    """What the bars themselves make the figures worth less by."""
    found = []
    days = pl.concat([one.bars["session_date"] for one in markets]).unique()
    for market in markets:
        own = market.bars["session_date"].unique()
        expected = sessions.schedule(days.min(), days.max()).height  # type: ignore[arg-type]
        if expected > len(own):
            whose = f" of {market.symbol}" if len(markets) > 1 else ""
            found.append(
                f"{expected - len(own):,} of {expected:,} sessions{whose} have no bars; "
                "a return across them counts as one session's."
            )
    if len(days) < _FEW_SESSIONS:
        found.append(f"A Sharpe ratio of {len(days)} sessions says next to nothing.")
    return found
