"""A strategy with its sizing, risk rules and execution, to and from TOML.

[strategy]
name = "sma_cross"
[strategy.parameters]
fast = 20

[sizing]
name = "fraction"

[[risk]]
name = "no_late_entry"
[risk.parameters]
minutes = 30

[execution]
name = "orders"
[execution.parameters]
stop_loss = 0.02
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from feature_service.registry import Feature
from lake.errors import ProblemError
from strategy_service import needs
from strategy_service.execution import EXECUTIONS, Execution
from strategy_service.parameters import Configured
from strategy_service.registry import Registry
from strategy_service.risk import RISK_RULES, RiskRule
from strategy_service.rule import STRATEGIES, Rule
from strategy_service.sizing import SIZINGS, AllIn, Sizing

T = TypeVar("T", bound=Configured)

_PARTS = ("strategy", "sizing", "risk", "execution")
_FIELDS = ("name", "parameters")
_EXAMPLE = '[strategy] with name = "sma_cross"'


class PlanError(ProblemError):
    """A plan that cannot be read."""


@dataclass(frozen=True)
class Plan:
    """What to do, how much of it, within which bounds, and by which orders.

    Attributes:
        risk: In the order in which they judge.
    """

    strategy: Rule
    sizing: Sizing = field(default_factory=AllIn)
    risk: tuple[RiskRule, ...] = ()
    execution: Execution = field(default_factory=Execution)

    @property
    def features(self) -> tuple[Feature, ...]:
        """What strategy and sizing read, each once."""
        return needs.features(dict.fromkeys((*self.strategy.needs, *self.sizing.needs)))

    @property
    def described(self) -> str:
        """The rule with its parameters, and what of the rest is not as usual, for a person to read."""
        usual = Plan(self.strategy)
        more = [
            mine.described
            for mine, other in ((self.sizing, usual.sizing), (self.execution, usual.execution))
            if mine != other
        ]
        return ", ".join([self.strategy.name, *more, *(one.described for one in self.risk)])

    @property
    def facts(self) -> dict[str, Any]:
        """Names and parameters as JSON, as :func:`plan_of` takes them."""
        return {
            "strategy": _facts(self.strategy),
            "sizing": _facts(self.sizing),
            "risk": [_facts(one) for one in self.risk],
            "execution": _facts(self.execution),
        }

    @property
    def toml(self) -> str:
        """The same as TOML, with every parameter; :func:`read_plan` reads it back."""
        parts = [("[strategy]", self.strategy), ("[sizing]", self.sizing)]
        parts += [("[[risk]]", one) for one in self.risk]
        parts.append(("[execution]", self.execution))
        return "\n".join(line for head, one in parts for line in _lines(head, one))


def read_plan(text: str) -> Plan:
    """A plan from TOML.

    Raises:
        PlanError: It is no TOML, or has other tables than a plan.
        NoSuchNameError: There is no strategy, sizing, risk rule or execution of a name.
        ParameterError: A parameter cannot be; the sentence has its range.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = f"The plan is no TOML ({error}). A strategy is written as {_EXAMPLE}."
        raise PlanError(problem) from None
    return plan_of(content)


def plan_of(facts: Mapping[str, Any]) -> Plan:
    """A plan as TOML or JSON says it.

    Raises:
        PlanError, NoSuchNameError, ParameterError: As for :func:`read_plan`.
    """
    if other := [key for key in facts if key not in _PARTS]:
        problem = f"A plan has no {other[0][:40]!r}; it has {', '.join(_PARTS)}."
        raise PlanError(problem)
    if "strategy" not in facts:
        problem = f"The plan has no strategy: write it as {_EXAMPLE}."
        raise PlanError(problem)
    rules = facts.get("risk", [])
    if not isinstance(rules, list):
        problem = "risk must be a list of rules: write each as [[risk]] with its name."
        raise PlanError(problem)
    return Plan(
        _made(STRATEGIES, "strategy", facts["strategy"]),
        _made(SIZINGS, "sizing", facts["sizing"]) if "sizing" in facts else AllIn(),
        tuple(_made(RISK_RULES, "risk", one) for one in rules),
        _made(EXECUTIONS, "execution", facts["execution"]) if "execution" in facts else Execution(),
    )


def _made(registry: Registry[T], part: str, facts: Any) -> T:
    if not isinstance(facts, Mapping):
        problem = f"{part} must be a table with {' and '.join(_FIELDS)}."
        raise PlanError(problem)
    if other := [key for key in facts if key not in _FIELDS]:
        problem = (
            f"{part} has a field {other[0][:40]!r}; it has {' and '.join(_FIELDS)}. Parameters "
            f"stand in [{part}.parameters]."
        )
        raise PlanError(problem)
    name, parameters = facts.get("name"), facts.get("parameters", {})
    if not isinstance(name, str) or not isinstance(parameters, Mapping):
        problem = f"{part} needs a name, a text, and parameters in a table [{part}.parameters]."
        raise PlanError(problem)
    return registry.make(name, parameters)


def _facts(one: Configured) -> dict[str, Any]:
    return {"name": one.key, "parameters": one.parameters}


def _lines(head: str, one: Configured) -> Iterator[str]:
    yield from (head, f"name = {json.dumps(one.key)}")
    if one.parameters:
        yield f"[{head.strip('[]')}.parameters]"
        yield from (f"{name} = {_value(value)}" for name, value in one.parameters.items())
    yield ""


def _value(value: float | str) -> str:
    """Numbers and texts of small letters are written alike in JSON and in TOML."""
    return json.dumps(value)
