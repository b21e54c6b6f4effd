"""Rules that pass, cut or refuse a target, each with a sentence; the same in simulation and live.

A rule bounds what is added to a position and never stands in the way of closing one. What is held
already may come to lie above a bound, for prices move; then nothing more is added, and only a rule
that says so sells.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from strategy_service.parameters import Configured, choice, number, whole
from strategy_service.registry import Registry
from strategy_service.situation import Situation

Outcome = Literal["passed", "cut", "refused"]


@dataclass(frozen=True)
class Verdict:
    """What became of a target.

    Attributes:
        asked: Shares that were to be held.
        target: Shares that may be.
        outcome: ``refused`` if nothing of the change is left, or the opposite of it.
        reasons: Why, a sentence for each rule that changed it.
    """

    asked: float
    target: float
    outcome: Outcome
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class RiskRule(Configured, ABC):
    """Bounds the shares to hold."""

    @abstractmethod
    def bound(self, target: float, now: Situation) -> tuple[float, str]:
        """The most shares of the symbol, long or short, that may be held, and why.

        It is asked only where a target adds to a position; what is held may stay.
        """

    def allowed(self, target: float, now: Situation) -> tuple[float, str]:
        """The target it lets through, and a sentence if that is another one."""
        kept = now.shares if now.shares * target > 0 else 0
        if abs(target) <= abs(kept):
            return target, ""
        most, why = self.bound(target, now)
        size = min(abs(target), max(most, abs(kept)))
        found = size if target > 0 else -size
        if found == target:
            return target, ""
        return found, f"{now.symbol}: {found:,} instead of {target:,} shares, because {why}."


#: Every risk rule, by name.
RISK_RULES: Registry[RiskRule] = Registry("risk rule", "strategy_service.risk")


def judged(target: float, now: Situation, rules: Iterable[RiskRule]) -> Verdict:
    """A target after some rules, each of which sees what those before it left.

    Args:
        target: Shares to hold, as a sizing says.
    """
    found, reasons = target, []
    for rule in rules:
        found, why = rule.allowed(found, now)
        if why:
            reasons.append(why)
    return Verdict(target, found, _outcome(target, found, now.shares), tuple(reasons))


def _outcome(asked: float, found: float, held: float) -> Outcome:
    if found == asked:
        return "passed"
    return "cut" if (found - held) * (asked - held) > 0 else "refused"


@RISK_RULES("maximum_shares")
@dataclass(frozen=True)
class MaximumShares(RiskRule):
    """No more than so many shares of a symbol."""

    title: ClassVar[str] = "maximum shares"

    shares: int = whole(1_000, low=1, high=10_000_000, unit="shares", about="The most to hold.")

    def bound(self, target: float, now: Situation) -> tuple[float, str]:  # noqa: ARG002 - always the same
        """So many."""
        return self.shares, f"a position has at most {self.shares:,} shares"


@RISK_RULES("maximum_position")
@dataclass(frozen=True)
class MaximumPosition(RiskRule):
    """No more than a share of the equity in one symbol, at the price now."""

    title: ClassVar[str] = "maximum position"

    share: float = number(
        0.25, low=0.05, high=4.0, step=0.05, unit="share of the equity", about="In one symbol."
    )

    def bound(self, target: float, now: Situation) -> tuple[float, str]:  # noqa: ARG002 - by the equity
        """What that share pays for."""
        most = _shares(self.share * now.equity, now.price)
        return most, f"a position is at most {self.share:g} of {now.equity:,.2f} USD"


@RISK_RULES("maximum_exposure")
@dataclass(frozen=True)
class MaximumExposure(RiskRule):
    """No more than a share of the equity in all positions, short ones counted as long ones are."""

    title: ClassVar[str] = "maximum exposure"

    share: float = number(
        1.0, low=0.05, high=4.0, step=0.05, unit="share of the equity", about="In all positions."
    )

    def bound(self, target: float, now: Situation) -> tuple[float, str]:  # noqa: ARG002 - by the equity
        """What the other positions leave of it."""
        left = self.share * now.equity - now.others_gross
        why = (
            f"all positions are at most {self.share:g} of {now.equity:,.2f} USD and the others "
            f"have {now.others_gross:,.2f} USD"
        )
        return _shares(left, now.price), why


@RISK_RULES("daily_loss")
@dataclass(frozen=True)
class DailyLoss(RiskRule):
    """Nothing is added for the rest of a session in which so much was lost.

    The loss is measured at the session's lowest equity, so that a recovery does not lift the
    rule. With `then` sell, everything is sold too. Where the session's equity is not known,
    nothing is added.
    """

    title: ClassVar[str] = "daily loss limit"

    share: float = number(
        0.02,
        low=0.005,
        high=1.0,
        step=0.005,
        unit="share of the equity at the session's beginning",
        about="Loss from which the rule holds.",
    )
    then: str = choice("keep", "keep", "sell", about="What becomes of the position.")

    def allowed(self, target: float, now: Situation) -> tuple[float, str]:
        """As the others do; with ``sell`` it lets nothing be held after the loss."""
        lost = self._lost(now)
        if self.then == "sell" and target and lost is not None and lost >= self.share:
            return 0, f"{now.symbol}: all is sold, because {self._why(lost)}."
        return super().allowed(target, now)

    def bound(self, target: float, now: Situation) -> tuple[float, str]:
        """Nothing after the loss; no bound before it."""
        lost = self._lost(now)
        if lost is None:
            return 0, "what the session has lost is not known"
        return (0, self._why(lost)) if lost >= self.share else (abs(target), "")

    def _lost(self, now: Situation) -> float | None:
        begun, lowest = now.session_equity, now.lowest_equity
        if begun is None or lowest is None or not begun > 0 or math.isnan(lowest):
            return None
        return 1 - min(lowest, now.equity) / begun

    def _why(self, lost: float) -> str:
        return f"the session has lost {lost:.2%} and the limit is {self.share:.2%}"


@RISK_RULES("no_late_entry")
@dataclass(frozen=True)
class NoLateEntry(RiskRule):
    """Nothing is added in the last minutes of a session; where they are not known, nothing either."""

    title: ClassVar[str] = "no late entry"

    minutes: int = whole(
        15,
        low=1,
        high=390,
        step=1,
        unit="minutes from the bar's beginning to the close",
        about="Nothing is added from there on.",
    )

    def bound(self, target: float, now: Situation) -> tuple[float, str]:
        """Nothing in the last minutes; no bound before."""
        left = now.minutes_to_close
        if left is None:
            return 0, "the minutes to the session's close are not known"
        if left <= self.minutes:
            return 0, f"{left:g} minutes are left of the session and {self.minutes} are too few"
        return abs(target), ""


def _shares(worth: float, price: float) -> int:
    return max(int(worth // price), 0)
