"""What the ``main`` modules have in common: a sentence and exit code 2 instead of a traceback."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from lake.errors import LakeError, ProblemError

BAD_INPUT = 2


class PairError(ProblemError):
    """A ``NAME=VALUE`` that is none."""


def say(line: str) -> None:
    """Print a line for the user, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(error: LakeError) -> int:
    """Print what is wrong to stderr; the exit code for it."""
    sys.stderr.write(f"{error}\n")
    return BAD_INPUT


def answer(work: Callable[[], int | None]) -> int:
    """Do the work of a command; its exit code."""
    try:
        return work() or 0
    except LakeError as error:
        return complain(error)


def pairs(given: Sequence[str] | None, flag: str, *, upper: bool = False) -> dict[str, str]:
    """``NAME=VALUE``, as it was written.

    Args:
        flag: What a user says it by.
        upper: Names are tickers.

    Raises:
        PairError: One has no name, no sign or no value, or a name comes twice.
    """
    found: dict[str, str] = {}
    for one in given or ():
        name, sign, value = (part.strip() for part in one.partition("="))
        if not (name and sign and value):
            problem = f"{one[:40]!r} says nothing to {flag}. Write it as NAME=VALUE."
            raise PairError(problem)
        name = name.upper() if upper else name
        if name in found:
            problem = f"{flag} names {name[:40]} twice. Say it once."
            raise PairError(problem)
        found[name] = value
    return found


def values(given: Sequence[str] | None, flag: str) -> dict[str, Any]:
    """``NAME=VALUE`` with numbers, true, false and null as JSON has them, and texts otherwise.

    >>> values(["fast=10", "stop=low"], "--param")
    {'fast': 10, 'stop': 'low'}
    """
    return {name: _value(text) for name, text in pairs(given, flag).items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
