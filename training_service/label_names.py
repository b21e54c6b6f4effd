"""Names of labels: what they say, and the nearest one where a name says nothing."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lake.errors import InvalidError
from training_service.label_families import FAMILIES, Family, Numbers
from training_service.label_windows import Span

#: Pre-market to post-market is 960 minutes.
LONGEST = 960
#: Lowest and highest of each number in a name.
RANGES: dict[str, tuple[float, float]] = {
    "bp": (0.1, 10_000),
    "up": (0.1, 100),
    "down": (0.1, 100),
}
_WORDS = {
    "bp": "The threshold is {low:g} to {high:,.0f} basis points",
    "up": "The upper barrier lies {low:g} to {high:g} standard deviations away",
    "down": "The lower barrier lies {low:g} to {high:g} standard deviations away",
}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class LabelError(InvalidError):
    """A name that no label has."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        near = nearest(self.name)
        hint = f" Did you mean {near}?" if near else ""
        return (
            f"There is no label {self.name[:40]!r}.{hint} The labels are {', '.join(self.known)}, "
            "and the like with other numbers."
        )


class LabelRangeError(LabelError):
    """A label whose name has a number that is too small or too large."""

    def __init__(self, name: str, problem: str, near: str) -> None:
        super().__init__(name, (near,))
        self.args = (name, problem, near)
        self.problem, self.near = problem, near

    def __str__(self) -> str:
        return f"There is no label {self.name[:40]!r}. {self.problem}; the nearest is {self.near}."


@dataclass(frozen=True)
class Said:
    """What a name says."""

    family: Family
    span: Span
    numbers: Numbers

    @property
    def name(self) -> str:
        """The name as it is usually written."""
        numbers = {key: format(value, ".10g") for key, value in self.numbers.items()}
        return self.family.template.format(span=self.span.name, **numbers)


def parse(name: str) -> Said:
    """What a name says.

    Raises:
        LabelError: Nothing; the sentence names the nearest that does.
        LabelRangeError: A number in it is out of range.
    """
    said = _said(name)
    if said is None:
        raise LabelError(name, [family.examples[0] for family in FAMILIES])
    _check(name, said)
    return said


def nearest(name: str) -> str | None:
    """The label whose name is most like one that none has, with its numbers where they fit."""
    shapes: dict[str, str] = {}
    for one in (example for family in FAMILIES for example in family.examples):
        shapes.setdefault(_NUMBER.sub("#", one), one)
    found = difflib.get_close_matches(_NUMBER.sub("#", name[:80]), shapes, n=1)
    if not found:
        return None
    numbers = _NUMBER.findall(name)
    if len(numbers) == found[0].count("#"):
        said = _said(_filled(found[0], numbers))
        if said is not None and _held(said) == said:
            return said.name
    return shapes[found[0]]


def _filled(shape: str, numbers: Sequence[str]) -> str:
    values = iter(numbers)
    return "".join(next(values) if letter == "#" else letter for letter in shape)


def _said(name: str) -> Said | None:
    for family in FAMILIES:
        if match := family.pattern.fullmatch(name):
            texts = match.groupdict()
            span = _span(texts.pop("span"))
            return Said(family, span, {key: float(text) for key, text in texts.items()})
    return None


def _span(text: str) -> Span:
    if text == "next_session":
        return Span(1, "sessions")
    return Span(int(text.removesuffix("m")), "minutes" if text.endswith("m") else "bars")


def _check(name: str, said: Said) -> None:
    held = _held(said)
    if held.span != said.span:
        problem = f"A horizon is 1 to {LONGEST} {said.span.unit}"
        raise LabelRangeError(name, problem, held.name)
    for key, value in said.numbers.items():
        if held.numbers[key] != value:
            low, high = RANGES[key]
            raise LabelRangeError(name, _WORDS[key].format(low=low, high=high), held.name)


def _held(said: Said) -> Said:
    """The same with every number in its range."""
    span = Span(min(max(said.span.length, 1), LONGEST), said.span.unit)
    numbers = {
        key: min(max(value, RANGES[key][0]), RANGES[key][1]) for key, value in said.numbers.items()
    }
    return Said(said.family, span, numbers)
