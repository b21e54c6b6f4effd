"""Parameters that say what they may be: for searches, for forms and for errors.

A strategy, a sizing or a risk rule is a frozen dataclass whose fields are declared here. It cannot
be made with a value outside its range.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, cast

from lake.errors import InvalidError

Kind = Literal["whole number", "number", "choice"]

_DECLARED = "parameter"
_SHOWN = 40
#: Rounding of a step's multiples, such as 3 x 0.1.
_DIGITS = 12


class ParameterError(InvalidError):
    """A parameter that a strategy, a sizing or a risk rule cannot take."""

    def __init__(self, owner: str, parameter: str, problem: str) -> None:
        super().__init__(owner, parameter, problem)
        self.owner, self.parameter, self.problem = owner, parameter, problem

    def __str__(self) -> str:
        return f"{self.owner}: {self.parameter} {self.problem}."


@dataclass(frozen=True)
class Parameter:
    """What one parameter may be.

    Attributes:
        low: Smallest value, allowed itself; 0 for a choice, as the next two.
        high: Greatest value, allowed itself.
        step: From one value to the next in searches and forms; values between are allowed.
        unit: Of the value, in words.
        about: What it decides, in one line.
        choices: The values of a choice; empty for numbers.
    """

    name: str
    kind: Kind
    default: float | str
    low: float
    high: float
    step: float
    unit: str
    about: str
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """What it may be, in words."""
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        return f"a {self.kind} from {self.low:,.10g} to {self.high:,.10g}"

    @property
    def values(self) -> Sequence[float | str]:
        """Every value from the smallest on, a step apart; the choices of a choice."""
        if self.kind == "choice":
            return self.choices
        if self.kind == "whole number":
            return range(int(self.low), int(self.high) + 1, int(self.step))
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return tuple(round(self.low + one * self.step, _DIGITS) for one in range(count))

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON, for a form."""
        return asdict(self) | {"choices": list(self.choices)}

    def checked(self, owner: str, value: Any) -> float | str:
        """The value in its type: a whole number is a number too.

        Raises:
            ParameterError: It cannot be; the sentence says what may.
        """
        found: float | str | None
        if self.kind == "choice":
            found = value if isinstance(value, str) and value in self.choices else None
        else:
            found = self._number(value)
        if found is None:
            shown = repr(value)[:_SHOWN]
            unit = f" ({self.unit})" if self.unit else ""
            raise ParameterError(owner, self.name, f"must be {self.range}{unit}, was {shown}")
        return found

    def _number(self, value: Any) -> float | None:
        whole_number = self.kind == "whole number"
        allowed = Integral if whole_number else Real  # numpy's numbers too
        if isinstance(value, bool) or not isinstance(value, allowed):
            return None
        given: Any = value
        if not self.low <= given <= self.high:  # NaN is refused here
            return None
        return int(given) if whole_number else float(given)


def whole(default: int, *, low: int, high: int, unit: str, about: str, step: int = 1) -> int:
    """A field that is a whole number; see :class:`Parameter`."""
    return cast(int, _declared("whole number", default, (low, high, step), unit, about))


def number(default: float, *, low: float, high: float, step: float, unit: str, about: str) -> float:
    """A field that is a number; see :class:`Parameter`."""
    return cast(float, _declared("number", default, (low, high, step), unit, about))


def choice(default: str, *choices: str, about: str) -> str:
    """A field that is one of some words; see :class:`Parameter`."""
    return cast(str, _declared("choice", default, (0, 0, 0), "", about, choices))


def _declared(
    kind: Kind,
    default: float | str,
    bounds: tuple[float, float, float],
    unit: str,
    about: str,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field; its own name completes the parameter when it is asked for."""
    low, high, step = bounds
    made = Parameter("", kind, default, low, high, step, unit, about, choices)
    return field(default=default, metadata={_DECLARED: made})


@dataclass(frozen=True)
class Configured:
    """Something that is found by its name and decided by its parameters.

    Attributes:
        key: The name it is registered by.
        title: For a person to read.
        source: Papers and books it is from.

    Raises:
        ParameterError: A parameter is outside its range, or two do not go together.
    """

    key: ClassVar[str] = ""
    title: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for one in self.declared():
            value = one.checked(self.key, getattr(self, one.name))
            object.__setattr__(self, one.name, value)  # the way of frozen dataclasses
        self.check()

    def check(self) -> None:
        """Refuse parameters that do not go together; each of them is in its range."""

    @classmethod
    def declared(cls) -> tuple[Parameter, ...]:
        """Its parameters, in the order of the fields."""
        found = [(one.name, one.metadata.get(_DECLARED)) for one in fields(cls)]
        return tuple(
            Parameter(**(vars(made) | {"name": name})) for name, made in found if made is not None
        )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """One with some parameters, the others as usual.

        Raises:
            ParameterError: There is no such parameter, or it cannot be.
        """
        known = [one.name for one in cls.declared()]
        for name in given:
            if name not in known:
                raise ParameterError(cls.key, str(name)[:_SHOWN], _no_parameter(str(name), known))
        return cls(**given)

    @property
    def parameters(self) -> dict[str, float | str]:
        """The value of each parameter."""
        return {one.name: getattr(self, one.name) for one in self.declared()}

    @property
    def described(self) -> str:
        """Its title and parameters, for a person to read."""
        values = ", ".join(
            f"{name} {value if isinstance(value, str) else f'{value:g}'}"
            for name, value in self.parameters.items()
        )
        return f"{self.title} ({values})" if values else self.title


def _no_parameter(name: str, known: Sequence[str]) -> str:
    if not known:
        return "is no parameter of it: it has none"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; the nearest is {near[0]}" if near else ""
    return f"is no parameter of it{hint}. It has {', '.join(known)}"
