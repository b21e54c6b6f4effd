"""What a piece of code is, as a hash: its own source and that of everything of ours it calls.

Comments, docstrings, decorators and layout do not count; names, constants and logic do.
"""

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType
from typing import Any


def digest(facts: Any) -> str:
    """SHA-256 of JSON facts, keys in order."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_hash(function: Callable[..., Any]) -> str:
    """The hash of a function and of the functions and constants of its package that it uses."""
    return digest(sorted(_sources(function, set()).items()))


def _sources(function: Callable[..., Any], seen: set[Callable[..., Any]]) -> dict[str, str]:
    seen.add(function)
    found = {f"{function.__module__}.{function.__qualname__}": _normalised(function)}
    if not isinstance(function, FunctionType):
        return found
    room = function.__module__.partition(".")[0]
    for name in sorted(_names(function.__code__)):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and value.__module__.partition(".")[0] == room:
            if value not in seen:
                found |= _sources(value, seen)
        elif isinstance(value, bool | int | float | str | tuple):
            found[f"{function.__module__}.{name}"] = repr(value)
    return found


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _normalised(function: Callable[..., Any]) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = []
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
