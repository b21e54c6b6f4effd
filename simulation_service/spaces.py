"""What a search tries: values of a plan's parameters and of costs, as a grid or drawn at random."""

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from random import Random
from typing import Any

from lake.errors import InvalidError
from strategy_service.costs import Costs, CostsError
from strategy_service.parameters import Parameter, ParameterError
from strategy_service.plans import Plan, plan_of

#: Trials of one search: more say nothing, for the best of so many is luck.
MOST_TRIALS = 20_000

_PARTS = ("sizing", "execution", "costs")
_PATIENCE = 50  # draws for each trial that is wanted, where parameters do not go together
_DIGITS = 12  # of values that lie a step apart: 3 x 0.1 is 0.3

Values = dict[str, float | str]


class SpaceError(InvalidError):
    """Parameters that cannot be searched."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name, self.problem = name, problem

    def __str__(self) -> str:
        return f"{self.name[:40]}: {self.problem}."


@dataclass(frozen=True)
class Axis:
    """One parameter and the values it takes in a search.

    Attributes:
        name: A parameter of the strategy (``fast``), or of another part of the plan or the costs
            (``sizing.most``, ``execution.stop_loss``, ``costs.slippage_bps``).
    """

    name: str
    values: tuple[float | str, ...]


@dataclass(frozen=True)
class Space:
    """All that a search may try.

    Attributes:
        plan: What is not searched.
        costs: Likewise.
        axes: What is; at least one.

    >>> from strategy_service.rules.sma_cross import SmaCross
    >>> space = space_of(Plan(SmaCross()), Costs(), ["fast=10:30:10", "slow=20,40"])
    >>> space.size, len(list(space.grid()))
    (6, 4)
    """

    plan: Plan
    costs: Costs
    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        """Combinations, those among them that do not go together."""
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "plan": self.plan.facts,
            "costs": asdict(self.costs),
            "axes": {axis.name: list(axis.values) for axis in self.axes},
        }

    def at(self, values: Mapping[str, float | str]) -> tuple[Plan, Costs]:
        """The plan and the costs with these values.

        Raises:
            ParameterError, CostsError: They do not go together, or one of them cannot be.
        """
        facts = {**self.plan.facts}
        costs = {}
        for name, value in values.items():
            part, _, parameter = name.rpartition(".")
            if part == "costs":
                costs[parameter] = value
                continue
            chosen = facts[part or "strategy"]
            facts[part or "strategy"] = {
                **chosen,
                "parameters": {**chosen["parameters"], parameter: value},
            }
        return plan_of(facts), replace(self.costs, **costs)  # type: ignore[arg-type]

    def fits(self, values: Mapping[str, float | str]) -> bool:
        """Whether these values go together."""
        try:
            self.at(values)
        except (ParameterError, CostsError):
            return False
        return True

    def grid(self) -> Iterator[Values]:
        """Every combination that goes together, the last axis fastest.

        Raises:
            SpaceError: There are too many.
        """
        if self.size > MOST_TRIALS:
            raise SpaceError(
                "The grid",
                f"{self.size:,} combinations are more than {MOST_TRIALS:,}; take wider steps, or search at random",
            )
        names = [axis.name for axis in self.axes]
        for values in product(*(axis.values for axis in self.axes)):
            found = dict(zip(names, values, strict=True))
            if self.fits(found):
                yield found

    def random(self, trials: int, seed: int) -> Iterator[Values]:
        """Different combinations that go together, drawn alike; fewer where there are no more.

        Raises:
            SpaceError: The number cannot be.
        """
        check_trials(trials)
        draw, seen = Random(seed), set[tuple[float | str, ...]]()  # noqa: S311 - no secret
        for _ in range(trials * _PATIENCE):
            if len(seen) == min(trials, self.size):
                return
            found = {axis.name: draw.choice(axis.values) for axis in self.axes}
            key = tuple(found.values())
            if key not in seen and self.fits(found):
                seen.add(key)
                yield found
            if len(seen) >= trials:
                return


def check_trials(trials: int) -> int:
    """The number of trials, if it can be.

    Raises:
        SpaceError: It cannot.
    """
    if not 1 <= trials <= MOST_TRIALS:
        raise SpaceError("The trials", f"there are 1 to {MOST_TRIALS:,} of a search, not {trials}")
    return trials


def space_of(plan: Plan, costs: Costs, axes: Sequence[str]) -> Space:
    """A space from texts.

    Args:
        plan: What is not searched.
        axes: ``fast=5:50:5`` (from, to, step), ``fast=5,10,20`` (these) or ``fast`` (all that the
            parameter declares, a step apart).

    Raises:
        SpaceError: A parameter is not there, is named twice, or a value of it cannot be.
    """
    if not axes:
        raise SpaceError(
            "The search", f"name a parameter of {plan.strategy.key}, like {_example(plan)}"
        )
    found = [_axis(plan, text) for text in axes]
    names = [axis.name for axis in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise SpaceError(twice[0], "is named twice; give all of its values at once")
    return Space(plan, costs, tuple(found))


def _example(plan: Plan) -> str:
    declared = plan.strategy.declared()
    return f"{declared[0].name}" if declared else "sizing.most=0.2,0.5,1 (it has none of its own)"


def _axis(plan: Plan, text: str) -> Axis:
    name, _, said = text.partition("=")
    name = name.strip()
    declared = _declared(plan, name)
    values = _values(name, said.strip(), declared)
    if declared is not None:
        owner = name.rpartition(".")[0] or plan.strategy.key
        values = tuple(declared.checked(owner, value) for value in values)
    elif not all(isinstance(one, float | int) for one in values):
        raise SpaceError(name, "costs are numbers")
    return Axis(name, tuple(dict.fromkeys(values)))


def _declared(plan: Plan, name: str) -> Parameter | None:
    """The parameter of a name; None for one of the costs, which declare no range."""
    part, _, parameter = name.rpartition(".")
    if part == "costs":
        known = list(asdict(Costs()))
        if parameter in known:
            return None
        raise SpaceError(name, f"costs have {', '.join(known)}")
    owners = {"": plan.strategy, "sizing": plan.sizing, "execution": plan.execution}
    if part not in owners:
        raise SpaceError(name, f"a parameter stands alone or after {', '.join(_PARTS)} and a dot")
    found = {one.name: one for one in owners[part].declared()}
    if parameter not in found:
        near = difflib.get_close_matches(parameter, found, n=1)
        hint = f"; the nearest is {near[0]}" if near else ""
        has = f"has {', '.join(found)}" if found else "has none"
        raise SpaceError(name, f"is no parameter{hint}; {owners[part].key} {has}")
    return found[parameter]


def _values(name: str, said: str, declared: Parameter | None) -> tuple[float | str, ...]:
    if not said:
        if declared is None:
            raise SpaceError(name, f"give its values, like {name}=0,1,5")
        return tuple(declared.values)
    if ":" in said:
        return _stepped(name, said)
    return tuple(_number(one.strip()) for one in said.split(","))


def _stepped(name: str, said: str) -> tuple[float, ...]:
    parts = [_number(one.strip()) for one in said.split(":")]
    numbers = [one for one in parts if not isinstance(one, str)]
    if len(numbers) != 3 or len(parts) != 3 or not numbers[2] > 0 or numbers[1] < numbers[0]:  # noqa: PLR2004
        raise SpaceError(name, f"{said[:40]!r} is no range; write it like 5:50:5 (from, to, step)")
    low, high, step = numbers
    count = math.floor((high - low) / step + 1e-9) + 1
    if count > MOST_TRIALS:
        raise SpaceError(name, f"{count:,} values are more than {MOST_TRIALS:,}; take wider steps")
    whole = all(isinstance(one, int) for one in numbers)
    values = (low + at * step for at in range(count))
    return tuple(int(one) if whole else round(one, _DIGITS) for one in values)


def _number(text: str) -> float | str:
    """A whole number, a number, or the word itself."""
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        if math.isfinite(found):
            return found
    return text
