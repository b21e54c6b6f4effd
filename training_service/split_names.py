"""Splits as somebody writes them: ``walk-forward:folds=3,window=rolling``, or their facts."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from training_service.purging import SplitError
from training_service.split_cross import CombinatorialPurged, PurgedKFold
from training_service.split_folds import Split
from training_service.split_walks import Holdout, WalkForward

Convert = Callable[[Any], Any]

_KINDS: dict[str, Callable[..., Split]] = {
    "holdout": Holdout,
    "walk-forward": WalkForward,
    "purged-k-fold": PurgedKFold,
    "combinatorial-purged": CombinatorialPurged,
}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - told as any other value that is no number
    return float(value)


_EMBARGO: dict[str, Convert] = {"embargo": _number, "embargo_sessions": _whole}
_KEYS: dict[str, dict[str, Convert]] = {
    "holdout": {"test_share": _number},
    "walk-forward": {
        "folds": _whole,
        "window": str,
        "train": _whole,
        "test": _whole,
        "step": _whole,
        "gap": _whole,
    },
    "purged-k-fold": {"folds": _whole, **_EMBARGO},
    "combinatorial-purged": {"groups": _whole, "test_groups": _whole, **_EMBARGO},
}
_ARGUMENTS = {"folds": "count"}
_MEANS: dict[Convert, str] = {_whole: "a whole number", _number: "a number"}


def split_names() -> dict[str, tuple[str, ...]]:
    """The splits there are, with what each can be told."""
    return {name: tuple(keys) for name, keys in _KEYS.items()}


def split_of(said: str | Mapping[str, Any]) -> Split:
    """The split that a text or its facts describe.

    Args:
        said: ``name``, ``name:key=value,key=value``, or the ``facts`` of a split. What is left
            out, or None, is as usual.

    Raises:
        SplitError: It describes none; the sentence names the nearest.

    >>> split_of("walk-forward:train=60,test=5,window=rolling").facts["train"]
    60
    """
    facts = _facts(said) if isinstance(said, str) else dict(said)
    name = str(facts.pop("split", ""))
    if name not in _KEYS:
        raise SplitError(_unknown(f"There is no split {name[:40]!r}", name, [*_KEYS], "splits"))
    given = {key: value for key, value in facts.items() if value is not None}
    return _KINDS[name](
        **{_ARGUMENTS.get(key, key): _value(name, key, given[key]) for key in given}
    )


def _facts(text: str) -> dict[str, Any]:
    name, colon, rest = text.strip().partition(":")
    facts: dict[str, Any] = {"split": name.strip()}
    for pair in rest.split(",") if colon else []:
        key, sign, value = (part.strip() for part in pair.partition("="))
        if not sign or not key or not value:
            problem = (
                f"{pair.strip()[:40]!r} says nothing about the split {name.strip()[:40]}. "
                "Write key=value, separated by commas, like walk-forward:folds=3,window=rolling."
            )
            raise SplitError(problem)
        if key in facts:
            problem = f"{key[:40]} is given twice in {text[:80]!r}. Give it once."
            raise SplitError(problem)
        facts[key] = value
    return facts


def _value(name: str, key: str, value: Any) -> Any:
    keys = _KEYS[name]
    if key not in keys:
        raise SplitError(
            _unknown(f"The split {name} has no {key[:40]!r}", key, [*keys], "things to tell it")
        )
    try:
        return keys[key](value)
    except (TypeError, ValueError, OverflowError):
        problem = f"{key} of {name} is {_MEANS[keys[key]]}, not {str(value)[:40]!r}."
        raise SplitError(problem) from None


def _unknown(problem: str, name: str, known: list[str], what: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{problem}.{hint} The {what} are {', '.join(known)}."
